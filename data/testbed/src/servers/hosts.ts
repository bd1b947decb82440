/** Host names and the addresses behind them. */
import type { Conditions } from '../net/conditions';

/** As many names as asked for, none of which has an address in common with another. */
export function distinctHosts(c: Conditions, names: string[], count: number): string[] {
  const taken = new Set<string>();
  const hosts: string[] = [];
  for (const name of names) {
    if (hosts.length === count) break;
    if (c.names[name].some((address) => taken.has(address))) continue;
    c.names[name].forEach((address) => taken.add(address));
    hosts.push(name);
  }
  if (hosts.length < count) throw new Error(`no ${count} names with different addresses`);
  return hosts;
}
