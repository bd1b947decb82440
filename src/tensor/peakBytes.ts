import type { TF } from './engine';

/** tfjs's list of arrays in use. */
interface ArrayList {
  state: { tensorInfo: WeakMap<object, { shape: readonly number[]; dtype: string }> };
}

/**
 * Largest number of bytes that the arrays of tensors made during `run` take at one time, on any engine. Unlike
 * `tf.memory().numBytes` and `tf.profile`, tensors that share an array count once. `run` must not be asynchronous.
 */
export function peakBytes(tf: TF, run: () => void): number {
  const list = (tf.engine() as unknown as ArrayList).state.tensorInfo;
  const sizes = new Map<object, number>();
  let [now, peak] = [0, 0];
  // Methods of this one list, in front of those of its class.
  const own = list as unknown as Record<'set' | 'delete', unknown>;
  own.set = (id: object, info: { shape: readonly number[]; dtype: string }) => {
    const bytes = info.shape.reduce((a, b) => a * b, info.dtype === 'bool' ? 1 : 4);
    sizes.set(id, bytes);
    now += bytes;
    peak = Math.max(peak, now);
    return WeakMap.prototype.set.call(list, id, info);
  };
  own.delete = (id: object) => {
    now -= sizes.get(id) ?? 0;
    sizes.delete(id);
    return WeakMap.prototype.delete.call(list, id);
  };
  try {
    run();
  } finally {
    Reflect.deleteProperty(list, 'set');
    Reflect.deleteProperty(list, 'delete');
  }
  return peak;
}
