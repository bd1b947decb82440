import { REDUCE } from '../addon';
import type { NativeBackend } from '../backend';
import { alias, normalAxes, sizeOf, type NativeKernel, type NativeKernels, type TensorInfo } from '../kernel';

/**
 * Reduces x over `axes`, neighbouring axes at once, from the last group to the first. `scale` multiplies the result.
 * Returns a tensor of the remaining dimensions.
 */
export function runReduce(
  backend: NativeBackend,
  op: number,
  x: TensorInfo,
  axes: number[],
  scale = 1,
): { values: Float32Array; shape: number[] } {
  let shape = x.shape.slice();
  let values = backend.floats(x);
  let owned = false;
  // Dimensions of size 1 cost nothing and join what lies on both sides of them.
  const groups: [number, number][] = [];
  for (const axis of axes) {
    const last = groups[groups.length - 1];
    if (last && shape.slice(last[1], axis).every((s) => s === 1)) last[1] = axis + 1;
    else groups.push([axis, axis + 1]);
  }
  for (let g = groups.length - 1; g >= 0; g--) {
    const [from, to] = groups[g];
    const outer = sizeOf(shape.slice(0, from));
    const n = sizeOf(shape.slice(from, to));
    const inner = sizeOf(shape.slice(to));
    const out = backend.alloc('float32', outer * inner);
    backend.addon.reduce(op, values, out, outer, n, inner, g === 0 ? scale : 1);
    if (owned) backend.release(values);
    values = out;
    owned = true;
    shape = [...shape.slice(0, from), ...new Array<number>(to - from).fill(1), ...shape.slice(to)];
  }
  return { values, shape: shape.filter((_, d) => !axes.includes(d)) };
}

function reduction(op: number, axisName: string, mean = false): NativeKernel {
  return ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== 'float32') return undefined;
    const axes = normalAxes(attrs[axisName], x.shape.length);
    const kept = x.shape.map((s, d) => (axes.includes(d) ? 1 : s));
    const shape = attrs['keepDims'] ? kept : x.shape.filter((_, d) => !axes.includes(d));
    const n = axes.reduce((p, d) => p * x.shape[d], 1);
    if (axes.every((d) => x.shape[d] === 1) && x.shape.length > 0) return alias(backend, x, shape);
    if (axes.length === 0) return alias(backend, x, x.shape);
    const { values } = runReduce(backend, op, x, axes, mean ? 1 / n : 1);
    return backend.makeTensorInfo(shape, 'float32', values);
  };
}

function argReduction(max: number): NativeKernel {
  return ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== 'float32' || x.shape.length === 0) return undefined;
    const axis = normalAxes(attrs['axis'], x.shape.length)[0];
    if (x.shape[axis] === 0) return undefined;
    const shape = x.shape.filter((_, d) => d !== axis);
    const out = backend.alloc('int32', sizeOf(shape));
    const outer = sizeOf(x.shape.slice(0, axis));
    backend.addon.argReduce(
      max,
      backend.floats(x),
      out,
      outer,
      x.shape[axis],
      sizeOf(x.shape.slice(axis + 1)),
    );
    return backend.makeTensorInfo(shape, 'int32', out);
  };
}

function softmax(log: number, dimName: string): NativeKernel {
  return ({ inputs: { logits }, attrs, backend }) => {
    if (logits.dtype !== 'float32') return undefined;
    const rank = logits.shape.length;
    const axis = normalAxes(attrs[dimName], rank)[0];
    if (axis !== rank - 1) return undefined;
    const columns = logits.shape[axis];
    const n = sizeOf(logits.shape);
    const out = backend.alloc('float32', n);
    if (n > 0) backend.addon.softmax(log, backend.floats(logits), out, n / columns, columns);
    return backend.makeTensorInfo(logits.shape, 'float32', out);
  };
}

function cumulation(product: number): NativeKernel {
  return ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== 'float32' || x.shape.length === 0) return undefined;
    const axis = normalAxes(attrs['axis'], x.shape.length)[0];
    const out = backend.alloc('float32', sizeOf(x.shape));
    const flags = product | (attrs['exclusive'] ? 2 : 0) | (attrs['reverse'] ? 4 : 0);
    const outer = sizeOf(x.shape.slice(0, axis));
    const inner = sizeOf(x.shape.slice(axis + 1));
    if (out.length > 0) backend.addon.cumulate(flags, backend.floats(x), out, outer, x.shape[axis], inner);
    return backend.makeTensorInfo(x.shape, 'float32', out);
  };
}

const gatherV2: NativeKernel = ({ inputs: { x, indices }, attrs, backend }) => {
  if (x.dtype !== 'float32' && x.dtype !== 'int32') return undefined;
  const rank = x.shape.length;
  const axis = normalAxes(attrs['axis'], rank)[0];
  const asked = (attrs['batchDims'] as number | undefined) ?? 0;
  const batchDims = asked < 0 ? asked + indices.shape.length : asked;
  if (batchDims > axis) return undefined;
  const batch = sizeOf(x.shape.slice(0, batchDims));
  if (indices.shape.slice(0, batchDims).some((s, d) => s !== x.shape[d])) return undefined;
  const outer = sizeOf(x.shape.slice(batchDims, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  const shape = [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)];
  const out = backend.alloc(x.dtype, sizeOf(shape));
  if (sizeOf(indices.shape) > 0)
    backend.addon.gather(backend.typed(x), backend.ints(indices), out, batch, outer, x.shape[axis], inner);
  return backend.makeTensorInfo(shape, x.dtype, out);
};

const unsortedSegmentSum: NativeKernel = ({ inputs: { x, segmentIds }, attrs, backend }) => {
  if (x.dtype !== 'float32') return undefined;
  const segments = attrs['numSegments'] as number;
  const rows = sizeOf(segmentIds.shape);
  if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0]) return undefined;
  const shape = [segments, ...x.shape.slice(1)];
  const inner = sizeOf(x.shape.slice(1));
  const out = backend.alloc('float32', segments * inner);
  backend.addon.segmentSum(backend.ints(segmentIds), backend.floats(x), out, rows, inner, segments);
  return backend.makeTensorInfo(shape, 'float32', out);
};

export const reduceKernels: NativeKernels = {
  Sum: reduction(REDUCE.Sum, 'axis'),
  Mean: reduction(REDUCE.Sum, 'axis', true),
  Max: reduction(REDUCE.Max, 'reductionIndices'),
  Min: reduction(REDUCE.Min, 'axis'),
  Prod: reduction(REDUCE.Prod, 'axis'),
  ArgMax: argReduction(1),
  ArgMin: argReduction(0),
  Softmax: softmax(0, 'dim'),
  LogSoftmax: softmax(1, 'axis'),
  Cumsum: cumulation(0),
  Cumprod: cumulation(1),
  GatherV2: gatherV2,
  UnsortedSegmentSum: unsortedSegmentSum,
};
