import type { DataType, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from './backend';

/** What a kernel is given, as tfjs hands it over. */
export interface KernelCall {
  inputs: Record<string, TensorInfo>;
  attrs: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
  backend: NativeBackend;
}

/** Answers undefined for inputs it does not cover: the cpu backend's kernel then runs. */
export type NativeKernel = (call: KernelCall) => TensorInfo | TensorInfo[] | undefined;

export type NativeKernels = Record<string, NativeKernel>;

export type { DataType, NamedAttrMap, TensorInfo };

export function sizeOf(shape: readonly number[]): number {
  let n = 1;
  for (let i = 0; i < shape.length; i++) n *= shape[i];
  return n;
}

/** The same values under another shape: no copy. */
export function alias(backend: NativeBackend, x: TensorInfo, shape: number[]): TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape, dtype: x.dtype };
}

/** Axes as sorted non-negative numbers without repeats; all of them for null. */
export function normalAxes(axis: number | number[] | null | undefined, rank: number): number[] {
  const list = axis === null || axis === undefined ? shapeRange(rank) : Array.isArray(axis) ? axis : [axis];
  const axes = list.map((a) => {
    if (!Number.isInteger(a) || a < -rank || a >= rank)
      throw new Error(`axis ${a} is not in [${-rank}, ${rank}) of a tensor of rank ${rank}`);
    return a < 0 ? a + rank : a;
  });
  return [...new Set(axes)].sort((a, b) => a - b);
}

function shapeRange(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Numbers of elements between neighbours along each dimension of a row-major array. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let s = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = s;
    s *= shape[d];
  }
  return strides;
}

export const maxRank = 8;

/**
 * Writes `[rank, shape, a, b]` to `params` after dropping dimensions of size 1 and joining neighbours that both arrays
 * walk through without a jump. False where more than {@link maxRank} dimensions remain.
 */
export function writeBox(
  params: Int32Array,
  shape: readonly number[],
  a: readonly number[],
  b: readonly number[],
): boolean {
  const s: number[] = [];
  const sa: number[] = [];
  const sb: number[] = [];
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = s.length - 1;
    if (last >= 0 && sa[last] === a[d] * shape[d] && sb[last] === b[d] * shape[d]) {
      s[last] *= shape[d];
      sa[last] = a[d];
      sb[last] = b[d];
    } else {
      s.push(shape[d]);
      sa.push(a[d]);
      sb.push(b[d]);
    }
  }
  const rank = s.length;
  if (rank > maxRank) return false;
  params[0] = rank;
  for (let d = 0; d < rank; d++) {
    params[1 + d] = s[d];
    params[1 + rank + d] = sa[d];
    params[1 + 2 * rank + d] = sb[d];
  }
  return true;
}

/** The common shape of two operands. @throws Error as tfjs words it. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const x = i <= a.length ? a[a.length - i] : 1;
    const y = i <= b.length ? b[b.length - i] : 1;
    if (x === y || y === 1) out[rank - i] = x;
    else if (x === 1) out[rank - i] = y;
    else throw new Error(`Operands could not be broadcast together with shapes ${a} and ${b}.`);
  }
  return out;
}

/** Strides of an operand inside a broadcast result: 0 along repeated dimensions. */
export function broadcastStrides(shape: readonly number[], out: readonly number[]): number[] {
  const strides = new Array<number>(out.length).fill(0);
  let s = 1;
  for (let i = 1; i <= shape.length; i++) {
    const size = shape[shape.length - i];
    strides[out.length - i] = size === 1 ? 0 : s;
    s *= size;
  }
  return strides;
}
