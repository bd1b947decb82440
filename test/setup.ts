import { expect } from 'vitest';

declare module 'vitest' {
  interface Matchers<T = any> {
    /**
     * max|a-b| <= tolerance * max|b| over the whole tensor, and equal lengths: the project's meaning of "within t".
     * `floor` replaces max|b| where b is (nearly) all zero.
     */
    toBeWithin(expected: ArrayLike<number>, tolerance: number, floor?: number): T;
  }
}

expect.extend({
  toBeWithin(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, floor = 1e-12) {
    if (actual.length !== expected.length) {
      return { pass: false, message: () => `lengths differ: ${actual.length} and ${expected.length}` };
    }
    let scale = floor;
    let worst = -1;
    let index = -1;
    for (let i = 0; i < expected.length; i++) {
      scale = Math.max(scale, Math.abs(expected[i]));
      const d = Math.abs(actual[i] - expected[i]);
      if (!(d <= worst)) {
        worst = d;
        index = i;
      }
    }
    const pass = expected.length === 0 || worst <= tolerance * scale;
    const pairs = () =>
      Array.from({ length: Math.min(5, expected.length) }, (_, i) => `${actual[i]} ~ ${expected[i]}`).join(
        ', ',
      );
    return {
      pass,
      message: () =>
        `max|a-b| = ${worst} at ${index} (${actual[index]} ~ ${expected[index]}), allowed ${tolerance * scale}; first pairs: ${pairs()}`,
    };
  },
});
