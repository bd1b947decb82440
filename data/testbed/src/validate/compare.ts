/**
 * Two sets made from the same seed: their scripts must be equal; so must be the sizes of what was
 * served in classes that do not adapt, and nine of ten segments in those that do.
 */
import type { SessionTruth } from '../session';
import { CLASSES } from '../classes';
import { readTruths } from '../store/read';
import { table } from './numbers';

/** Objects that must be the same again: whole, and known to the client. */
const sizesOf = ({ objects }: SessionTruth): string[] =>
  objects
    .filter((o) => !o.ended && !['incoming', 'lookup', 'call', 'other', 'signalling', 'roster'].includes(o.kind))
    .map((o) => `${o.kind} ${o.name.replace(/\?.*/, '')} ${o.bytes}`);

/** How many of the longer list's entries are in both, order apart. */
export function shareInCommon(a: string[], b: string[]): number {
  if (a.length === 0 && b.length === 0) return 1;
  const rest = new Map<string, number>();
  for (const entry of a) rest.set(entry, (rest.get(entry) ?? 0) + 1);
  let common = 0;
  for (const entry of b) {
    const left = rest.get(entry) ?? 0;
    if (left === 0) continue;
    rest.set(entry, left - 1);
    common++;
  }
  return common / Math.max(a.length, b.length);
}

/** Compares the sessions that both sets have; prints a table. */
export function compareSets(first: string, second: string): boolean {
  const [a, b] = [readTruths(first), readTruths(second)];
  const rows: (string | number)[][] = [];
  let right = true;
  for (const { name, adaptive } of CLASSES) {
    const pairs = [...a.values()].flatMap((truth) => {
      const twin = b.get(truth.id);
      return truth.application === name && twin ? [[truth, twin]] : [];
    });
    if (pairs.length === 0) continue;
    const scripts = pairs.filter(([x, y]) => JSON.stringify([x.script, x.conditions]) === JSON.stringify([y.script, y.conditions]));
    const shares = pairs.map(([x, y]) => shareInCommon(sizesOf(x), sizesOf(y)));
    const [mean, least] = [shares.reduce((s, v) => s + v, 0) / shares.length, Math.min(...shares)];
    const fine = scripts.length === pairs.length && mean >= (adaptive ? 0.9 : 1);
    right &&= fine;
    rows.push([
      name, pairs.length, scripts.length, `${(100 * mean).toFixed(1)} %`, `${(100 * least).toFixed(1)} %`,
      adaptive ? '90 %' : '100 %', fine ? 'yes' : 'NO',
    ]); // prettier-ignore
  }
  if (rows.length === 0) throw new Error('the two sets have no session in common');
  console.log(table(['class', 'sessions', 'same script', 'same sizes', 'least', 'promised', 'kept'], rows));
  return right;
}
