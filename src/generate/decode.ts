import type { Frame } from '../capture/frame';
import { END_OF_TEXT, FIRST_LABEL, PADDING, PKT, timeBinOfToken, UNK } from '../tokens';
import type { LabelTiming, Layout, TimeTokens } from '../tokens';
import { Rng } from '../util';
import { TraceCollector } from './collector';
import { maskTimes } from './maskTimes';
import { PacketRun } from './packetRun';
import { isPhased, PhaseTurns } from './phaseStepper';
import type { Prompt } from './prompt';
import { maskIds } from './processors';
import type { LogitsProcessor } from './processors';
import { Boundary } from './promptState';
import type { PromptState } from './promptState';
import { argmax, sampleLogits } from './sampling';
import type { Stepper } from './stepper';
import type { GeneratedTrace, StopReason } from './trace';

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
  /** How often a packet that does not decode is drawn in all; 1: it stays in the sequence as it is. */
  tries: number;
  continueAfterEnd: boolean;
  repair: boolean;
  timing: LabelTiming | undefined;
  /** The model's time tokens. */
  times?: TimeTokens;
  /** Gaps are drawn from `timing` even where time tokens tell them. */
  resampleTimes?: boolean;
  startMicros: number;
}

/** How a trace under way is watched and stopped. */
export interface TraceHooks {
  onFrame?: (frame: Frame, prompt: boolean) => void;
  /** Asked between packets and every few hundred tokens. */
  aborted?: () => boolean;
  onTokens?: (drawn: number, packets: number) => void;
}

export interface DecodeHooks extends TraceHooks {
  /** Awaited every 50 ms or so, so that others get their turn. */
  pause?: () => Promise<void>;
}

/** What a trace under way waits for: its model is to read a token. The same object every time. */
export interface StepRequest<State> {
  state: State;
  token: number;
  /** Where the scores of the next token go. */
  logits: Float32Array;
}

/**
 * Ids that no trace contains: `<|unk|>`, `<|padding|>`, labels, ids that only pad the vocabulary; and
 * `<|endoftext|>` where the layout has no end or the trace is to go on after it. Time tokens are possible in their place.
 */
export function impossibleIds(logitsLength: number, endOfText: boolean, times?: TimeTokens): number[] {
  const ids = [UNK, PADDING];
  if (!endOfText) ids.push(END_OF_TEXT);
  for (let id = FIRST_LABEL; id < logitsLength; id++)
    if (timeBinOfToken(times, id) === undefined) ids.push(id);
  return ids;
}

/** Packets skipped one after the other, each after all its tries, before a trace is given up. */
const HOPELESS_SKIPS = 3;

/**
 * Draws one trace, stopping at every token that the model is to read: whoever runs it decides when and with which others
 * ({@link decodeTrace}, {@link decodeTraces}). Depends on the job only, not on what is drawn beside it.
 *
 * With `tries` above 1 a packet is a transaction: the model's state at its beginning is kept, and a run of tokens that
 * does not decode is forgotten and drawn again from there. After `tries` of them the packet is counted as skipped and
 * the next is drawn from the same place. With `tries` 1, and where the likeliest token is always taken, a refused run
 * stays in the sequence that the model goes on from.
 */
export function* drawTrace<State>(
  stepper: Stepper<State>,
  job: DecodeJob,
  start: PromptState<State>,
  hooks: TraceHooks = {},
): Generator<StepRequest<State>, GeneratedTrace, void> {
  const rng = new Rng(job.seed).split(`trace/${job.label}/${job.index}`);
  const draw = rng.split('tokens');
  const state = stepper.copyState(start.state);
  const logits = start.logits.slice();
  const { times } = job;
  const mask = maskIds(impossibleIds(job.logitsLength, job.layout.endOfText && !job.continueAfterEnd, times));
  const maskFirst = maskIds(job.layout.forbiddenFirstBytes);
  const seen = new Uint8Array(job.logitsLength);
  for (const token of job.prompt.tokens) seen[token] = 1;
  const collector = new TraceCollector(job, rng.split('times'), hooks);
  const again = job.tries > 1 && !job.greedy;
  const run = new PacketRun(job.layout, job.prompt, again, times);
  const turns = isPhased(stepper) ? new PhaseTurns(stepper, job.prompt) : undefined;
  const boundary = again ? new Boundary(stepper, start, seen) : undefined;
  if (boundary) boundary.position = run.position;

  const { report } = collector.trace;
  // A model that hardly draws a packet would never get to the number asked for.
  const mostRuns = 2 * job.packets + 16;
  const mostTokens = again ? job.tokens : Math.min(job.tokens, mostRuns * (job.layout.maxBytes + 1));
  /** Failed tries of the packet under way, and packets skipped since the last usable one. */
  let failed = 0;
  /**
   * First bytes not to be drawn at this place: those that the decoder has refused by themselves (a packet drawn again
   * until it decodes would not begin with them either, it only takes longer) and, once a packet has been skipped, those
   * that its tries began with: another flow's turn.
   */
  const never = new Set<number>();
  const begun = new Set<number>();
  let skippedInARow = 0;
  let stopped: StopReason | undefined;
  const request = { state, token: 0, logits };
  while (stopped === undefined) {
    const context = { seen, position: run.position };
    mask(logits, context);
    if (times) maskTimes(logits, run, times);
    if (run.empty && !run.awaitsTime) {
      maskFirst(logits, context);
      for (const byte of never) logits[byte] = -Infinity;
    }
    for (const processor of job.processors) processor(logits, context);
    const token = job.greedy ? argmax(logits) : sampleLogits(logits, draw);
    if (token < 0) {
      stopped = 'unusable';
      break;
    }
    report.tokens++;
    seen[token] = 1;
    const outcome = run.push(token);
    let takenBack = false;
    if (outcome) {
      report.tries++;
      if (outcome.ok) {
        collector.add(outcome.packet, outcome.timeBin);
        if (failed === 0) report.firstTry++;
        failed = skippedInARow = 0;
        never.clear();
        begun.clear();
      } else {
        collector.refuse(outcome.refusal);
        if (boundary && outcome.first !== undefined) (outcome.never ? never : begun).add(outcome.first);
        if (!boundary || ++failed === job.tries) {
          report.skipped++;
          skippedInARow++;
          failed = 0;
          for (const byte of begun) never.add(byte);
        }
        if (boundary) {
          run.takeBack(boundary.position);
          boundary.restore(state, logits, seen);
          turns?.takeBack();
          takenBack = true;
        }
      }
    }
    if (report.packets >= job.packets) stopped = 'packets';
    else if (run.ended) stopped = 'end';
    else if (report.tokens >= mostTokens) stopped = report.tokens >= job.tokens ? 'tokens' : 'unusable';
    else if (boundary ? skippedInARow >= HOPELESS_SKIPS : report.tries >= mostRuns) stopped = 'unusable';
    else if ((outcome || report.tokens % 256 === 0) && hooks.aborted?.()) stopped = 'aborted';
    else if (!takenBack) {
      turns?.read(state, token, logits, outcome?.ok ? outcome.packet : undefined);
      request.token = token;
      yield request;
      if (token === PKT) {
        boundary?.save(state, logits, seen, run.position);
        turns?.keep();
      }
    }
    if (report.tokens % 64 === 0) hooks.onTokens?.(report.tokens, report.packets);
  }
  const rest = run.end();
  if (rest?.ok) {
    collector.add(rest.packet, rest.timeBin);
    report.tries++;
    if (failed === 0) report.firstTry++;
  } else if (rest) collector.refuse(rest.refusal);
  hooks.onTokens?.(report.tokens, report.packets);
  report.stopped = stopped;
  return collector.trace;
}

/** Tokens between two looks at the clock. */
const LOOK = 64;

/** {@link drawTrace} from beginning to end. */
export async function decodeTrace<State>(
  stepper: Stepper<State>,
  job: DecodeJob,
  start: PromptState<State>,
  hooks: DecodeHooks = {},
): Promise<GeneratedTrace> {
  const trace = drawTrace(stepper, job, start, hooks);
  const pause = pacer(hooks.pause);
  for (let tokens = 1; ; tokens++) {
    const { done, value } = trace.next();
    if (done) return value;
    stepper.step(value.state, value.token, value.logits);
    if (tokens % LOOK === 0) await pause();
  }
}

/**
 * Several traces together, each token of all of them in one call of the model: the same traces as one by one, because a
 * stepper with `stepMany` computes each sequence as if it were alone.
 *
 * @param next the next trace to draw, undefined when there is none left; asked for as places come free.
 * @param together places.
 */
export async function decodeTraces<State>(
  stepper: Stepper<State> & Required<Pick<Stepper<State>, 'stepMany'>>,
  next: () => { job: DecodeJob; hooks?: TraceHooks } | undefined,
  start: PromptState<State>,
  together: number,
  onTrace: (trace: GeneratedTrace) => void,
  pauseWith?: () => Promise<void>,
): Promise<void> {
  const running: Generator<StepRequest<State>, GeneratedTrace, void>[] = [];
  const pause = pacer(pauseWith);
  let left = true;
  for (let tokens = 0; ;) {
    const states: State[] = [];
    const read: number[] = [];
    const logits: Float32Array[] = [];
    for (let i = 0; i < together; i++) {
      while (running.length <= i && left) {
        const more = next();
        if (more) running.push(drawTrace(stepper, more.job, start, more.hooks));
        else left = false;
      }
      if (running.length <= i) break;
      const { done, value } = running[i].next();
      if (done) {
        onTrace(value);
        running.splice(i--, 1);
        continue;
      }
      states.push(value.state);
      read.push(value.token);
      logits.push(value.logits);
    }
    if (states.length === 0) return;
    stepper.stepMany(states, read, logits);
    tokens += states.length;
    if (tokens >= LOOK) {
      tokens = 0;
      await pause();
    }
  }
}

/** Calls `pause` where the last time is 50 ms ago. */
function pacer(pause: (() => Promise<void>) | undefined): () => Promise<void> | undefined {
  let pausedAt = Date.now();
  return () => {
    if (!pause || Date.now() - pausedAt <= 50) return undefined;
    return pause().then(() => {
      pausedAt = Date.now();
    });
  };
}

/** Draws all that `next` gives: together where the stepper can, else one after the other. */
export async function drawAll<State>(
  stepper: Stepper<State>,
  next: () => { job: DecodeJob; hooks: TraceHooks } | undefined,
  start: PromptState<State>,
  together: number,
  onTrace: (trace: GeneratedTrace) => void,
  pause?: () => Promise<void>,
): Promise<void> {
  const { stepMany } = stepper;
  if (stepMany && together > 1) {
    await decodeTraces(
      stepper as Parameters<typeof decodeTraces<State>>[0],
      next,
      start,
      together,
      onTrace,
      pause,
    );
    return;
  }
  for (let one = next(); one; one = next())
    onTrace(await decodeTrace(stepper, one.job, start, { ...one.hooks, pause }));
}
