import { backend_util } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../backend';
import {
  alias,
  sizeOf,
  type KernelCall,
  type NativeKernel,
  type NativeKernels,
  type TensorInfo,
} from '../kernel';
import { BINARY } from '../addon';
import { runBinary } from './elementwise';
import { activations, biasAndActivation } from './matmul';

type Attrs = KernelCall['attrs'];
type Shape4 = [number, number, number, number];

const what = { forward: 0, inputGrad: 1, filterGrad: 2, depthwise: 3 };

/** tfjs's own arithmetic of sizes and padding; undefined for channels-first layouts. */
function convInfo(
  attrs: Attrs,
  xShape: number[],
  filterShape: number[],
  depthwise: boolean,
): backend_util.Conv2DInfo | undefined {
  if (attrs['dataFormat'] === 'NCHW' || xShape.length !== 4) return undefined;
  return backend_util.computeConv2DInfo(
    xShape as Shape4,
    filterShape as Shape4,
    attrs['strides'],
    attrs['dilations'] ?? 1,
    attrs['pad'],
    attrs['dimRoundingMode'],
    depthwise,
    'channelsLast',
  );
}

function writeConv(params: Int32Array, c: backend_util.Conv2DInfo): void {
  params.set([
    c.batchSize,
    c.inHeight,
    c.inWidth,
    c.inChannels,
    c.outHeight,
    c.outWidth,
    c.outChannels,
    c.filterHeight,
    c.filterWidth,
    c.strideHeight,
    c.strideWidth,
    c.dilationHeight,
    c.dilationWidth,
    c.padInfo.top,
    c.padInfo.left,
  ]);
}

function run(
  backend: NativeBackend,
  info: backend_util.Conv2DInfo,
  operation: number,
  a: TensorInfo,
  b: TensorInfo,
  shape: number[],
  bias?: TensorInfo,
): TensorInfo {
  const out = backend.alloc('float32', sizeOf(shape));
  const [x, y] = [backend.floats(a), backend.floats(b)];
  writeConv(backend.addon.params, info);
  if (x.length === 0 || y.length === 0) backend.addon.fill(out, 0);
  else if (out.length > 0) backend.addon.conv2d(operation, x, y, out, bias ? backend.floats(bias) : null);
  return backend.makeTensorInfo(shape, 'float32', out);
}

const floating = (...list: (TensorInfo | undefined)[]) => list.every((t) => !t || t.dtype === 'float32');

/** x where it is positive, alpha x elsewhere; alpha broadcasts. x is fresh and is disposed of. */
function prelu(backend: NativeBackend, x: TensorInfo, alpha: TensorInfo): TensorInfo {
  const zero = backend.makeTensorInfo([], 'float32', new Float32Array(1));
  const positive = runBinary(backend, BINARY.Maximum, x, zero) as TensorInfo;
  const negative = runBinary(backend, BINARY.Minimum, x, zero) as TensorInfo;
  const scaled = runBinary(backend, BINARY.Multiply, negative, alpha) as TensorInfo;
  const y = runBinary(backend, BINARY.Add, positive, scaled) as TensorInfo;
  for (const t of [x, zero, positive, negative, scaled]) backend.disposeIntermediateTensorInfo(t);
  return y;
}

function forward(depthwise: boolean): NativeKernel {
  return ({ inputs: { x, filter, bias, preluActivationWeights: alpha }, attrs, backend }) => {
    const activation = attrs['activation'] as string | undefined;
    if (!floating(x, filter, bias, alpha)) return undefined;
    const known = !activation || activation === 'linear' || activations[activation] !== undefined;
    if (!known && !(activation === 'prelu' && alpha && alpha.shape.length <= 4)) return undefined;
    const info = convInfo(attrs, x.shape, filter.shape, depthwise);
    if (!info) return undefined;
    const row = bias && bias.shape.length === 1 && bias.shape[0] === info.outChannels ? bias : undefined;
    const operation = depthwise ? what.depthwise : what.forward;
    const y = run(backend, info, operation, x, filter, info.outShape, row);
    const rest = row ? undefined : bias;
    if (activation === 'prelu')
      return prelu(backend, biasAndActivation(backend, y, rest, undefined, undefined), alpha);
    return biasAndActivation(backend, y, rest, activation, attrs['leakyreluAlpha'] as number | undefined);
  };
}

function inputGrad(depthwise: boolean): NativeKernel {
  return ({ inputs: { dy, filter }, attrs, backend }) => {
    const shape = attrs['inputShape'] as number[];
    const info = floating(dy, filter) && convInfo(attrs, shape, filter.shape, depthwise);
    if (!info || (depthwise && dilated(info)) || !sameShape(dy, info.outShape)) return undefined;
    const operation = what.inputGrad + (depthwise ? what.depthwise : 0);
    return run(backend, info, operation, dy, filter, info.inShape);
  };
}

function filterGrad(depthwise: boolean): NativeKernel {
  return ({ inputs: { x, dy }, attrs, backend }) => {
    const info = floating(x, dy) && convInfo(attrs, x.shape, attrs['filterShape'] as number[], depthwise);
    if (!info || (depthwise && dilated(info)) || !sameShape(dy, info.outShape)) return undefined;
    const operation = what.filterGrad + (depthwise ? what.depthwise : 0);
    return run(backend, info, operation, x, dy, info.filterShape);
  };
}

/** conv2dTranspose may be asked for an output that does not belong to its input; the cpu kernels have an answer then. */
function sameShape(x: TensorInfo, shape: number[]): boolean {
  return x.shape.length === shape.length && x.shape.every((s, d) => s === shape[d]);
}

/** tfjs defines no gradient for dilated depthwise convolutions; its cpu kernels answer for what they do then. */
function dilated(info: backend_util.Conv2DInfo): boolean {
  return info.dilationHeight > 1 || info.dilationWidth > 1;
}

function poolInfo(attrs: Attrs, shape: number[]): backend_util.Conv2DInfo {
  return backend_util.computePool2DInfo(
    shape as Shape4,
    attrs['filterSize'],
    attrs['strides'],
    1,
    attrs['pad'],
    attrs['dimRoundingMode'],
  );
}

function pool(max: boolean): NativeKernel {
  return ({ inputs: { x }, attrs, backend }) => {
    if (!floating(x) || x.shape.length !== 4) return undefined;
    const info = poolInfo(attrs, x.shape);
    if (info.filterWidth === 1 && info.filterHeight === 1 && info.inShape.join() === info.outShape.join())
      return alias(backend, x, x.shape);
    const out = backend.alloc('float32', sizeOf(info.outShape));
    writeConv(backend.addon.params, info);
    if (out.length > 0) backend.addon.pool(max ? 1 : 0, backend.floats(x), out);
    return backend.makeTensorInfo(info.outShape, 'float32', out);
  };
}

const avgPoolGrad: NativeKernel = ({ inputs: { dy, input }, attrs, backend }) => {
  if (!floating(dy, input)) return undefined;
  const info = poolInfo(attrs, input.shape);
  if (!sameShape(dy, info.outShape)) return undefined;
  const out = backend.alloc('float32', sizeOf(input.shape));
  const from = backend.floats(dy);
  writeConv(backend.addon.params, info);
  backend.addon.pool(2, from, out);
  return backend.makeTensorInfo(input.shape, 'float32', out);
};

const maxPoolGrad: NativeKernel = ({ inputs: { dy, input }, attrs, backend }) => {
  if (!floating(dy, input)) return undefined;
  const info = poolInfo(attrs, input.shape);
  if (!sameShape(dy, info.outShape)) return undefined;
  const out = backend.alloc('float32', sizeOf(input.shape));
  writeConv(backend.addon.params, info);
  backend.addon.pool(3, backend.floats(input), backend.floats(dy), out);
  return backend.makeTensorInfo(input.shape, 'float32', out);
};

export const convolutionKernels: NativeKernels = {
  Conv2D: forward(false),
  FusedConv2D: forward(false),
  Conv2DBackpropInput: inputGrad(false),
  Conv2DBackpropFilter: filterGrad(false),
  DepthwiseConv2dNative: forward(true),
  FusedDepthwiseConv2D: forward(true),
  DepthwiseConv2dNativeBackpropInput: inputGrad(true),
  DepthwiseConv2dNativeBackpropFilter: filterGrad(true),
  MaxPool: pool(true),
  AvgPool: pool(false),
  MaxPoolGrad: maxPoolGrad,
  AvgPoolGrad: avgPoolGrad,
};
