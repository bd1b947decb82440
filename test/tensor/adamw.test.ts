import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { adamwUpdate, squaredNorm, type AdamWUpdate } from '../../src/tensor';
import { loadNative } from '../../src/tensor/native';
import { Rng } from '../../src/util';

const SIZES = [3, 16_384, 1, 50_001, 16_385];

function draw(change: Partial<AdamWUpdate> = {}): AdamWUpdate {
  const rng = new Rng(1);
  const numbers = (f: (x: number) => number = (x) => x) =>
    SIZES.map((n) =>
      Float32Array.from({ length: n }, () => f(rng.normal() * Math.exp(6 * rng.uniform() - 5))),
    );
  return {
    ...{ parameters: numbers(), gradients: numbers(), m: numbers(), v: numbers(Math.abs) },
    ...{ decays: Uint8Array.of(1, 0, 1, 1, 0), lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
    ...{ weightDecay: 0.1, update: 7, maxNorm: 1 },
    ...change,
  };
}

/** Runs an update; its norm, and a digest of the bits of everything it wrote. */
function bits(change: Partial<AdamWUpdate> = {}): [norm: number, digest: string] {
  const update = draw(change);
  const norm = adamwUpdate(update);
  return [norm, digest(update)];
}

function digest({ parameters, m, v }: AdamWUpdate): string {
  const hash = createHash('sha256');
  for (const x of [...parameters, ...m, ...v]) hash.update(new Uint8Array(x.buffer));
  return hash.digest('hex');
}

// In this order: the library, once loaded, takes over for good.
const inJavaScript = [bits(), bits({ maxNorm: undefined, scale: 0.3 }), bits({ maxNorm: 1e9 })];
const library = await loadNative();

describe('adamwUpdate', () => {
  it('clips by the global norm, and not where it is small enough', () => {
    const [clipped, scaled, free] = inJavaScript;
    const { gradients } = draw();
    const norm = Math.sqrt(squaredNorm(gradients));
    const plain = gradients.reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0);
    expect(norm).toBeCloseTo(Math.sqrt(plain), 9);
    expect(clipped[0]).toBe(norm);
    expect(clipped[1]).toBe(bits({ maxNorm: undefined, scale: 1 / (norm + 1e-6) })[1]);
    expect(free[1]).toBe(bits({ maxNorm: undefined })[1]);
    expect(scaled[0]).toBe(0);
  });

  it.skipIf(!library)('has the same bits in C++, with any number of threads', () => {
    const before = library?.threads() as number;
    try {
      for (const threads of [1, 2, 4]) {
        library?.threads(threads);
        expect(bits()).toEqual(inJavaScript[0]);
        expect(bits({ maxNorm: undefined, scale: 0.3 })).toEqual(inJavaScript[1]);
        expect(bits({ maxNorm: 1e9 })).toEqual(inJavaScript[2]);
      }
    } finally {
      library?.threads(before);
    }
  });

  it('changes nothing where a gradient is not finite', () => {
    const update = draw();
    update.gradients[3][17] = Infinity;
    expect(adamwUpdate(update)).toBe(Infinity);
    expect(digest(update)).toBe(digest(draw()));
  });

  it.skipIf(!library)('refuses arrays that do not belong together', () => {
    const update = draw();
    update.m[1] = new Float32Array(5);
    expect(() => adamwUpdate(update)).toThrow('adamw: arrays 1 have different lengths');
    update.m.length = 1;
    expect(() => adamwUpdate(update)).toThrow('element 1 of argument 4 is not a Float32Array');
  });
});
