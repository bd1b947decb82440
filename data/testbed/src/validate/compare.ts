/**
 * Two sets made from the same seed: their scripts must be equal; so must be the sizes of what was
 * served in classes that do not adapt, and nine of ten segments in those that do.
 */
import type { ObjectRecord } from '../programs/client';
import type { SessionTruth } from '../session';
import { CLASSES } from '../classes';
import { readTruths } from '../store/read';
import { table } from './numbers';

/** Kinds whose size is not the script's: what others say, protocol chatter, media sent in real time. */
const CHATTER = ['incoming', 'lookup', 'call', 'other', 'signalling', 'roster'];

const whole = ({ objects }: SessionTruth): ObjectRecord[] =>
  objects.filter((o) => !o.ended && !CHATTER.includes(o.kind));

const nameOf = (o: ObjectRecord): string => `${o.kind} ${o.name.replace(/\?.*/, '')}`;

/** Share of the objects served whole in both runs that have the same size in both. */
export function sameSizes(a: SessionTruth, b: SessionTruth): number {
  const sizes = new Map<string, Set<number>>();
  for (const o of whole(a)) sizes.set(nameOf(o), (sizes.get(nameOf(o)) ?? new Set()).add(o.bytes));
  const both = whole(b).filter((o) => sizes.has(nameOf(o)));
  return both.length === 0 ? 1 : both.filter((o) => sizes.get(nameOf(o))!.has(o.bytes)).length / both.length;
}

/** Share of the segments (or of all objects) that both runs fetched, at the same bitrate. */
const sameObjects = (a: SessionTruth, b: SessionTruth): number => {
  const list = (t: SessionTruth): string[] => whole(t).map((o) => `${nameOf(o)} ${o.bytes}`);
  return shareInCommon(list(a), list(b));
};

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
    const mean = (of: (x: SessionTruth, y: SessionTruth) => number): number =>
      pairs.reduce((sum, [x, y]) => sum + of(x, y), 0) / pairs.length;
    const [sizes, objects] = [mean(sameSizes), mean(sameObjects)];
    const fine = scripts.length === pairs.length && (adaptive ? objects >= 0.9 : sizes === 1);
    right &&= fine;
    rows.push([
      name, pairs.length, scripts.length, percent(sizes), percent(objects),
      adaptive ? '90 % the same objects' : '100 % the same sizes', fine ? 'yes' : 'NO',
    ]); // prettier-ignore
  }
  if (rows.length === 0) throw new Error('the two sets have no session in common');
  console.log(table(['class', 'sessions', 'same script', 'same sizes', 'same objects', 'promised', 'kept'], rows));
  return right;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
