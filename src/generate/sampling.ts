import type { Layout } from '../tokens';
import { NetssmError } from '../util';
import type { Rng } from '../util';
import { minP, repetitionPenalty, temperature, topK, topP } from './processors';
import type { LogitsProcessor } from './processors';

/** How the next token is drawn. Everything left out leaves the model's distribution as it is. */
export interface Sampling {
  /** Divides the logits: below 1 more likely, above 1 more varied. Default 1. */
  temperature?: number;
  /** Keep the k likeliest tokens. 0 or undefined: all. */
  topK?: number;
  /** Keep the likeliest tokens that together have at least this probability. 1 or undefined: all. */
  topP?: number;
  /** Keep tokens with at least this share of the likeliest one's probability. 0 or undefined: all. */
  minP?: number;
  /** Above 1 makes tokens that have occurred less likely. 1 or undefined: no change. */
  repetitionPenalty?: number;
  /** Always the likeliest token; then only `repetitionPenalty` matters. */
  greedy?: boolean;
}

export const DEFAULT_SAMPLING: Required<Sampling> = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  greedy: false,
};

/** NetSSM appendix C: the settings for Netflix traces; for YouTube ones the same with temperature 0.75. */
export const PAPER_SAMPLING: Sampling = {
  temperature: 0.15,
  topK: 25,
  topP: 0.9,
  minP: 0,
  repetitionPenalty: 1.8,
};

/** All problems at once. @throws NetssmError `sampling_invalid`. */
export function validateSampling(sampling: Sampling): Required<Sampling> {
  const given = Object.entries(sampling).filter(([, value]) => value !== undefined);
  const full = { ...DEFAULT_SAMPLING, ...(Object.fromEntries(given) as Sampling) };
  const problems: string[] = [];
  const check = (name: keyof Sampling, ok: boolean, range: string) => {
    if (!ok) problems.push(`${name} must be ${range}, not ${String(full[name])}`);
  };
  for (const [name] of given) if (!(name in DEFAULT_SAMPLING)) problems.push(`unknown setting "${name}"`);
  check('temperature', Number.isFinite(full.temperature) && full.temperature > 0, 'above 0 (or use greedy)');
  check('topK', Number.isInteger(full.topK) && full.topK >= 0, 'a whole number of at least 0');
  check('topP', full.topP > 0 && full.topP <= 1, 'above 0 and at most 1');
  check('minP', full.minP >= 0 && full.minP <= 1, 'from 0 to 1');
  check(
    'repetitionPenalty',
    Number.isFinite(full.repetitionPenalty) && full.repetitionPenalty > 0,
    'above 0',
  );
  if (problems.length > 0)
    throw new NetssmError('sampling_invalid', `sampling: ${problems.join('; ')}`, { exitCode: 2 });
  return full;
}

/** What is allowed but hardly meant, in words. */
export function samplingWarnings(sampling: Sampling, layout: Layout): string[] {
  const penalty = sampling.repetitionPenalty ?? 1;
  if (penalty <= 1 || !layout.stateful) return [];
  return [
    `repetition penalty ${penalty}: in layout ${layout.name} right packets repeat earlier tokens, so this makes wrong ones likely`,
  ];
}

/**
 * The processors of the settings, in the order of Hugging Face transformers: repetition penalty, temperature, top-k,
 * top-p, min-p. (The paper's code takes top-k before the temperature, which keeps the same tokens.)
 */
export function buildProcessors(sampling: Required<Sampling>): LogitsProcessor[] {
  const list: LogitsProcessor[] = [];
  if (sampling.repetitionPenalty !== 1) list.push(repetitionPenalty(sampling.repetitionPenalty));
  if (sampling.greedy) return list;
  if (sampling.temperature !== 1) list.push(temperature(sampling.temperature));
  if (sampling.topK > 0) list.push(topK(sampling.topK));
  if (sampling.topP < 1) list.push(topP(sampling.topP));
  if (sampling.minP > 0) list.push(minP(sampling.minP));
  return list;
}

/** The id with the largest logit, the lowest of equals; -1 where all are -Infinity or NaN. */
export function argmax(logits: Float32Array): number {
  let best = -1;
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i] > most) {
      most = logits[i];
      best = i;
    }
  }
  return best;
}

/** An id drawn with the probabilities softmax(logits); one number of `rng` a call. -1 as {@link argmax}. */
export function sampleLogits(logits: Float32Array, rng: Rng): number {
  const best = argmax(logits);
  const u = rng.uniform();
  if (best < 0) return -1;
  const max = logits[best];
  let total = 0;
  for (let i = 0; i < logits.length; i++) if (logits[i] > -Infinity) total += Math.exp(logits[i] - max);
  let x = u * total;
  for (let i = 0; i < logits.length; i++) {
    if (!(logits[i] > -Infinity)) continue;
    x -= Math.exp(logits[i] - max);
    if (x < 0) return i;
  }
  return best;
}
