import type { Frame } from '../capture/frame';
import { LinkType } from '../capture/frame';
import { drawGap, END_OF_TEXT, FIRST_LABEL, PADDING, PKT, SequenceDecoder, UNK } from '../tokens';
import type { DecodedPacket, LabelTiming, Layout, RunResult } from '../tokens';
import { Rng } from '../util';
import type { Prompt } from './prompt';
import { maskIds } from './processors';
import type { LogitsProcessor } from './processors';
import { repairFrame } from './repair';
import { argmax, sampleLogits } from './sampling';
import type { Stepper } from './stepper';
import type { GeneratedTrace, StopReason, TraceReport } from './trace';

/** Everything that one trace depends on. */
export interface DecodeJob {
  label: string;
  index: number;
  seed: number;
  prompt: Prompt;
  layout: Layout;
  /** Size of the logits, padded ids included. */
  logitsLength: number;
  processors: readonly LogitsProcessor[];
  greedy: boolean;
  /** Usable packets asked for, and tokens at most; Infinity: no bound. */
  packets: number;
  tokens: number;
  continueAfterEnd: boolean;
  repair: boolean;
  timing: LabelTiming | undefined;
  startMicros: number;
}

/** How a trace under way is watched and stopped. */
export interface DecodeHooks {
  onFrame?: (frame: Frame, prompt: boolean) => void;
  /** Asked between packets and every few hundred tokens. */
  aborted?: () => boolean;
  /** Awaited every 50 ms or so, so that others get their turn. */
  pause?: () => Promise<void>;
  onTokens?: (drawn: number, packets: number) => void;
}

/** The state and the logits after a prompt, to be copied for each trace that starts from it. */
export interface PromptState<State> {
  state: State;
  logits: Float32Array;
}

/** Tokens of a prompt that are read between two looks at the outside. */
const PROMPT_CHUNK = 256;

/** Reads a prompt, of any length, with pauses. Undefined: aborted. */
export async function readPrompt<State>(
  stepper: Stepper<State>,
  prompt: Prompt,
  logitsLength: number,
  hooks: Pick<DecodeHooks, 'aborted' | 'pause'> & { onPrompt?: (read: number, total: number) => void } = {},
): Promise<PromptState<State> | undefined> {
  const state = stepper.newState();
  const logits = new Float32Array(logitsLength);
  const { tokens } = prompt;
  let pausedAt = Date.now();
  for (let at = 0; at < tokens.length; at += PROMPT_CHUNK) {
    if (hooks.aborted?.()) return undefined;
    stepper.prefill(state, tokens.subarray(at, at + PROMPT_CHUNK), logits);
    if (Date.now() - pausedAt > 50) {
      hooks.onPrompt?.(Math.min(at + PROMPT_CHUNK, tokens.length), tokens.length);
      await hooks.pause?.();
      pausedAt = Date.now();
    }
  }
  return { state, logits };
}

/**
 * Ids that no trace contains: `<|unk|>`, `<|padding|>`, labels, ids that only pad the vocabulary; and
 * `<|endoftext|>` where the layout has no end or the trace is to go on after it.
 */
export function impossibleIds(logitsLength: number, endOfText: boolean): number[] {
  const ids = [UNK, PADDING];
  if (!endOfText) ids.push(END_OF_TEXT);
  for (let id = FIRST_LABEL; id < logitsLength; id++) ids.push(id);
  return ids;
}

/** Draws one trace. Depends on the job only, not on what is drawn beside it. */
export async function decodeTrace<State>(
  stepper: Stepper<State>,
  job: DecodeJob,
  start: PromptState<State>,
  hooks: DecodeHooks = {},
): Promise<GeneratedTrace> {
  const rng = new Rng(job.seed).split(`trace/${job.label}/${job.index}`);
  const draw = rng.split('tokens');
  const state = stepper.copyState(start.state);
  const logits = start.logits.slice();
  const mask = maskIds(impossibleIds(job.logitsLength, job.layout.endOfText && !job.continueAfterEnd));
  const seen = new Uint8Array(job.logitsLength);
  for (const token of job.prompt.tokens) seen[token] = 1;
  const collector = new TraceCollector(job, rng.split('times'), hooks);
  const decoder = new SequenceDecoder(job.layout);
  decoder.position = job.prompt.tokens.length;

  // A model that hardly draws a packet would never get to the number asked for.
  const mostRuns = 2 * job.packets + 16;
  const mostTokens = Math.min(job.tokens, mostRuns * (job.layout.maxBytes + 1));
  const { report } = collector.trace;
  let stopped: StopReason | undefined;
  let pausedAt = Date.now();
  while (stopped === undefined) {
    mask(logits, { seen, position: decoder.position });
    for (const processor of job.processors) processor(logits, { seen, position: decoder.position });
    const token = job.greedy ? argmax(logits) : sampleLogits(logits, draw);
    if (token < 0) {
      stopped = 'unusable';
      break;
    }
    report.tokens++;
    seen[token] = 1;
    collector.take(decoder.push(token));
    if (report.packets >= job.packets) stopped = 'packets';
    else if (decoder.ended) stopped = 'end';
    else if (report.tokens >= mostTokens) stopped = report.tokens >= job.tokens ? 'tokens' : 'unusable';
    else if (decoder.runs >= mostRuns) stopped = 'unusable';
    else if ((token === PKT || report.tokens % 256 === 0) && hooks.aborted?.()) stopped = 'aborted';
    else stepper.step(state, token, logits);
    if (report.tokens % 64 === 0) {
      hooks.onTokens?.(report.tokens, report.packets);
      if (hooks.pause && Date.now() - pausedAt > 50) {
        await hooks.pause();
        pausedAt = Date.now();
      }
    }
  }
  collector.take(decoder.end());
  hooks.onTokens?.(report.tokens, report.packets);
  report.stopped = stopped;
  return collector.trace;
}

/** Packets and refusals on their way into a trace. */
class TraceCollector {
  readonly trace: GeneratedTrace;
  private micros: number;

  constructor(
    private readonly job: DecodeJob,
    private readonly rng: Rng,
    private readonly hooks: DecodeHooks,
  ) {
    const report: TraceReport = {
      tokens: 0,
      packets: 0,
      stopped: 'packets',
      refused: {},
      refusals: [],
      problems: {},
      promptRefused: { ...job.prompt.refused },
      repaired: {},
    };
    const frames = [...job.prompt.frames];
    const { label, index, seed } = job;
    this.trace = { label, index, seed, frames, promptPackets: frames.length, report };
    for (const frame of frames) hooks.onFrame?.(frame, true);
    this.micros = frames.length > 0 ? frames[frames.length - 1].tsMicros : job.startMicros;
  }

  take(result: RunResult | undefined): void {
    if (!result) return;
    const { report } = this.trace;
    if (result.ok) this.add(result.packet);
    else {
      report.refusals.push(result.refusal);
      count(report.refused, result.refusal.code);
    }
  }

  private add(packet: DecodedPacket): void {
    const { frames, report } = this.trace;
    if (frames.length > 0) this.micros += drawGap(this.job.timing, this.rng);
    let frame: Frame = {
      data: packet.data,
      wireLen: packet.wireLen,
      tsMicros: this.micros,
      tsNanos: 0,
      linkType: LinkType.ETHERNET,
      interfaceId: 0,
    };
    for (const problem of packet.problems) count(report.problems, problem.code);
    if (this.job.repair) {
      const repaired = repairFrame(frame);
      frame = repaired.frame;
      for (const change of repaired.changes) count(report.repaired, change);
    }
    report.packets++;
    frames.push(frame);
    this.hooks.onFrame?.(frame, false);
  }
}

function count(counts: Record<string, number>, code: string): void {
  counts[code] = (counts[code] ?? 0) + 1;
}
