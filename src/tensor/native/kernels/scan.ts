import type { TensorInfo } from '@tensorflow/tfjs-core';
import { scanChunk } from '../../selectiveScan';
import { sizeOf, type KernelCall, type NativeKernel, type NativeKernels } from '../kernel';

/** The array of an optional input: null where its tensor holds nothing. */
function maybe({ inputs, backend }: KernelCall, name: string): Float32Array | null {
  return sizeOf(inputs[name].shape) > 0 ? backend.floats(inputs[name]) : null;
}

function output({ backend }: KernelCall, shape: number[]): [TensorInfo, Float32Array] {
  const values = backend.alloc('float32', sizeOf(shape));
  return [backend.makeTensorInfo(shape, 'float32', values), values];
}

/** Mamba-1's ten arrays, sizes in `params`: see `selectiveScan` in tensor/. */
function selectiveInputs(call: KernelCall): (Float32Array | null)[] {
  const { inputs, backend } = call;
  const [B, L, E] = inputs.u.shape;
  const N = inputs.A.shape[1];
  backend.addon.params.set([B, L, E, N, 0, 1, scanChunk(N), E, N, N]);
  const needed = ['u', 'delta', 'A', 'B', 'C'].map((name) => backend.floats(inputs[name]));
  return [...needed, ...['D', 'bias', 'z', 'h', 'starts'].map((name) => maybe(call, name))];
}

const selectiveScan: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const [B, L, E] = inputs.u.shape;
  const N = inputs.A.shape[1];
  const [y, yValues] = output(call, [B, L, E]);
  const [h, hValues] = output(call, [B, E, N]);
  const [saved, savedValues] = output(call, [B, Math.ceil(L / scanChunk(N)), N, E]);
  backend.addon.scanForward(...selectiveInputs(call), yValues, hValues, savedValues);
  return [y, h, saved];
};

const selectiveScanGrad: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const { u, delta, A, B, C, D, bias, z, saved, dy, dh } = inputs;
  const names = [u, delta, A, B, C, D, bias, z];
  const outputs = names.map((x) => output(call, x.shape));
  const before = output(call, dh.shape);
  backend.addon.scanBackward(
    ...selectiveInputs(call),
    ...[saved, dy, dh].map((x) => backend.floats(x)),
    ...outputs.map(([info, values]) => (sizeOf(info.shape) > 0 ? values : null)),
    before[1],
  );
  return [...outputs, before].map(([info]) => info);
};

/** Mamba-2's: u, B and C lie in the rows of xBC. See `ssdScan` in tensor/. */
function ssdInputs(call: KernelCall, xBC: Float32Array): (Float32Array | null)[] {
  const { inputs, attrs, backend } = call;
  const [B, L, width] = inputs.xBC.shape;
  const { headdim, ngroups, d_state } = attrs as Record<string, number>;
  const d_inner = width - 2 * ngroups * d_state;
  backend.addon.params.set([
    ...[B, L, d_inner, d_state, headdim, ngroups],
    ...[scanChunk(d_state), width, width, width],
  ]);
  return [
    xBC,
    backend.floats(inputs.dt),
    backend.floats(inputs.A),
    xBC.subarray(d_inner),
    xBC.subarray(d_inner + ngroups * d_state),
    maybe(call, 'D'),
    maybe(call, 'bias'),
    null,
    maybe(call, 'h'),
    maybe(call, 'starts'),
  ];
}

const ssdScan: NativeKernel = (call) => {
  const { inputs, attrs, backend } = call;
  const [B, L, width] = inputs.xBC.shape;
  const { headdim, ngroups, d_state } = attrs as Record<string, number>;
  const d_inner = width - 2 * ngroups * d_state;
  const [y, yValues] = output(call, [B, L, d_inner]);
  const [h, hValues] = output(call, [B, d_inner / headdim, headdim, d_state]);
  const [saved, savedValues] = output(call, [B, Math.ceil(L / scanChunk(d_state)), d_state, d_inner]);
  backend.addon.scanForward(...ssdInputs(call, backend.floats(inputs.xBC)), yValues, hValues, savedValues);
  return [y, h, saved];
};

const ssdScanGrad: NativeKernel = (call) => {
  const { inputs, attrs, backend } = call;
  const { xBC, dt, A, D, bias, saved, dy, dh } = inputs;
  const { ngroups, d_state } = attrs as Record<string, number>;
  const d_inner = xBC.shape[2] - 2 * ngroups * d_state;
  const [outX, outDt, outA, outD, outBias, outH] = [xBC, dt, A, D, bias, dh].map((x) =>
    output(call, x.shape),
  );
  const optional = ([info, values]: [TensorInfo, Float32Array]) => (sizeOf(info.shape) > 0 ? values : null);
  backend.addon.scanBackward(
    ...ssdInputs(call, backend.floats(xBC)),
    ...[saved, dy, dh].map((x) => backend.floats(x)),
    outX[1],
    outDt[1],
    outA[1],
    outX[1].subarray(d_inner),
    outX[1].subarray(d_inner + ngroups * d_state),
    optional(outD),
    optional(outBias),
    null,
    outH[1],
  );
  return [outX, outDt, outA, outD, outBias, outH].map(([info]) => info);
};

/** The scans of Mamba-1 and Mamba-2 and their gradients. */
export const scanKernels: NativeKernels = {
  SelectiveScan: selectiveScan,
  SelectiveScanGrad: selectiveScanGrad,
  SsdScan: ssdScan,
  SsdScanGrad: ssdScanGrad,
};
