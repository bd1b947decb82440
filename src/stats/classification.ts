import { NetssmError } from '../util';
import { ranks } from './correlation';
import { checkPaired, type Sample } from './sample';

/** A class: a name or a number. */
export type ClassLabel = string | number;

/** Share of predictions that are right. @throws NetssmError `samples_differ`, `sample_small`. */
export function accuracy(truth: readonly ClassLabel[], predicted: readonly ClassLabel[]): number {
  check(truth, predicted);
  let right = 0;
  for (let i = 0; i < truth.length; i++) if (truth[i] === predicted[i]) right++;
  return right / truth.length;
}

/** Mean recall of the classes that occur in `truth` (macro recall). @throws NetssmError as {@link accuracy}. */
export function balancedAccuracy(truth: readonly ClassLabel[], predicted: readonly ClassLabel[]): number {
  const { classes, counts } = confusionMatrix(truth, predicted);
  let sum = 0;
  let present = 0;
  classes.forEach((_, k) => {
    const total = counts[k].reduce((a, b) => a + b, 0);
    if (total === 0) return;
    present++;
    sum += counts[k][k] / total;
  });
  return sum / present;
}

export interface ConfusionMatrix {
  /** All labels of both sides, sorted. */
  classes: ClassLabel[];
  /** counts[i][j]: items of class i that were taken for class j. */
  counts: number[][];
}

/** @throws NetssmError as {@link accuracy}. */
export function confusionMatrix(
  truth: readonly ClassLabel[],
  predicted: readonly ClassLabel[],
): ConfusionMatrix {
  check(truth, predicted);
  const classes = sortedClasses([...truth, ...predicted]);
  const index = new Map(classes.map((label, i) => [label, i]));
  const counts = classes.map(() => new Array<number>(classes.length).fill(0));
  for (let i = 0; i < truth.length; i++) counts[index.get(truth[i])!][index.get(predicted[i])!]++;
  return { classes, counts };
}

/**
 * Area under the ROC curve: the probability that a positive item scores above a negative one, ties counted half.
 *
 * @throws NetssmError `samples_differ`; `classes_few` unless both kinds occur.
 */
export function rocAuc(positive: readonly boolean[], scores: Sample): number {
  checkPaired(positive, scores, 'labels and scores');
  const rank = ranks(scores);
  let [sum, yes] = [0, 0];
  positive.forEach((is, i) => {
    if (!is) return;
    yes++;
    sum += rank[i];
  });
  const no = positive.length - yes;
  if (yes === 0 || no === 0)
    throw new NetssmError('classes_few', `${yes} positive and ${no} negative items; both are needed`);
  return (sum - (yes * (yes + 1)) / 2) / (yes * no);
}

/** Distinct labels: numbers by value, before names by code point. */
export function sortedClasses(labels: Iterable<ClassLabel>): ClassLabel[] {
  return [...new Set(labels)].sort((a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return a < b ? -1 : a > b ? 1 : 0;
  });
}

function check(truth: readonly ClassLabel[], predicted: readonly ClassLabel[]): void {
  checkPaired(truth, predicted, 'labels');
  if (truth.length === 0) throw new NetssmError('sample_small', 'no labels to compare');
}
