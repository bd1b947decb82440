import { NetssmError } from '../util';
import type { Experiment } from './experiment';
import { fidelityExperiment } from './fidelity';
import { floorsExperiment } from './floors';
import { lengthExperiment } from './length';
import { mixingRateExperiment } from './mixingRate';
import { timesExperiment } from './timeTokens';
import { ablationExperiment, layoutsExperiment } from './variants';

/** Every experiment, in the order of `netssm experiment --list`. */
export const EXPERIMENTS: readonly Experiment[] = [
  floorsExperiment,
  mixingRateExperiment,
  fidelityExperiment,
  lengthExperiment,
  layoutsExperiment,
  ablationExperiment,
  timesExperiment,
];

/** @throws NetssmError `experiment_unknown`. */
export function findExperiment(name: string): Experiment {
  const found = EXPERIMENTS.find((experiment) => experiment.name === name);
  if (!found)
    throw new NetssmError('experiment_unknown', `there is no experiment "${name}"`, {
      hint: `There are ${EXPERIMENTS.map((each) => each.name).join(', ')}.`,
      exitCode: 2,
    });
  return found;
}
