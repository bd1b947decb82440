import { peakBytes, type TF } from '../../tensor';
import { macrotask } from '../../train';
import { NetssmError } from '../../util';

/** Work of one size, ready to be run again and again. */
export interface CostedWork {
  /** All of it, to the end: results are read, so that an engine cannot put the work off. */
  run(): void;
  /** Frees what was prepared. */
  dispose?(): void;
}

/** What work of one length costs. */
export interface CostRow {
  /** Tokens. */
  length: number;
  /** Median of the repetitions, by the clock that was chosen. */
  seconds: number;
  /** Fastest and slowest repetition. */
  fastest: number;
  slowest: number;
  repetitions: number;
  /** Most bytes of tensors alive at a time, those that were there before not counted. */
  bytes: number;
}

export interface MeasureOptions {
  /** Repetitions that are measured. Default 5. */
  repetitions?: number;
  /** Runs before, not measured: the first one fills caches and memory pools. Default 1. */
  warmUps?: number;
  /**
   * `processor` (the default): seconds of all cores together, in which other programs on the machine hardly show: what a
   * slide calls compute. `wall`: seconds on the wall; with two busy threads half as many.
   */
  clock?: 'processor' | 'wall';
  /** A repetition runs the work so often that it takes at least this long: clocks and schedulers are coarse. Default 0.02. */
  leastSeconds?: number;
  /** No further repetition of a length once all of them together have taken this long. Default 20. */
  mostSeconds?: number;
  onRow?: (row: CostRow) => void;
}

/**
 * Time and memory of work at several lengths, shortest first. The median resists whatever else the machine does; beside
 * it stand the fastest and the slowest repetition.
 *
 * @param make the work of one length; called once a length, and disposed before the next.
 * @throws NetssmError `cost_lengths`, `cost_options`.
 * @example
 * const rows = await measureCost(tf, forwardWork(net), [256, 512, 1024, 2048]);
 * fitExponent(rows.map((row) => row.length), rows.map((row) => row.seconds)).exponent; // about 1 for Mamba
 */
export async function measureCost(
  tf: TF,
  make: (length: number) => CostedWork,
  lengths: readonly number[],
  options: MeasureOptions = {},
): Promise<CostRow[]> {
  const { repetitions = 5, warmUps = 1, leastSeconds = 0.02, mostSeconds = 20, onRow } = options;
  const now = options.clock === 'wall' ? wallSeconds : processorSeconds;
  if (lengths.length === 0 || !lengths.every((n) => Number.isInteger(n) && n >= 1)) {
    throw new NetssmError(
      'cost_lengths',
      `lengths must be whole numbers of at least 1, not ${lengths.join(', ')}`,
      {
        exitCode: 2,
      },
    );
  }
  if (!(Number.isInteger(repetitions) && repetitions >= 1 && Number.isInteger(warmUps) && warmUps >= 0)) {
    throw new NetssmError(
      'cost_options',
      `repetitions must be at least 1 and warmUps at least 0, not ${repetitions} and ${warmUps}`,
      { exitCode: 2 },
    );
  }
  const rows: CostRow[] = [];
  for (const length of [...lengths].sort((a, b) => a - b)) {
    const work = make(length);
    try {
      const bytes = peakBytes(tf, () => work.run());
      for (let i = 0; i < warmUps; i++) work.run();
      await macrotask();
      const once = timeOf(work, 1, now);
      const times = Math.max(1, Math.ceil(leastSeconds / Math.max(1e-6, once)));
      const seconds = times === 1 ? [once] : [];
      const started = performance.now();
      while (seconds.length < repetitions && (seconds.length === 0 || elapsed(started) < mostSeconds)) {
        seconds.push(timeOf(work, times, now));
        await macrotask();
      }
      seconds.sort((a, b) => a - b);
      const row: CostRow = {
        length,
        seconds: median(seconds),
        fastest: seconds[0],
        slowest: seconds[seconds.length - 1],
        repetitions: seconds.length,
        bytes,
      };
      rows.push(row);
      onRow?.(row);
    } finally {
      work.dispose?.();
    }
  }
  return rows;
}

const elapsed = (started: number): number => (performance.now() - started) / 1000;
const wallSeconds = (): number => performance.now() / 1000;

/** Of this process, all threads, user and system. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Seconds a run, over `times` of them. */
function timeOf(work: CostedWork, times: number, now: () => number): number {
  const started = now();
  for (let i = 0; i < times; i++) work.run();
  return Math.max(1e-9, now() - started) / times;
}

/** The middle of sorted numbers, the mean of the middle two. */
export function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
