import type { Sampling } from '../generate';
import { badOptions, checkCounts } from './settings';

/** How an experiment's traces are drawn. */
export interface SamplingSettings {
  /** 1 draws from the model's own probabilities. */
  temperature: number;
  /** A token whose probability is below this share of the likeliest one's is never drawn; 0: every token may be. */
  minP: number;
  /** How often a packet that does not decode is drawn; 1 is the paper's single draw. */
  tries: number;
}

export const SAMPLING_DEFAULTS: SamplingSettings = { temperature: 1, minP: 0, tries: 100 };

/** The part that the sampler takes. */
export function samplingOf({ temperature, minP }: SamplingSettings): Sampling {
  return { temperature, minP };
}

/**
 * Checks these settings, and that all other numbers are at least 1.
 * @throws NetssmError `experiment_options`.
 */
export function checkSampling(experiment: string, options: SamplingSettings): void {
  checkCounts(experiment, { ...options, temperature: 1, minP: 1 });
  const { temperature, minP } = options;
  const problems = [];
  if (!(temperature > 0)) problems.push(`temperature must be above 0, not ${temperature}`);
  if (!(minP >= 0 && minP < 1)) problems.push(`minP must be from 0 to below 1, not ${minP}`);
  if (problems.length > 0) throw badOptions(experiment, problems);
}
