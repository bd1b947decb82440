import { Rng } from '../../util';
import { netStepper, type SequenceNet } from '../nets';
import type { CostCurve } from './fit';
import { median } from './measure';

/** What the next token costs after so many. */
export interface GenerationRow {
  /** Tokens read before. */
  position: number;
  /** Seconds a token there, of one core's time. */
  secondsPerToken: number;
  /** What the net remembers of the tokens before: a cache or a state. */
  stateBytes: number;
}

/**
 * Generation, token by token in plain loops on one core: seconds a token and bytes remembered at several positions. A
 * recurrent net's are the same everywhere; attention looks at every token before, and keeps all of them.
 *
 * @param positions ascending; the time is that of the `around` tokens that follow each: the median of four parts of them.
 */
export function generationCost(
  net: SequenceNet,
  positions: readonly number[],
  { around = 32, seed = 1 } = {},
): GenerationRow[] {
  const stepper = netStepper(net);
  const logits = new Float32Array(net.config.vocab_size);
  const rng = new Rng(seed);
  const next = () => rng.int(net.config.vocab_size);
  // The compiler of the loops gets to know them before anything is measured.
  for (let i = 0; i < 200; i++) stepper.step(next(), logits);
  stepper.reset();
  let position = 0;
  return [...positions]
    .sort((a, b) => a - b)
    .map((wanted) => {
      for (; position < wanted; position++) stepper.step(next());
      const stateBytes = stepper.stateBytes();
      const part = Math.max(1, Math.ceil(around / 4));
      const times = Array.from({ length: 4 }, () => {
        const started = process.cpuUsage();
        for (let i = 0; i < part; i++, position++) stepper.step(next(), logits);
        const { user, system } = process.cpuUsage(started);
        return Math.max(1e-9, (user + system) / 1e6) / part;
      });
      times.sort((x, y) => x - y);
      return { position: wanted, secondsPerToken: median(times), stateBytes };
    });
}

/** Rows of {@link generationCost} as {@link crossing} takes them. */
export function generationCurve(rows: readonly GenerationRow[]): CostCurve {
  return { lengths: rows.map((row) => row.position), costs: rows.map((row) => row.secondsPerToken) };
}
