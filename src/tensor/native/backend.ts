import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import {
  engine,
  type backend_util,
  type DataType,
  type TensorInfo,
  type Variable,
} from '@tensorflow/tfjs-core';
import { CAST, type Addon, type Values } from './addon';
import { sizeOf } from './kernel';

/** What a buffer of the pool is doing. */
interface Lease {
  /** Data ids whose values lie in it. */
  users: number;
}

/** State of the buffer pool, in bytes. */
export interface NativeMemory {
  /** In buffers that tensors use. */
  liveBytes: number;
  /** In buffers waiting to be used again. */
  freeBytes: number;
  /** Buffers handed out again instead of allocated. */
  reused: number;
  /** Buffers that left through `dataSync()`/`data()` and belong to the caller since. */
  escaped: number;
}

type DataId = object;
type Entry = { values: backend_util.BackendValues; dtype: DataType; refCount: number };

/**
 * The tfjs backend `native`. It is the cpu backend with other kernels registered over the hot ones and with buffers that
 * are used again: a fresh megabyte costs as much in page faults as the arithmetic done on it.
 *
 * Recycling counts users per ArrayBuffer, not per data id, because a contiguous slice is a view under its own data id.
 * Only buffers that {@link alloc} made return to the pool, and none that a caller has seen (`dataSync`, `data`).
 */
export class NativeBackend extends MathBackendCPU {
  private readonly leases = new WeakMap<ArrayBufferLike, Lease>();
  private readonly free = new Map<number, ArrayBuffer[]>();
  private freeBytes = 0;
  private liveBytes = 0;
  /** Largest `liveBytes` in this window of allocations and in the one before. */
  private peakNow = 0;
  private peakBefore = 0;
  private allocations = 0;
  private reused = 0;
  private escaped = 0;

  constructor(readonly addon: Addon) {
    super();
    (this as unknown as { firstUse: boolean }).firstUse = false; // the cpu backend's advertisement for tfjs-node
  }

  /** Buffers smaller than this are left to the garbage collector. */
  private static readonly smallest = 1024;
  /** Allocations after which an old peak of memory use is forgotten: several training steps. */
  private static readonly window = 20_000;

  private buffer(bytes: number): ArrayBuffer {
    const list = this.free.get(bytes);
    const old = list?.pop();
    let buffer: ArrayBuffer;
    if (old) {
      this.freeBytes -= bytes;
      this.reused++;
      buffer = old;
    } else {
      buffer = new ArrayBuffer(bytes);
    }
    this.leases.set(buffer, { users: 0 });
    this.liveBytes += bytes;
    if (this.liveBytes > this.peakNow) this.peakNow = this.liveBytes;
    if (++this.allocations % NativeBackend.window === 0) {
      this.peakBefore = this.peakNow;
      this.peakNow = this.liveBytes;
    }
    return buffer;
  }

  /** n elements with undefined contents, to be written by a kernel and then given to `makeTensorInfo` or {@link release}. */
  alloc(dtype: 'float32', n: number): Float32Array;
  alloc(dtype: 'int32', n: number): Int32Array;
  alloc(dtype: 'bool', n: number): Uint8Array;
  alloc(dtype: DataType, n: number): Values;
  alloc(dtype: DataType, n: number): Values {
    const bytes = dtype === 'bool' ? n : 4 * n;
    if (bytes < NativeBackend.smallest)
      return dtype === 'float32'
        ? new Float32Array(n)
        : dtype === 'int32'
          ? new Int32Array(n)
          : new Uint8Array(n);
    const buffer = this.buffer(bytes);
    return dtype === 'float32'
      ? new Float32Array(buffer)
      : dtype === 'int32'
        ? new Int32Array(buffer)
        : new Uint8Array(buffer);
  }

  /** Gives scratch memory from {@link alloc} back; does nothing for arrays that are not the pool's or are in use. */
  release(values: Values): void {
    const lease = this.leases.get(values.buffer);
    if (lease && lease.users === 0) this.recycle(values.buffer as ArrayBuffer);
  }

  private recycle(buffer: ArrayBuffer): void {
    const bytes = buffer.byteLength;
    this.leases.delete(buffer);
    this.liveBytes -= bytes;
    if (bytes === 0) return; // detached by its owner
    const list = this.free.get(bytes);
    if (list) {
      // Most recently used sizes stand last in the map, so that trimming takes the oldest.
      this.free.delete(bytes);
      this.free.set(bytes, list);
      list.push(buffer);
    } else {
      this.free.set(bytes, [buffer]);
    }
    this.freeBytes += bytes;
    // Sizes never match perfectly: half as much again as the largest recent need.
    const limit = 1.5 * Math.max(this.peakNow, this.peakBefore) + (64 << 20);
    if (this.freeBytes + this.liveBytes > limit) this.trim(0.8 * limit - this.liveBytes);
  }

  private trim(target: number): void {
    for (const [bytes, list] of this.free) {
      while (list.length > 0 && this.freeBytes > target) {
        list.pop();
        this.freeBytes -= bytes;
      }
      if (list.length === 0) this.free.delete(bytes);
      if (this.freeBytes <= target) break;
    }
  }

  private retain(values: unknown): void {
    if (!ArrayBuffer.isView(values)) return;
    const lease = this.leases.get(values.buffer);
    if (lease) lease.users++;
  }

  private drop(values: unknown): void {
    if (!ArrayBuffer.isView(values)) return;
    const lease = this.leases.get(values.buffer);
    if (lease && --lease.users === 0) this.recycle(values.buffer as ArrayBuffer);
  }

  /** The buffer now belongs to whoever asked for it. */
  private escape(values: unknown): void {
    if (!ArrayBuffer.isView(values) || !this.leases.has(values.buffer)) return;
    this.leases.delete(values.buffer);
    this.liveBytes -= values.buffer.byteLength;
    this.escaped++;
  }

  private entry(dataId: DataId): Entry | undefined {
    return this.data.has(dataId) ? (this.data.get(dataId) as Entry) : undefined;
  }

  override write(values: backend_util.BackendValues, shape: number[], dtype: DataType): DataId {
    const id = super.write(values, shape, dtype);
    this.retain(values);
    return id;
  }

  override move(
    dataId: DataId,
    values: backend_util.BackendValues,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    super.move(dataId, values, shape, dtype, refCount);
    this.retain(values);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const entry = this.entry(dataId);
    const gone = super.disposeData(dataId, force);
    if (gone && entry) this.drop(entry.values);
    return gone;
  }

  override readSync(dataId: DataId): backend_util.BackendValues {
    const values = super.readSync(dataId);
    this.escape(this.entry(dataId)?.values);
    return values;
  }

  /** The values of a tensor as float32, converted where a cast left integers in a float32 tensor. Not to be written. */
  floats(x: TensorInfo): Float32Array {
    const values = (this.data.get(x.dataId) as Entry).values;
    if (values instanceof Float32Array) return values;
    const out = this.alloc('float32', (values as ArrayLike<number>).length);
    if (values instanceof Int32Array) this.addon.cast(CAST.intToFloat, values, out);
    else if (values instanceof Uint8Array) this.addon.cast(CAST.byteToFloat, values as Uint8Array, out);
    else out.set(values as unknown as ArrayLike<number>);
    this.borrowed.push(out);
    return out;
  }

  /**
   * An array for the next values of a variable: its own buffer where nobody else can see it (no clone, no view, never
   * read by a caller, not a caller's array), else a fresh one. {@link store} makes it the variable's.
   */
  writable(x: TensorInfo): Float32Array {
    const { values, refCount } = this.data.get(x.dataId) as Entry;
    const own =
      values instanceof Float32Array && refCount === 1 && this.leases.get(values.buffer)?.users === 1;
    return own ? values : this.alloc('float32', sizeOf(x.shape));
  }

  /** Gives a variable new values: those of {@link writable}, or an array that is nobody else's. */
  store(variable: Variable, values: Float32Array): void {
    const entry = this.data.get(variable.dataId) as Entry;
    const old = entry.values;
    if (old === values) return;
    if (entry.refCount === 1) {
      entry.values = values;
      this.retain(values);
      this.drop(old);
      return;
    }
    const tensor = engine().makeTensorFromTensorInfo(this.makeTensorInfo(variable.shape, 'float32', values));
    variable.assign(tensor);
    tensor.dispose();
  }

  /** The values of a tensor as int32. Not to be written. */
  ints(x: TensorInfo): Int32Array {
    const values = (this.data.get(x.dataId) as Entry).values;
    if (values instanceof Int32Array) return values;
    const out = this.alloc('int32', (values as ArrayLike<number>).length);
    out.set(values as unknown as ArrayLike<number>);
    this.borrowed.push(out);
    return out;
  }

  /** The values of a bool tensor as bytes. Not to be written. */
  bools(x: TensorInfo): Uint8Array {
    const values = (this.data.get(x.dataId) as Entry).values;
    if (values instanceof Uint8Array) return values as Uint8Array;
    const out = this.alloc('bool', (values as ArrayLike<number>).length);
    out.set(values as unknown as ArrayLike<number>);
    this.borrowed.push(out);
    return out;
  }

  /** The values in the array class that belongs to the tensor's dtype. */
  typed(x: TensorInfo): Values {
    return x.dtype === 'float32' ? this.floats(x) : x.dtype === 'int32' ? this.ints(x) : this.bools(x);
  }

  /** Conversions made for the kernel under way; {@link finish} gives them back. */
  private borrowed: Values[] = [];

  finish(): void {
    if (this.borrowed.length === 0) return;
    for (const values of this.borrowed) this.release(values);
    this.borrowed.length = 0;
  }

  /** State of the buffer pool. */
  poolMemory(): NativeMemory {
    return {
      liveBytes: this.liveBytes,
      freeBytes: this.freeBytes,
      reused: this.reused,
      escaped: this.escaped,
    };
  }

  /** Frees every buffer that waits to be used again. */
  clearPool(): void {
    this.free.clear();
    this.freeBytes = 0;
  }
}
