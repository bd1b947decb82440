import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs';
import type { TF } from './engine';

/*
 * Replacements for kernels of tfjs's WebAssembly backend (4.22) that waste most of a training step:
 *   BatchMatMul  only plain A B without batch reaches the fast code (XNNPACK); the rest is a scalar loop 20 times slower
 *   Identity     copies, and autodiff calls it for every tensor that it saves; Cast to the type it has, likewise
 *   Slice, Split copy their whole input first
 *   Sum, Transpose over leading or middle axes go through an element-wise walk
 * They work on the backend's own memory in place: a typed array over the WebAssembly heap is as fast as any other.
 */

/** What is used of tfjs's BackendWasm. */
interface WasmBackend {
  wasm: {
    tfjs: { registerTensor(id: number, size: number, offset: number): void; disposeData(id: number): void };
  };
  dataIdMap: {
    get(dataId: object): { id: number; memoryOffset: number };
    set(dataId: object, data: object): void;
    delete(dataId: object): boolean;
  };
  dataIdNextNumber: number;
  incRef(dataId: object): void;
  makeOutput(shape: number[], dtype: string): TensorInfo;
  /** Valid until the next makeOutput, which may move the heap. */
  typedArrayFromHeap(info: TensorInfo): Float32Array;
  disposeData(dataId: object): boolean;
}

type Call = { inputs: Record<string, TensorInfo>; attrs: Record<string, never>; backend: WasmBackend };
type Kernel = (call: Call) => TensorInfo | TensorInfo[];

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Installs the replacements in the wasm backend. Kernels they do not speed up are called as they were. */
export function replaceWasmKernels(tf: TF): void {
  const replace = (name: string, make: (original: Kernel) => Kernel) => {
    const config = tf.getKernel(name, 'wasm');
    tf.unregisterKernel(name, 'wasm');
    const kernelFunc = make(config.kernelFunc as unknown as Kernel) as unknown as KernelFunc;
    // Its setup has run with the backend's start; without it a second start would not reach the original.
    tf.registerKernel({ ...config, kernelFunc });
  };
  replace(
    'Identity',
    (original) => (call) => (call.inputs.x.dtype === 'string' ? original(call) : alias(call)),
  );
  replace(
    'Slice',
    (original) => (call) => (call.inputs.x.dtype === 'float32' ? slice(tf, call) : original(call)),
  );
  replace(
    'SplitV',
    (original) => (call) => (call.inputs.x.dtype === 'float32' ? split(tf, call) : original(call)),
  );
  replace('Sum', (original) => (call) => sum(tf, call) ?? original(call));
  replace('Transpose', (original) => (call) => transpose(call) ?? original(call));
  replace('BatchMatMul', (original) => (call) => matMul(call, original) ?? original(call));
}

/** The same data under a second name. */
function alias({ inputs: { x }, backend }: Call): TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}

function slice(tf: TF, { inputs: { x }, attrs, backend }: Call): TensorInfo {
  const { begin, size: want } = attrs as unknown as { begin: number[]; size: number[] };
  const [from, shape] = tf.slice_util.parseSliceParams(x as never, begin, want);
  return cut(x, from, shape, backend);
}

function split(tf: TF, { inputs: { x }, attrs, backend }: Call): TensorInfo[] {
  const { numOrSizeSplits, axis } = attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const at = tf.util.parseAxisParam(axis, x.shape)[0];
  const begin = x.shape.map(() => 0);
  return tf.backend_util.prepareSplitSize(x as never, numOrSizeSplits, at).map((n) => {
    const part = cut(x, begin.slice(), Object.assign(x.shape.slice(), { [at]: n }), backend);
    begin[at] += n;
    return part;
  });
}

/** A box of x, copied run by run: the axes after the last one that is cut are contiguous. */
function cut(x: TensorInfo, begin: number[], shape: number[], backend: WasmBackend): TensorInfo {
  const out = backend.makeOutput(shape, x.dtype);
  const from = backend.typedArrayFromHeap(x);
  const to = backend.typedArrayFromHeap(out);
  let inner = x.shape.length - 1; // the last axis that is cut
  while (inner > 0 && shape[inner] === x.shape[inner]) inner--;
  const unit = size(x.shape.slice(inner + 1));
  const run = (shape[inner] ?? 1) * unit;
  const index = shape.slice(0, Math.max(0, inner)).map(() => 0);
  for (let done = 0; done < to.length; done += run) {
    let at = 0;
    for (let axis = 0; axis < index.length; axis++) at = (at + begin[axis] + index[axis]) * x.shape[axis + 1];
    at = (at + (begin[inner] ?? 0)) * unit;
    if (run > 256) to.set(from.subarray(at, at + run), done);
    else for (let i = 0; i < run; i++) to[done + i] = from[at + i];
    for (let axis = index.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}

/** Sums over neighbouring axes that are not the last ones, row after row. */
function sum(tf: TF, { inputs: { x }, attrs, backend }: Call): TensorInfo | undefined {
  const { axis, keepDims } = attrs as unknown as { axis: number | number[]; keepDims?: boolean };
  const axes = tf.util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
  const last = axes[axes.length - 1];
  const inner = size(x.shape.slice(last + 1));
  const together = axes.every((a, i) => a === axes[0] + i);
  if (x.dtype !== 'float32' || inner === 1 || !together || size(x.shape) === 0) return undefined;
  const outer = size(x.shape.slice(0, axes[0]));
  const rows = size(x.shape.slice(axes[0], last + 1));
  const kept = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const out = backend.makeOutput(keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i)), 'float32');
  const from = backend.typedArrayFromHeap(x);
  const to = backend.typedArrayFromHeap(out);
  const total = new Float64Array(inner);
  for (let o = 0; o < outer; o++) {
    total.fill(0);
    let at = o * rows * inner;
    let r = 0;
    for (; r + 4 <= rows; r += 4, at += 4 * inner) {
      const [at1, at2, at3] = [at + inner, at + 2 * inner, at + 3 * inner];
      for (let i = 0; i < inner; i++)
        total[i] += from[at + i] + from[at1 + i] + from[at2 + i] + from[at3 + i];
    }
    for (; r < rows; r++, at += inner) for (let i = 0; i < inner; i++) total[i] += from[at + i];
    to.set(total, o * inner);
  }
  return out;
}

/** Transposes that keep the last axis in place, or swap the last two. */
function transpose({ inputs: { x }, attrs, backend }: Call): TensorInfo | undefined {
  const { perm } = attrs as unknown as { perm: number[] };
  const rank = perm.length;
  if (x.dtype !== 'float32' || rank < 2) return undefined;
  const shape = perm.map((axis) => x.shape[axis]);
  const swaps = perm.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
  if (swaps) return swapLast(x, backend, shape);
  let fixed = 0; // axes at the end that stay
  while (fixed < rank && perm[rank - 1 - fixed] === rank - 1 - fixed) fixed++;
  if (fixed === 0 || fixed === rank) return undefined;
  const run = size(x.shape.slice(rank - fixed));
  if (run < 8) return undefined;
  const out = backend.makeOutput(shape, 'float32');
  const from = backend.typedArrayFromHeap(x);
  const to = backend.typedArrayFromHeap(out);
  const strides = perm.slice(0, rank - fixed).map((axis) => size(x.shape.slice(axis + 1)));
  const index = strides.map(() => 0);
  let at = 0;
  for (let done = 0; done < to.length; done += run) {
    if (run > 256) to.set(from.subarray(at, at + run), done);
    else for (let i = 0; i < run; i++) to[done + i] = from[at + i];
    for (let axis = index.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

/** [..., R, C] to [..., C, R], in blocks that stay in the cache. */
function swapLast(x: TensorInfo, backend: WasmBackend, shape: number[]): TensorInfo {
  const [R, C] = x.shape.slice(-2);
  const out = backend.makeOutput(shape, 'float32');
  const from = backend.typedArrayFromHeap(x);
  const to = backend.typedArrayFromHeap(out);
  for (let base = 0; base < to.length; base += R * C) {
    for (let r0 = 0; r0 < R; r0 += 16) {
      const r1 = Math.min(R, r0 + 16);
      for (let c = 0; c < C; c++) {
        const at = base + c * R;
        for (let r = r0; r < r1; r++) to[at + r] = from[base + r * C + c];
      }
    }
  }
  return out;
}

/**
 * Every product as plain products: transposed operands are transposed first, batches go one by one as views.
 * With A B^T = (B A^T)^T and its like, whichever needs fewer elements moved is computed.
 */
function matMul({ inputs: { a, b }, attrs, backend }: Call, original: Kernel): TensorInfo | undefined {
  const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  const [a0, a1] = a.shape.slice(-2);
  const [b0, b1] = b.shape.slice(-2);
  const [M, K, N] = transposeA ? [a1, a0, transposeB ? b0 : b1] : [a0, a1, transposeB ? b0 : b1];
  const [batchA, batchB] = [a, b].map(({ shape }) => size(shape.slice(0, -2)));
  if (M * N * K === 0 || K !== (transposeB ? b1 : b0)) return undefined;
  if (batchA !== batchB && batchA !== 1 && batchB !== 1) return undefined;
  const batch = Math.max(batchA, batchB);
  const outer = (batchA >= batchB ? a : b).shape.slice(0, -2);
  const flip = (info: TensorInfo) =>
    swapLast(info, backend, [
      ...info.shape.slice(0, -2),
      info.shape[info.shape.length - 1],
      info.shape[info.shape.length - 2],
    ]);
  const free = (info: TensorInfo, kept: TensorInfo) =>
    info.dataId !== kept.dataId && backend.disposeData(info.dataId);

  const straight = (transposeA ? M * K : 0) + (transposeB ? N * K : 0);
  const mirrored = (transposeA ? 0 : M * K) + (transposeB ? 0 : N * K) + M * N;
  if (mirrored < straight) {
    const left = transposeB ? b : flip(b); // [N, K]
    const right = transposeA ? a : flip(a); // [K, M]
    const product = plain(
      left,
      right,
      [N, K, M],
      [batchB, batchA, batch],
      [...outer, N, M],
      backend,
      original,
    );
    free(left, b);
    free(right, a);
    const out = flip(product);
    backend.disposeData(product.dataId);
    return out;
  }
  const left = transposeA ? flip(a) : a;
  const right = transposeB ? flip(b) : b;
  const out = plain(left, right, [M, K, N], [batchA, batchB, batch], [...outer, M, N], backend, original);
  free(left, a);
  free(right, b);
  return out;
}

function plain(
  a: TensorInfo,
  b: TensorInfo,
  [M, K, N]: number[],
  [batchA, batchB, batch]: number[],
  shape: number[],
  backend: WasmBackend,
  original: Kernel,
): TensorInfo {
  const attrs = { transposeA: false, transposeB: false } as never;
  if (batchB === 1) {
    // One right side for all: the rows of all left sides are one matrix.
    const rows = { dataId: a.dataId, shape: [batchA * M, K], dtype: a.dtype };
    const right = { dataId: b.dataId, shape: [K, N], dtype: b.dtype };
    const out = original({ inputs: { a: rows, b: right }, attrs, backend }) as TensorInfo;
    return { dataId: out.dataId, shape, dtype: out.dtype };
  }
  const out = backend.makeOutput(shape, 'float32');
  for (let i = 0; i < batch; i++) {
    const left = view(backend, a, batchA === 1 ? 0 : i, [M, K]);
    const right = view(backend, b, i, [K, N]);
    const target = view(backend, out, i, [M, N]);
    const part = original({
      inputs: { a: left, b: right },
      attrs,
      backend: into(backend, target),
    }) as TensorInfo;
    for (const info of [left, right, part]) forget(backend, info);
  }
  return out;
}

/** The i-th matrix of a batch under an id of its own, without memory of its own: release with {@link forget}. */
function view(backend: WasmBackend, info: TensorInfo, i: number, shape: number[]): TensorInfo {
  const id = backend.dataIdNextNumber++;
  const dataId = { id };
  const memoryOffset = backend.dataIdMap.get(info.dataId).memoryOffset + 4 * i * size(shape);
  backend.dataIdMap.set(dataId, { id, memoryOffset, shape, dtype: 'float32', refCount: 1 });
  backend.wasm.tfjs.registerTensor(id, size(shape), memoryOffset);
  return { dataId, shape, dtype: 'float32' };
}

function forget(backend: WasmBackend, { dataId }: TensorInfo): void {
  backend.wasm.tfjs.disposeData(backend.dataIdMap.get(dataId).id);
  backend.dataIdMap.delete(dataId);
}

/** The backend, except that the next output is `target`. */
function into(backend: WasmBackend, target: TensorInfo): WasmBackend {
  return Object.create(backend, {
    makeOutput: { value: () => target },
    // The original writes counters through its own `this`; keep them on the real backend.
    dataIdNextNumber: {
      get: () => backend.dataIdNextNumber,
      set: (n: number) => (backend.dataIdNextNumber = n),
    },
  }) as WasmBackend;
}
