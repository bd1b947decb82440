import { NetssmError } from '../../util';
import { sortedClasses, type ClassLabel } from '../classification';
import { checkPaired } from '../sample';

/** Labels as indices of the sorted classes. */
export interface EncodedLabels {
  classes: ClassLabel[];
  codes: Uint16Array;
}

/** @throws NetssmError `samples_differ`, `classes_few` for fewer than `least`, `classes_many` above 65,535. */
export function encodeLabels(labels: readonly ClassLabel[], rows: number, least = 1): EncodedLabels {
  checkPaired({ length: rows }, labels, 'items and labels');
  const classes = sortedClasses(labels);
  if (classes.length < least)
    throw new NetssmError(
      'classes_few',
      `${classes.length} class in ${rows} items; at least ${least} are needed`,
    );
  if (classes.length > 65535)
    throw new NetssmError('classes_many', `${classes.length} classes; labels should repeat`);
  const index = new Map(classes.map((label, i) => [label, i]));
  return { classes, codes: Uint16Array.from(labels, (label) => index.get(label)!) };
}

/** @throws NetssmError `not_fitted`. */
export function fitted<T>(model: T | undefined, what: string): T {
  if (model !== undefined) return model;
  throw new NetssmError('not_fitted', `this ${what} has not been fitted`, { hint: 'Call fit(X, y) first.' });
}
