import * as tf from '@tensorflow/tfjs';
import type { Tensor, TensorLike } from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { nativeFailure, registerNative, type NativeBackend } from '../../../src/tensor/native';
import { Rng } from '../../../src/util';

/** Whether the native engine runs here; the titles of skipped suites say why it does not. */
export const available: boolean = await registerNative(tf);
export const reason = available
  ? ''
  : ` (skipped: ${nativeFailure()?.message.split('\n')[0] ?? 'not available'})`;

export { tf };

export function backend(): NativeBackend {
  return tf.backend() as NativeBackend;
}

type Kind = 'float32' | 'int32' | 'bool';

/** A tensor as plain numbers, so that each engine makes its own. */
export interface Spec {
  shape: number[];
  dtype: Kind;
  values: number[];
}

/** Seeded values: floats in [low, high), integers in [-9, 9], bools. */
export function random(rng: Rng, shape: number[], dtype: Kind = 'float32', low = -2, high = 2): Spec {
  const n = shape.reduce((a, b) => a * b, 1);
  const one = () =>
    dtype === 'float32'
      ? low + (high - low) * rng.uniform()
      : dtype === 'int32'
        ? rng.int(19) - 9
        : rng.int(2);
  return { shape, dtype, values: Array.from({ length: n }, one) };
}

export function make({ shape, dtype, values }: Spec): Tensor {
  return tf.tensor(values as TensorLike, shape, dtype);
}

interface Outcome {
  shape: number[];
  dtype: string;
  values: number[];
}

function outcome(f: (...t: Tensor[]) => Tensor | Tensor[], specs: Spec[]): Outcome[] {
  return tf.tidy(() =>
    [f(...specs.map(make))].flat().map((t) => ({
      shape: t.shape,
      dtype: t.dtype,
      values: Array.from(t.dataSync() as ArrayLike<number>),
    })),
  );
}

/** Runs f on the cpu backend and on native: same shapes and types, values within `tolerance` of the largest. */
export async function agrees(
  f: (...t: Tensor[]) => Tensor | Tensor[],
  specs: Spec[],
  tolerance = 1e-5,
): Promise<void> {
  await tf.setBackend('cpu');
  const expected = outcome(f, specs);
  await tf.setBackend('native');
  const actual = outcome(f, specs);
  expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
    expected.map(({ shape, dtype }) => ({ shape, dtype })),
  );
  actual.forEach((a, i) => expect(a.values).toBeWithin(expected[i].values, tolerance, 1e-6));
}

/** Shapes of rank 0 to 5: odd sizes, ones, an empty one, and one long enough for several threads. */
export const shapes: number[][] = [
  [],
  [1],
  [17],
  [0],
  [3, 0, 2],
  [5, 7],
  [1, 33],
  [64, 33],
  [3, 5, 7],
  [2, 1, 9, 4],
  [2, 3, 1, 5, 3],
  [36, 600],
];

/** Pairs that broadcast: trailing, leading, both ways, scalars, the patterns of a state-space model. */
export const pairs: [number[], number[]][] = [
  ...shapes.map((s) => [s, s] as [number[], number[]]),
  [[5, 7], []],
  [[], [5, 7]],
  [[5, 7], [7]],
  [
    [5, 7],
    [5, 1],
  ],
  [
    [5, 1],
    [1, 7],
  ],
  [
    [4, 9, 1],
    [4, 1, 6],
  ],
  [
    [2, 16, 3, 8],
    [2, 16, 3, 1],
  ],
  [
    [2, 1, 3, 8, 8],
    [2, 1, 1, 8, 8],
  ],
  [
    [3, 4, 5, 6],
    [4, 1, 1],
  ],
  [
    [300, 129],
    [300, 1],
  ],
  [
    [1, 129],
    [300, 129],
  ],
  [
    [3, 0],
    [1, 1],
  ],
  [
    [2, 1, 3, 1, 2],
    [1, 4, 1, 5, 1],
  ],
];
