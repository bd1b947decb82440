import type { Frame } from '../capture/frame';
import type { PlacedRefusal } from '../tokens';
import { inspectable } from '../util';

/**
 * Why a trace ended.
 * - `packets`, `tokens`: the length asked for. `end`: the model drew `<|endoftext|>`.
 * - `unusable`: so few runs were packets that the asked number was out of reach: several packets one after the other
 *   were skipped after all their tries or, without tries, half of all runs were refused.
 * - `aborted`: from outside; what was done is kept.
 */
export type StopReason = 'packets' | 'tokens' | 'end' | 'unusable' | 'aborted';

/** What happened while a trace was drawn. Says the same for the same seed, whatever the machine. */
export interface TraceReport {
  /** Tokens drawn; those of the prompt are not counted. */
  tokens: number;
  /** Packets drawn and usable; those of the prompt are not counted. */
  packets: number;
  stopped: StopReason;
  /** Runs of tokens that were judged: packets and refused runs. The last one, where unfinished, is not among them. */
  tries: number;
  /** Packets whose first try was usable. Say it wherever packets are counted: {@link firstTryRate}. */
  firstTry: number;
  /** Packets given up after all tries; where a packet has one try, the refused ones. */
  skipped: number;
  /** Runs of tokens that are no packet, by code. `unfinished`: the last one, cut by the length asked for. */
  refused: Record<string, number>;
  /** The same one by one, the first 1,000: code, message, place in the sequence as it was when drawn. */
  refusals: PlacedRefusal[];
  /** Oddities of usable packets (contradicting lengths, cut headers ...), by code. */
  problems: Record<string, number>;
  /** Packets of the prompt that the layout cannot hold, by code. */
  promptRefused: Record<string, number>;
  /** What repair changed, by what; empty unless repair was asked for. */
  repaired: Record<string, number>;
}

/** Share of the packets that decoded at first try, skipped ones included; undefined where none was drawn. */
export function firstTryRate(...reports: readonly TraceReport[]): number | undefined {
  const sum = (key: 'firstTry' | 'packets' | 'skipped') => reports.reduce((n, r) => n + r[key], 0);
  const drawn = sum('packets') + sum('skipped');
  return drawn === 0 ? undefined : sum('firstTry') / drawn;
}

/** The trace with a line for consoles. */
export function namedTrace(trace: GeneratedTrace): GeneratedTrace {
  return inspectable(trace, ({ label, index, seed, promptPackets, report }) => {
    const refused = Object.values(report.refused).reduce((a, b) => a + b, 0);
    const prompt = promptPackets > 0 ? ` behind a prompt of ${promptPackets}` : '';
    return `GeneratedTrace ${label} ${index} of seed ${seed}: ${report.packets} packets${prompt}, ${refused} tries refused, ended by ${report.stopped}`;
  });
}

/** The real capture that a prompt is the beginning of: what the trace is to be held against. */
export interface PromptSource {
  /** Its path as it was given, or the session's id in a data set. */
  capture: string;
  /** Its class, where the data says so. */
  label?: string;
}

/** One generated capture: the prompt's packets, then the drawn ones. */
export interface GeneratedTrace {
  label: string;
  /** Index in the request: with the seed it names the trace. */
  index: number;
  seed: number;
  frames: Frame[];
  /** How many of `frames`, at the beginning, come from the prompt. Never count them as generated. */
  promptPackets: number;
  /** Where the prompt comes from; whoever gives the prompt sets it. */
  promptSource?: PromptSource;
  report: TraceReport;
}
