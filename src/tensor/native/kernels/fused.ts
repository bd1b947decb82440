import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf, type KernelCall, type NativeKernel, type NativeKernels } from '../kernel';

/** A fresh float32 tensor and its values. */
function output({ backend }: KernelCall, shape: number[]): [TensorInfo, Float32Array] {
  const values = backend.alloc('float32', sizeOf(shape));
  return [backend.makeTensorInfo(shape, 'float32', values), values];
}

/** The array of an optional input: null where its tensor holds nothing. */
function maybe({ inputs, backend }: KernelCall, name: string): Float32Array | null {
  return sizeOf(inputs[name].shape) > 0 ? backend.floats(inputs[name]) : null;
}

/** Rows and columns of x as `params`, with the number of groups of a row. */
function setRows({ backend, attrs }: KernelCall, x: TensorInfo): [rows: number, groups: number] {
  const columns = x.shape[x.shape.length - 1];
  const rows = sizeOf(x.shape.slice(0, -1));
  const groups = (attrs['groups'] as number | undefined) ?? 1;
  backend.addon.params.set([rows, columns, groups]);
  return [rows, groups];
}

/** {x, y, weight} -> x + y, its RMSNorm, scale [rows]. */
const residualRmsNorm: NativeKernel = (call) => {
  const { inputs, attrs, backend } = call;
  const { x, y, weight } = inputs;
  const [rows] = setRows(call, x);
  const [sum, normed, scale] = [x.shape, x.shape, [rows]].map((shape) => output(call, shape));
  const [from, add, by] = [x, y, weight].map((info) => backend.floats(info));
  backend.addon.normForward(attrs['epsilon'] as number, from, add, null, by, sum[1], normed[1], scale[1]);
  return [sum[0], normed[0], scale[0]];
};

/** {dSum, dy, sum, scale, weight} -> dx, which is dy's too, and dWeight. */
const residualRmsNormGrad: NativeKernel = (call) => {
  const { inputs, backend } = call;
  setRows(call, inputs.sum);
  const [dx, dWeight] = [inputs.sum.shape, inputs.weight.shape].map((shape) => output(call, shape));
  const [sum, weight, scale, dy, dSum] = ['sum', 'weight', 'scale', 'dy', 'dSum'].map((name) =>
    backend.floats(inputs[name]),
  );
  backend.addon.normBackward(sum, null, weight, scale, dy, dSum, dx[1], null, dWeight[1]);
  return [dx[0], dWeight[0]];
};

/** {x, gate, weight} -> y, scale [rows, groups]. */
const gatedRmsNorm: NativeKernel = (call) => {
  const { inputs, attrs, backend } = call;
  const [rows, groups] = setRows(call, inputs.x);
  const [y, scale] = [inputs.x.shape, [rows, groups]].map((shape) => output(call, shape));
  const [x, weight] = [inputs.x, inputs.weight].map((info) => backend.floats(info));
  const gate = maybe(call, 'gate');
  backend.addon.normForward(attrs['epsilon'] as number, x, null, gate, weight, null, y[1], scale[1]);
  return [y[0], scale[0]];
};

/** {dy, x, gate, weight, scale} -> dx, dWeight and, with a gate, dGate. */
const gatedRmsNormGrad: NativeKernel = (call) => {
  const { inputs, backend } = call;
  setRows(call, inputs.x);
  const gate = maybe(call, 'gate');
  const [dx, dWeight] = [inputs.x, inputs.weight].map(({ shape }) => output(call, shape));
  const dGate = gate && output(call, inputs.gate.shape);
  const [x, weight, scale, dy] = ['x', 'weight', 'scale', 'dy'].map((name) => backend.floats(inputs[name]));
  backend.addon.normBackward(x, gate, weight, scale, dy, null, dx[1], dGate && dGate[1], dWeight[1]);
  return [dx[0], dWeight[0], ...(dGate ? [dGate[0]] : [])];
};

/** x, weight, bias, before, starts of the causal convolution; sizes in `params`. */
function causalInputs(call: KernelCall): (Float32Array | null)[] {
  const { inputs, backend } = call;
  const K = inputs.weight.shape[2];
  backend.addon.params.set([...inputs.x.shape, K]);
  const needed = [inputs.x, inputs.weight, inputs.bias].map((info) => backend.floats(info));
  return [...needed, maybe(call, 'before'), maybe(call, 'starts')];
}

/** {x [B, L, C], weight [C, 1, K], bias, before, starts} -> y, state [B, K-1, C]. */
const causalConvSilu: NativeKernel = (call) => {
  const { x, weight } = call.inputs;
  const [B, , C] = x.shape;
  const [y, state] = [x.shape, [B, weight.shape[2] - 1, C]].map((shape) => output(call, shape));
  call.backend.addon.causalSilu(...causalInputs(call), y[1], state[1]);
  return [y[0], state[0]];
};

/** {dy, dState, x, weight, bias, before, starts} -> dx, dWeight, dBias and, where `before` is given, dBefore. */
const causalConvSiluGrad: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const { x, weight, bias, before, dy, dState } = inputs;
  const outputs = [x, weight, bias].map(({ shape }) => output(call, shape));
  const dBefore = sizeOf(before.shape) > 0 ? output(call, before.shape) : undefined;
  backend.addon.causalSiluGrad(
    ...causalInputs(call),
    ...[dy, dState].map((info) => backend.floats(info)),
    ...outputs.map(([, values]) => values),
    dBefore ? dBefore[1] : null,
  );
  return [...outputs, ...(dBefore ? [dBefore] : [])].map(([info]) => info);
};

function lossInputs({ inputs, backend }: KernelCall): [Float32Array, Int32Array, Float32Array] {
  const { logits, targets, mask } = inputs;
  backend.addon.params.set([sizeOf(targets.shape), logits.shape[logits.shape.length - 1]]);
  return [backend.floats(logits), backend.ints(targets), backend.floats(mask)];
}

/** {logits, targets, mask} -> loss, stats [rows, 2]. */
const tokenLoss: NativeKernel = (call) => {
  const [loss, stats] = [[], [sizeOf(call.inputs.targets.shape), 2]].map((shape) => output(call, shape));
  call.backend.addon.tokenLoss(...lossInputs(call), loss[1], stats[1]);
  return [loss[0], stats[0]];
};

/** {dy, logits, targets, mask, stats} -> gradient of the logits. */
const tokenLossGrad: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const [dx, values] = output(call, inputs.logits.shape);
  const [stats, dy] = [inputs.stats, inputs.dy].map((info) => backend.floats(info));
  backend.addon.tokenLossGrad(...lossInputs(call), stats, dy, values);
  return dx;
};

/** {table [V, D], ids} -> rows [..., D]. */
const embedding: NativeKernel = (call) => {
  const { table, ids } = call.inputs;
  const [V, D] = table.shape;
  const [rows, values] = output(call, [...ids.shape, D]);
  const { backend } = call;
  backend.addon.gather(backend.floats(table), backend.ints(ids), values, 1, 1, V, D);
  return rows;
};

/** {dy [..., D], ids} -> gradient of the table, attribute `rows` its first dimension. */
const embeddingGrad: NativeKernel = (call) => {
  const { inputs, attrs, backend } = call;
  const { dy, ids } = inputs;
  const V = attrs['rows'] as number;
  const D = dy.shape[dy.shape.length - 1];
  const [sum, values] = output(call, [V, D]);
  backend.addon.segmentSum(backend.ints(ids), backend.floats(dy), values, sizeOf(ids.shape), D, V);
  return sum;
};

/** Kernels that tfjs does not have: the fused steps of a Mamba block and of its loss. */
export const fusedKernels: NativeKernels = {
  ResidualRmsNorm: residualRmsNorm,
  ResidualRmsNormGrad: residualRmsNormGrad,
  GatedRmsNorm: gatedRmsNorm,
  GatedRmsNormGrad: gatedRmsNormGrad,
  CausalConvSilu: causalConvSilu,
  CausalConvSiluGrad: causalConvSiluGrad,
  TokenLoss: tokenLoss,
  TokenLossGrad: tokenLossGrad,
  Embedding: embedding,
  EmbeddingGrad: embeddingGrad,
};
