import { Rng } from '../../util';
import { netStepper, type SequenceNet } from '../nets';
import type { CostCurve } from './fit';

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
 * @param positions ascending; the time is that of the `around` tokens that follow each, in four parts, of which the fastest
 * counts; with `rounds`, the fastest of the parts of so many sequences: what else a machine does only adds, and not for long.
 */
export function generationCost(
  net: SequenceNet,
  positions: readonly number[],
  { around = 32, rounds = 1, seed = 1 } = {},
): GenerationRow[] {
  const stepper = netStepper(net);
  const logits = new Float32Array(net.config.vocab_size);
  const rng = new Rng(seed);
  const next = () => rng.int(net.config.vocab_size);
  const part = Math.max(1, Math.ceil(around / 4));
  const secondsOfPart = () => {
    const started = process.cpuUsage();
    for (let i = 0; i < part; i++) stepper.step(next(), logits);
    const { user, system } = process.cpuUsage(started);
    return Math.max(1e-9, (user + system) / 1e6) / part;
  };
  // The compiler of the loops gets to know them before anything is measured.
  for (let i = 0; i < 200; i++) stepper.step(next(), logits);
  const rows: GenerationRow[] = [...positions]
    .sort((a, b) => a - b)
    .map((position) => ({ position, secondsPerToken: Infinity, stateBytes: 0 }));
  for (let round = 0; round < rounds; round++) {
    stepper.reset();
    let position = 0;
    for (const row of rows) {
      for (; position < row.position; position++) stepper.step(next());
      row.stateBytes = stepper.stateBytes();
      const seconds = Array.from({ length: 4 }, secondsOfPart);
      position += 4 * part;
      row.secondsPerToken = Math.min(row.secondsPerToken, ...seconds);
    }
  }
  return rows;
}

/** Rows of {@link generationCost} as {@link crossing} takes them. */
export function generationCurve(rows: readonly GenerationRow[]): CostCurve {
  return { lengths: rows.map((row) => row.position), costs: rows.map((row) => row.secondsPerToken) };
}
