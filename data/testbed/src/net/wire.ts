/** The wire between the last router and the server: netem where the kernel has it, else a relay. */
import { join } from 'node:path';
import { run, start } from '../lib/process';
import type { Conditions } from './conditions';
import { removeNamespaces } from './namespaces';

export type WireKind = 'netem' | 'relay';

/** Whether this kernel can do what the conditions ask of netem: tried in a namespace of its own. */
export async function hasNetem(prefix: string): Promise<boolean> {
  const ns = `${prefix}netem`;
  await run(['ip', 'netns', 'add', ns]);
  const example = netemArguments({ delayMs: 10, jitterMs: 1, loss: 0.01, lossBurst: 2, reorder: 0.001 });
  const tried = await start(['tc', '-n', ns, 'qdisc', 'add', 'dev', 'lo', 'root', ...example], { input: '' }).done;
  await removeNamespaces([ns]);
  return tried.code === 0;
}

type WireConditions = Pick<Conditions, 'delayMs' | 'jitterMs' | 'loss' | 'lossBurst' | 'reorder'>;

/** The queueing discipline for one direction; servers farther away are the relay's alone. */
export function netemArguments({ delayMs, jitterMs, loss, lossBurst, reorder }: WireConditions): string[] {
  const percent = (share: number): string => `${Number((share * 100).toFixed(4))}%`;
  const words = ['netem', 'limit', '10000', 'delay', `${delayMs}ms`];
  if (jitterMs > 0) words.push(`${jitterMs}ms`, '90%');
  if (loss > 0) words.push('loss', 'gemodel', percent(enterRate(loss, lossBurst)), percent(1 / lossBurst));
  if (reorder > 0) words.push('reorder', percent(reorder));
  return words;
}

/** How often the bad state of the two-state loss model is entered, for this share of lost packets. */
const enterRate = (loss: number, burst: number): number => loss / (1 - loss) / burst;

/** What the relay is given behind the two interfaces. */
export function relayArguments(c: Conditions, seed: number): string[] {
  return [
    String(seed),
    ...[c.delayMs * 1000, c.jitterMs * 1000, c.loss, c.lossBurst, c.reorder].map(String),
    ...Object.entries(c.fartherMs).map(([address, ms]) => `${address}=${ms * 1000}`),
  ];
}

/** Compiles the relay into `folder` and returns its path. */
export async function compileRelay(source: string, folder: string): Promise<string> {
  const path = join(folder, 'wire');
  await run(['cc', '-O2', '-o', path, source, '-lm']);
  return path;
}
