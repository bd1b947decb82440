import { basename } from 'node:path';
import { Rng } from '../util';
import type { DatasetInput } from './inputs';
import type { Split } from './meta';

export interface SplitOptions {
  /** Shares of captures, 0 to below 1. */
  validationShare: number;
  testShare: number;
  seed: number;
}

/** Share of the captures that is held back from training to judge it by, where nothing else is said. */
export const VALIDATION_SHARE = 0.15;

/**
 * Which captures are for training, validation and testing: by a seeded hash of label and file name, so a capture
 * keeps its split when others come or go. An input's own `split` overrules.
 *
 * With three captures or more, a label gets at least one for validation and one for training (and one for testing if
 * `testShare` is above 0): the hash's nearest is moved.
 */
export function assignSplits(inputs: readonly DatasetInput[], options: SplitOptions): Split[] {
  const { validationShare, testShare, seed } = options;
  const splits: Split[] = new Array<Split>(inputs.length);
  const byLabel = new Map<string, { index: number; hash: number }[]>();
  inputs.forEach((input, index) => {
    const hash = new Rng(`split/${seed}/${input.label}/${input.name ?? basename(input.path)}`).uniform();
    const list = byLabel.get(input.label) ?? [];
    list.push({ index, hash });
    byLabel.set(input.label, list);
    splits[index] =
      input.split ??
      (hash < testShare ? 'test' : hash < testShare + validationShare ? 'validation' : 'train');
  });
  for (const list of byLabel.values()) {
    list.sort((a, b) => a.hash - b.hash || a.index - b.index);
    const free = list.filter((c) => inputs[c.index].split === undefined);
    const has = (split: Split) => list.some((c) => splits[c.index] === split);
    const move = (from: readonly { index: number }[], to: Split) => {
      const candidate = from.find((c) => list.filter((d) => splits[d.index] === splits[c.index]).length > 1);
      if (candidate) splits[candidate.index] = to;
    };
    if (list.length < 3) {
      // Too few to hold one back: train on what there is, unless told otherwise.
      if (!has('train') && free.length > 0) splits[free[free.length - 1].index] = 'train';
      continue;
    }
    if (testShare > 0 && !has('test')) move(free, 'test');
    if (validationShare > 0 && !has('validation')) {
      const isTrain = (c: { index: number }) => splits[c.index] === 'train';
      move([...free.filter(isTrain), ...free.filter((c) => !isTrain(c))], 'validation');
    }
    if (!has('train')) move([...free].reverse(), 'train');
  }
  return splits;
}
