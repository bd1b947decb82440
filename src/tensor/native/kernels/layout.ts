import { backend_util, slice_util } from '@tensorflow/tfjs-core';
import { CAST, type Values } from '../addon';
import type { NativeBackend } from '../backend';
import {
  alias,
  broadcastStrides,
  normalAxes,
  rowMajorStrides,
  sizeOf,
  writeBox,
  type NativeKernel,
  type NativeKernels,
  type TensorInfo,
} from '../kernel';

function plain(x: TensorInfo): boolean {
  return x.dtype === 'float32' || x.dtype === 'int32' || x.dtype === 'bool';
}

/** out[outOffset + i . outStrides] = x[xOffset + i . xStrides] over the box `shape`; false above eight dimensions. */
function copy(
  backend: NativeBackend,
  shape: number[],
  x: Values,
  xOffset: number,
  xStrides: number[],
  out: Values,
  outOffset: number,
  outStrides: number[],
): boolean {
  if (!writeBox(backend.addon.params, shape, xStrides, outStrides)) return false;
  backend.addon.stridedCopy(x, xOffset, out, outOffset);
  return true;
}

/** A fresh tensor of `shape` read from x through strides; undefined above eight dimensions. */
function gathered(
  backend: NativeBackend,
  x: TensorInfo,
  shape: number[],
  offset: number,
  strides: number[],
): TensorInfo | undefined {
  const out = backend.alloc(x.dtype, sizeOf(shape));
  if (
    out.length > 0 &&
    !copy(backend, shape, backend.typed(x), offset, strides, out, 0, rowMajorStrides(shape))
  ) {
    backend.release(out);
    return undefined;
  }
  return backend.makeTensorInfo(shape, x.dtype, out);
}

/** x repeated to `shape`, written out. */
export function broadcastTo(backend: NativeBackend, x: TensorInfo, shape: number[]): TensorInfo {
  const out = gathered(backend, x, shape, 0, broadcastStrides(x.shape, shape));
  if (!out) throw new Error('broadcast of more than eight dimensions');
  return out;
}

const reshape: NativeKernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x'];
  const shape = attrs['shape'] as number[];
  const n = sizeOf(x.shape);
  const open = shape.indexOf(-1);
  const known = shape.reduce((p, s) => (s === -1 ? p : p * s), 1);
  const out = open < 0 ? shape.slice() : shape.map((s) => (s === -1 ? n / known : s));
  if (x.dtype === 'complex64' || sizeOf(out) !== n || out.some((s) => !Number.isInteger(s))) return undefined;
  return alias(backend, x, out);
};

const identity: NativeKernel = ({ inputs: { x }, backend }) => alias(backend, x, x.shape);

/** The box [begin, begin + size) of x: a view where it is contiguous, else a copy. */
export function slice(
  backend: NativeBackend,
  x: TensorInfo,
  begin: number[],
  size: number[],
): TensorInfo | undefined {
  const strides = rowMajorStrides(x.shape);
  let offset = 0;
  for (let d = 0; d < begin.length; d++) offset += begin[d] * strides[d];
  if (slice_util.isSliceContinous(x.shape, begin, size)) {
    const values = (backend.data.get(x.dataId) as { values: unknown }).values;
    if (ArrayBuffer.isView(values))
      return backend.makeTensorInfo(
        size,
        x.dtype,
        (values as Values).subarray(offset, offset + sizeOf(size)),
      );
  }
  return gathered(backend, x, size, offset, strides);
}

const sliceKernel: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  if (!plain(x)) return undefined;
  const [begin, size] = slice_util.parseSliceParams(x as never, attrs['begin'], attrs['size']);
  slice_util.assertParamsValid(x as never, begin, size);
  return slice(backend, x, begin, size);
};

const splitV: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  if (!plain(x)) return undefined;
  const axis = normalAxes(attrs['axis'], x.shape.length)[0];
  const sizes = backend_util.prepareSplitSize(x as never, attrs['numOrSizeSplits'], axis);
  const begin = new Array<number>(x.shape.length).fill(0);
  return sizes.map((s) => {
    const size = x.shape.slice();
    size[axis] = s;
    const part = slice(backend, x, begin, size);
    begin[axis] += s;
    if (!part) throw new Error('split of more than eight dimensions');
    return part;
  });
};

const concat: NativeKernel = ({ inputs, attrs, backend }) => {
  const all = inputs as unknown as TensorInfo[];
  const axis = normalAxes(attrs['axis'], all[0].shape.length)[0];
  const list = all.filter((t) => sizeOf(t.shape) > 0);
  const dtype = all[0].dtype;
  if (list.length < 2 || list.some((t) => !plain(t) || t.dtype !== dtype)) return undefined;
  const shape = list[0].shape.slice();
  shape[axis] = 0;
  for (const t of list) {
    if (t.shape.length !== shape.length || t.shape.some((s, d) => d !== axis && s !== list[0].shape[d]))
      throw new Error(
        `Error in concat${shape.length}D: shapes ${all.map((x) => `[${x.shape}]`).join(', ')} along axis ${axis}`,
      );
    shape[axis] += t.shape[axis];
  }
  const out = backend.alloc(dtype, sizeOf(shape));
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const row = inner * shape[axis];
  let at = 0;
  for (const t of list) {
    const run = inner * t.shape[axis];
    copy(backend, [outer, run], backend.typed(t), 0, [run, 1], out, at, [row, 1]);
    at += run;
  }
  return backend.makeTensorInfo(shape, dtype, out);
};

const pack: NativeKernel = ({ inputs, attrs, backend }) => {
  const list = inputs as unknown as TensorInfo[];
  const first = list[0];
  const axis = normalAxes(attrs['axis'], first.shape.length + 1)[0];
  const n = sizeOf(first.shape);
  if (
    n === 0 ||
    list.some((t) => !plain(t) || t.dtype !== first.dtype || t.shape.join() !== first.shape.join())
  )
    return undefined;
  const shape = [...first.shape.slice(0, axis), list.length, ...first.shape.slice(axis)];
  const outer = sizeOf(first.shape.slice(0, axis));
  const run = n / outer;
  const out = backend.alloc(first.dtype, n * list.length);
  list.forEach((t, i) =>
    copy(backend, [outer, run], backend.typed(t), 0, [run, 1], out, i * run, [run * list.length, 1]),
  );
  return backend.makeTensorInfo(shape, first.dtype, out);
};

const unpack: NativeKernel = ({ inputs: { value }, attrs, backend }) => {
  if (!plain(value)) return undefined;
  const axis = normalAxes(attrs['axis'], value.shape.length)[0];
  const shape = value.shape.filter((_, d) => d !== axis);
  const strides = rowMajorStrides(value.shape);
  const rest = strides.filter((_, d) => d !== axis);
  const parts: TensorInfo[] = [];
  for (let i = 0; i < value.shape[axis]; i++) {
    const part = gathered(backend, value, shape, i * strides[axis], rest);
    if (!part) return undefined;
    parts.push(part);
  }
  return parts;
};

const transpose: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  if (!plain(x)) return undefined;
  const perm = (attrs['perm'] as number[] | undefined) ?? x.shape.map((_, d) => x.shape.length - 1 - d);
  return runTranspose(backend, x, perm);
};

export function runTranspose(backend: NativeBackend, x: TensorInfo, perm: number[]): TensorInfo | undefined {
  if (
    new Set(perm).size !== x.shape.length ||
    perm.length !== x.shape.length ||
    perm.some((d) => !(d in x.shape))
  )
    throw new Error(`Error in transpose: [${perm}] is no permutation of the dimensions of [${x.shape}]`);
  const shape = perm.map((d) => x.shape[d]);
  const strides = rowMajorStrides(x.shape);
  const order = perm.filter((d) => x.shape[d] !== 1);
  if (order.every((d, i) => i === 0 || d > order[i - 1])) return alias(backend, x, shape); // only ones have moved
  const size = sizeOf(shape);
  if (x.dtype !== 'bool' && size > 0) {
    // Joined dimensions: [..., rows, columns] -> [..., columns, rows] goes through registers.
    const groups: number[][] = [];
    for (const d of order) {
      const last = groups[groups.length - 1];
      if (last && nextKept(x.shape, last[last.length - 1]) === d) last.push(d);
      else groups.push([d]);
    }
    const dims = groups.map((g) => g.reduce((p, d) => p * x.shape[d], 1));
    const before = groups.map((g) => g[0]);
    const batchFirst = groups.length === 3 && before[0] < before[2] && before[2] < before[1];
    if (groups.length === 2 || batchFirst) {
      const [columns, rows] = dims.slice(-2);
      const batch = batchFirst ? dims[0] : 1;
      const out = backend.alloc(x.dtype, size);
      backend.addon.transpose2d(backend.typed(x), out, batch, rows, columns);
      return backend.makeTensorInfo(shape, x.dtype, out);
    }
  }
  return gathered(
    backend,
    x,
    shape,
    0,
    perm.map((d) => strides[d]),
  );
}

/** The next dimension after d that is not of size 1. */
function nextKept(shape: number[], d: number): number {
  let next = d + 1;
  while (next < shape.length && shape[next] === 1) next++;
  return next;
}

const padV2: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  const paddings = attrs['paddings'] as [number, number][];
  const value = attrs['constantValue'] as number;
  if (x.dtype !== 'float32' && x.dtype !== 'int32') return undefined;
  const shape = x.shape.map((s, d) => s + paddings[d][0] + paddings[d][1]);
  const out = backend.alloc(x.dtype, sizeOf(shape));
  if (out instanceof Float32Array) backend.addon.fill(out, value);
  else out.fill(value);
  const strides = rowMajorStrides(shape);
  const offset = strides.reduce((o, s, d) => o + s * paddings[d][0], 0);
  if (sizeOf(x.shape) > 0)
    if (!copy(backend, x.shape, backend.typed(x), 0, rowMajorStrides(x.shape), out, offset, strides)) {
      backend.release(out);
      return undefined;
    }
  return backend.makeTensorInfo(shape, x.dtype, out);
};

const tile: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  if (!plain(x)) return undefined;
  const reps = attrs['reps'] as number[];
  if (reps.length !== x.shape.length) return undefined;
  const strides = rowMajorStrides(x.shape);
  const box = x.shape.flatMap((s, d) => [reps[d], s]);
  const from = strides.flatMap((s) => [0, s]);
  const flat = gathered(backend, x, box, 0, from);
  return flat && { ...flat, shape: x.shape.map((s, d) => s * reps[d]) };
};

const stridedSlice: NativeKernel = ({ inputs: { x }, attrs: a, backend }) => {
  if (!plain(x)) return undefined;
  const info = slice_util.sliceInfo(
    x.shape,
    a['begin'],
    a['end'],
    a['strides'],
    a['beginMask'],
    a['endMask'],
    a['ellipsisMask'],
    a['newAxisMask'],
    a['shrinkAxisMask'],
  );
  const { finalShapeSparse, finalShape, begin, end, strides } = info as unknown as Record<string, number[]>;
  const own = rowMajorStrides(x.shape);
  const shape = slice_util.computeOutShape(begin, end, strides);
  if (sizeOf(shape) !== sizeOf(finalShapeSparse)) return undefined;
  const offset = begin.reduce((o, b, d) => o + b * own[d], 0);
  const out = gathered(
    backend,
    x,
    shape,
    sizeOf(shape) > 0 ? offset : 0,
    own.map((s, d) => s * strides[d]),
  );
  return out && { ...out, shape: finalShape };
};

const reverse: NativeKernel = ({ inputs: { x }, attrs, backend }) => {
  if (!plain(x) || x.shape.length === 0) return undefined;
  const axes = normalAxes(attrs['dims'], x.shape.length);
  const strides = rowMajorStrides(x.shape);
  const offset = axes.reduce((o, d) => o + (x.shape[d] - 1) * strides[d], 0);
  return gathered(
    backend,
    x,
    x.shape,
    sizeOf(x.shape) > 0 ? offset : 0,
    strides.map((s, d) => (axes.includes(d) ? -s : s)),
  );
};

const expandDims: NativeKernel = ({ inputs: { input }, attrs, backend }) => {
  if (input.dtype === 'complex64') return undefined;
  const dim = attrs['dim'] as number;
  if (dim < -(input.shape.length + 1) || dim > input.shape.length) return undefined; // for tfjs's own message
  const at = dim < 0 ? dim + input.shape.length + 1 : dim;
  return alias(backend, input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
};

const oneHot: NativeKernel = ({ inputs: { indices }, attrs, backend }) => {
  const { depth, onValue, offValue, dtype } = attrs as {
    depth: number;
    onValue: number;
    offValue: number;
    dtype: string;
  };
  if (dtype !== 'float32' && dtype !== 'int32') return undefined;
  const ids = backend.ints(indices);
  const scratch = backend.alloc('float32', ids.length * depth);
  backend.addon.fill(scratch, offValue);
  for (let i = 0; i < ids.length; i++)
    if (ids[i] >= 0 && ids[i] < depth) scratch[i * depth + ids[i]] = onValue;
  const shape = [...indices.shape, depth];
  if (dtype === 'float32') return backend.makeTensorInfo(shape, 'float32', scratch);
  const out = backend.alloc('int32', scratch.length);
  backend.addon.cast(CAST.floatToInt, scratch, out);
  backend.release(scratch);
  return backend.makeTensorInfo(shape, 'int32', out);
};

export const layoutKernels: NativeKernels = {
  Reshape: reshape,
  Identity: identity,
  ExpandDims: expandDims,
  Slice: sliceKernel,
  SplitV: splitV,
  Concat: concat,
  Pack: pack,
  Unpack: unpack,
  Transpose: transpose,
  PadV2: padV2,
  Tile: tile,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  OneHot: oneHot,
};
