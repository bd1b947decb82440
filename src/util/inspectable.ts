import { inspect } from 'node:util';

/**
 * Gives a value a line of its own in consoles, in place of a dump of all that is in it: `console.log(capture)` prints
 * `Capture pcap: 324 packets`. The value stays what it is: the form is neither copied nor compared nor written as JSON.
 * `inspect(value, { customInspect: false })` shows everything.
 */
export function inspectable<T extends object>(value: T, line: (value: T) => string): T {
  return Object.defineProperty(value, inspect.custom, { value: () => line(value), enumerable: false });
}
