/** The command line of make.mjs. */
import { parseArgs } from 'node:util';

export interface Options {
  sessions: number;
  testSessions: number;
  classes?: string[];
  jobs: number;
  seed: string;
  out: string;
  work: string;
  cache: string;
  wire: 'auto' | 'netem' | 'relay';
  longShare: number;
  validate: boolean;
  keepFailed: boolean;
}

export class UsageError extends Error {}

export const help = (classes: string[]): string => `node data/testbed/make.mjs [options]
Makes sessions of real programs in network namespaces, checks them, packs them into a data set.
Needs Linux, root and the packages of data/testbed/install.sh.

  --sessions N        training sessions of each class (100)
  --test-sessions N   test sessions of each class, from seeds of their own (0)
  --classes A,B       only these: ${classes.join(',')}
  --jobs N            sessions at a time (4)
  --seed TEXT         seed of everything that is drawn (1)
  --long-share S      share of the streaming sessions that have 10,000 packets and more (0.11)
  --out DIR           the packed set (out/testbed/set)
  --work DIR          finished sessions, kept so that an interrupted run goes on (out/testbed/sessions)
  --cache DIR         encoded titles, kept between runs (out/testbed/media)
  --wire KIND         netem, relay, or auto: netem where the kernel has it (auto)
  --no-validate       do not check the packed set with tshark
  --keep-failed       keep the files of sessions that fail in WORK/failed
  --help              this text

The whole set: node data/testbed/make.mjs --sessions 100 --test-sessions 30 --out data/testbed/set`;

/** Parses the arguments; null when help is asked for. Throws UsageError. */
export function parseOptions(argv: string[], classes: string[]): Options | null {
  const { values } = (() => {
    try {
      return parseArgs({
        args: argv,
        options: {
          sessions: { type: 'string', default: '100' },
          'test-sessions': { type: 'string', default: '0' },
          classes: { type: 'string' },
          jobs: { type: 'string', default: '4' },
          seed: { type: 'string', default: '1' },
          'long-share': { type: 'string', default: '0.11' },
          out: { type: 'string', default: 'out/testbed/set' },
          work: { type: 'string', default: 'out/testbed/sessions' },
          cache: { type: 'string', default: 'out/testbed/media' },
          wire: { type: 'string', default: 'auto' },
          'no-validate': { type: 'boolean', default: false },
          'keep-failed': { type: 'boolean', default: false },
          help: { type: 'boolean', default: false },
        },
      });
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  })();
  if (values.help) return null;
  const count = (name: 'sessions' | 'test-sessions' | 'jobs', least: number): number => {
    const n = Number(values[name]);
    if (!Number.isInteger(n) || n < least)
      throw new UsageError(`--${name} is a whole number from ${least}, not "${values[name]}"`);
    return n;
  };
  const chosen = values.classes?.split(',').filter(Boolean);
  const unknown = chosen?.filter((name) => !classes.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new UsageError(`no class is called ${unknown.join(', ')}; there are ${classes.join(', ')}`);
  if (!['auto', 'netem', 'relay'].includes(values.wire))
    throw new UsageError(`--wire is auto, netem or relay, not "${values.wire}"`);
  const longShare = Number(values['long-share']);
  if (!(longShare >= 0 && longShare <= 1))
    throw new UsageError(`--long-share is a number from 0 to 1, not "${values['long-share']}"`);
  return {
    sessions: count('sessions', 0),
    testSessions: count('test-sessions', 0),
    classes: chosen,
    jobs: count('jobs', 1),
    seed: values.seed,
    out: values.out,
    work: values.work,
    cache: values.cache,
    wire: values.wire as Options['wire'],
    longShare,
    validate: !values['no-validate'],
    keepFailed: values['keep-failed'],
  };
}
