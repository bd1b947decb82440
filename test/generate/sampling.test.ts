import { describe, expect, it } from 'vitest';
import {
  argmax,
  buildProcessors,
  maskIds,
  minP,
  repetitionPenalty,
  sampleLogits,
  temperature,
  topK,
  topP,
  validateSampling,
} from '../../src/generate';
import type { LogitsProcessor, Sampling } from '../../src/generate';
import { Rng } from '../../src/util';

const none = { seen: new Uint8Array(8), position: 0 };
/** ln p, so that softmax gives p back. */
const logs = (...p: number[]) => Float32Array.from(p, Math.log);
const kept = (processor: LogitsProcessor, logits: Float32Array, context = none) => {
  processor(logits, context);
  return [...logits.keys()].filter((i) => logits[i] > -Infinity);
};

describe('processors', () => {
  it('temperature divides', () => {
    const logits = Float32Array.of(2, -4, 0);
    temperature(0.5)(logits, none);
    expect([...logits]).toEqual([4, -8, 0]);
  });

  it('top-k keeps k, more on a tie', () => {
    expect(kept(topK(2), Float32Array.of(1, 5, 3, 4))).toEqual([1, 3]);
    expect(kept(topK(2), Float32Array.of(1, 5, 4, 4))).toEqual([1, 2, 3]);
    expect(kept(topK(9), Float32Array.of(1, 5))).toEqual([0, 1]);
    expect(kept(topK(1), Float32Array.of(-Infinity, -2, -3))).toEqual([1]);
  });

  it('top-p keeps the smallest set that reaches p', () => {
    expect(kept(topP(0.5), logs(0.1, 0.6, 0.3))).toEqual([1]);
    expect(kept(topP(0.7), logs(0.1, 0.6, 0.3))).toEqual([1, 2]);
    expect(kept(topP(0.95), logs(0.1, 0.6, 0.3))).toEqual([0, 1, 2]);
    expect(kept(topP(0.01), logs(0.1, 0.6, 0.3))).toEqual([1]);
    expect(kept(topP(0.5), Float32Array.of(-Infinity, -Infinity))).toEqual([]);
  });

  it('min-p is relative to the largest probability, wherever it stands and whatever is added to the logits', () => {
    for (const shift of [0, 100, -100]) {
      const shifted = (...p: number[]) => logs(...p).map((x) => x + shift);
      expect(kept(minP(0.2), shifted(0.1, 0.6, 0.3))).toEqual([1, 2]);
      expect(kept(minP(0.1), shifted(0.1, 0.6, 0.3))).toEqual([0, 1, 2]);
      expect(kept(minP(0.6), shifted(0.6, 0.1, 0.3))).toEqual([0]);
    }
  });

  it('repetition penalty always makes seen tokens less likely', () => {
    const logits = Float32Array.of(2, -2, 2, -2, 0);
    repetitionPenalty(2)(logits, { ...none, seen: Uint8Array.of(1, 1, 0, 0, 1) });
    expect([...logits]).toEqual([1, -4, 2, -2, 0]);
  });

  it('masks', () => {
    expect(kept(maskIds([0, 2]), Float32Array.of(1, 2, 3))).toEqual([1]);
  });

  it('compose in the order penalty, temperature, top-k, top-p, min-p', () => {
    const run = (sampling: Sampling, logits: Float32Array) => {
      for (const p of buildProcessors(validateSampling(sampling))) p(logits, none);
      return [...logits.keys()].filter((i) => logits[i] > -Infinity);
    };
    // At temperature 1 the two likeliest have 0.9 together; at 0.25 the first alone has more.
    expect(run({ topP: 0.85 }, logs(0.6, 0.3, 0.1))).toEqual([0, 1]);
    expect(run({ topP: 0.85, temperature: 0.25 }, logs(0.6, 0.3, 0.1))).toEqual([0]);
    // Of the two that top-k leaves, the first has 2/3.
    expect(run({ topK: 2, topP: 0.65 }, logs(0.6, 0.3, 0.1))).toEqual([0]);
    expect(buildProcessors(validateSampling({}))).toHaveLength(0);
    expect(buildProcessors(validateSampling({ greedy: true, topK: 5, repetitionPenalty: 1.2 }))).toHaveLength(
      1,
    );
  });
});

describe('drawing', () => {
  it('argmax takes the first of equals and skips NaN', () => {
    expect(argmax(Float32Array.of(NaN, 1, 3, 3))).toBe(2);
    expect(argmax(Float32Array.of(-Infinity, NaN))).toBe(-1);
    expect(sampleLogits(Float32Array.of(-Infinity, NaN), new Rng(1))).toBe(-1);
  });

  it('draws with the probabilities of the softmax, the same for the same seed', () => {
    const p = [0.5, 0, 0.3, 0.2];
    const rng = new Rng(11);
    const counts = [0, 0, 0, 0];
    const n = 40000;
    for (let i = 0; i < n; i++) counts[sampleLogits(logs(...p), rng)]++;
    expect(counts[1]).toBe(0);
    for (const i of [0, 2, 3]) {
      const sd = Math.sqrt(n * p[i] * (1 - p[i]));
      expect(Math.abs(counts[i] - n * p[i])).toBeLessThan(4 * sd);
    }
    const draw = () => {
      const again = new Rng(5);
      return Array.from({ length: 20 }, () => sampleLogits(logs(...p), again));
    };
    expect(draw()).toEqual(draw());
  });
});

describe('validateSampling', () => {
  it('fills in the defaults, undefined included', () => {
    expect(validateSampling({ topK: 25, topP: undefined })).toEqual({
      temperature: 1,
      topK: 25,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      greedy: false,
    });
  });

  it('lists everything that is wrong', () => {
    const wrong = { temperature: 0, topK: 1.5, topP: 0, minP: 2, repetitionPenalty: -1, topq: 1 } as Sampling;
    expect(() => validateSampling(wrong)).toThrow(
      'sampling: unknown setting "topq"; temperature must be above 0 (or use greedy), not 0; ' +
        'topK must be a whole number of at least 0, not 1.5; topP must be above 0 and at most 1, not 0; ' +
        'minP must be from 0 to 1, not 2; repetitionPenalty must be above 0, not -1',
    );
  });
});
