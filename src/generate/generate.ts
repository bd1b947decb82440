import { availableParallelism } from 'node:os';
import type { Frame } from '../capture/frame';
import { phaseAfter } from '../tokens';
import { NetssmError } from '../util';
import type { OnProgress } from '../util';
import { drawAll } from './decode';
import type { TraceHooks } from './decode';
import type { LoadedModel } from './model';
import { PhaseStepper } from './phaseStepper';
import { NativeStepper } from './nativeStepper';
import { buildPrompt } from './prompt';
import { readPrompt } from './promptState';
import { validateSampling } from './sampling';
import type { Sampling } from './sampling';
import { toJob } from './spec';
import type { TraceSpec } from './spec';
import type { GeneratedTrace } from './trace';
import { runInWorkers, workerScript } from './workers';

/** A packet, the moment it is there. The packets of several traces come interleaved. */
export interface PacketEvent {
  /** Index of the trace. */
  trace: number;
  frame: Frame;
  /** True for the prompt's packets. */
  prompt: boolean;
}

export interface GenerateRequest {
  model: LoadedModel;
  label: string;
  /** Usable packets to draw, the prompt's not counted. A model may end a trace earlier: see `continueAfterEnd`. */
  packets?: number;
  /** Tokens to draw at most, the prompt's not counted. */
  tokens?: number;
  /** Number of traces. Default 1. */
  count?: number;
  /** Default 0. Trace i depends on the seed, the label and i only, not on `count` or `jobs`. */
  seed?: number;
  sampling?: Sampling;
  /**
   * How often a packet that does not decode is drawn, in all, each time from the model's state before it. Default
   * {@link DEFAULT_TRIES}; 1: not again, it stays in the sequence, as in the paper. The reports tell how many packets
   * decoded at first try.
   */
  tries?: number;
  /** The trace goes on from these packets: the first ones of a real capture. */
  prompt?: readonly Frame[];
  /** `<|endoftext|>` is never drawn, so a trace has the length asked for. Default false: the model may end it. */
  continueAfterEnd?: boolean;
  /** Fix lengths and checksums ({@link repairFrame}); the reports count what was changed. Default false. */
  repair?: boolean;
  /**
   * Where gaps between packets come from. `tokens`: the model's time tokens, each gap one of the label's real ones within
   * the drawn bin; default of models that have them. `resample`: drawn from the label's real ones, whatever the tokens say.
   */
  timing?: 'tokens' | 'resample';
  /** Time of the first packet where there is no prompt; microseconds since 1970. */
  startMicros?: number;
  /** Threads. Default: one a trace, up to the cores there are. The result does not depend on it. */
  jobs?: number;
  onProgress?: OnProgress;
  onPacket?: (event: PacketEvent) => void;
  /** Aborting keeps the traces that are done and the beginnings of those under way. */
  signal?: AbortSignal;
}

/** Packets of a trace where the request names neither packets nor tokens. */
export const DEFAULT_PACKETS = 1000;
/** Tries of a packet where the request does not say. */
export const DEFAULT_TRIES = 100;
/** 2024-01-01 00:00 UTC: a fixed time, so that the same seed gives the same file. */
export const DEFAULT_START_MICROS = 1_704_067_200_000_000;

/**
 * Draws traces from a model. The same request gives the same traces on any machine with the same arithmetic.
 *
 * @throws NetssmError `label_unknown`, `sampling_invalid`, `request_invalid`, `time_tokens_missing`, `prompt_unusable`, `worker_failed`.
 */
export async function generateTraces(request: GenerateRequest): Promise<GeneratedTrace[]> {
  const { model, count = 1, onPacket, signal } = request;
  const spec = toSpec(request);
  if (count === 0) return [];
  const progress = new Progress(request, count, spec);
  const watch = {
    aborted: () => signal?.aborted ?? false,
    pause: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
  const start = await readPrompt(readerOf(model.stepper, spec), spec.prompt, spec.logitsLength, {
    ...watch,
    onPrompt: progress.prompt,
  });
  if (!start) return [];
  const { stepper, files } = model;
  const native = stepper instanceof NativeStepper ? stepper : undefined;
  // A model that the caches hold is fastest with a thread a trace. The weights of a larger one come from memory for
  // every token: better for all traces at once, by the threads of the library.
  const most = native && native.bytes.weights > IN_CACHE ? 1 : Infinity;
  const jobs = Math.min(count, request.jobs ?? availableParallelism(), most);
  const script = jobs > 1 && files ? workerScript() : undefined;
  const together = native ? placesFor(native.bytes.state, Math.ceil(count / (script ? jobs : 1))) : 1;
  if (script && files) {
    return runInWorkers({
      script,
      files,
      decoder: native?.id,
      together,
      spec,
      start,
      count,
      jobs,
      onPacket,
      onTokens: progress.update,
      signal,
    });
  }
  const traces: GeneratedTrace[] = [];
  let index = 0;
  const next = () => {
    if (index === count || watch.aborted()) return undefined;
    const trace = index++;
    const hooks: TraceHooks = {
      aborted: watch.aborted,
      onTokens: (tokens, packets) => progress.update(trace, tokens, packets),
      onFrame: onPacket && ((frame, prompt) => onPacket({ trace, frame, prompt })),
    };
    return { job: toJob(spec, trace, model.layout), hooks };
  };
  await drawAll(stepper, next, start, together, (trace) => traces.push(trace), watch.pause);
  return traces.sort((a, b) => a.index - b.index);
}

/** Who reads the prompt: of models by phase, the one whose turn it is behind it. */
function readerOf(stepper: LoadedModel['stepper'], { prompt }: TraceSpec): LoadedModel['stepper'] {
  return stepper instanceof PhaseStepper ? stepper.beginningWith(phaseAfter(prompt.frames)) : stepper;
}

/** Packed weights up to this size stay in the caches of a core while others work. */
const IN_CACHE = 16 << 20;
/** Traces drawn together; more do not make the products faster. */
const MOST_TOGETHER = 32;
/** What their states, each kept twice and once spare, may take. */
const STATE_MEMORY = 2 ** 30;

function placesFor(stateBytes: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, MOST_TOGETHER, Math.floor(STATE_MEMORY / (3 * stateBytes))));
}

function toSpec(request: GenerateRequest): TraceSpec {
  const { model, label, count = 1, seed = 0, jobs, packets, tokens, tries } = request;
  const problems: string[] = [];
  for (const [name, value, least] of [
    ['packets', packets, 1],
    ['tokens', tokens, 1],
    ['tries', tries, 1],
    ['jobs', jobs, 1],
    ['count', count, 0],
    ['seed', seed, 0],
  ] as const) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least))
      problems.push(`${name} must be a whole number of at least ${least}, not ${value}`);
  }
  if (problems.length > 0) throw new NetssmError('request_invalid', problems.join('; '), { exitCode: 2 });
  const { times } = model.vocabulary;
  if (request.timing === 'tokens' && !times)
    throw new NetssmError('time_tokens_missing', `${model.name} has no time tokens`, {
      hint: 'Leave timing out, or train on a data set of `netssm tokenize --time-tokens`.',
      exitCode: 2,
    });
  const bounded = packets !== undefined || tokens !== undefined;
  return {
    label,
    seed,
    prompt: buildPrompt(model.vocabulary, model.layout, label, request.prompt),
    layout: model.layout.name,
    checksums: model.checksums,
    sampling: validateSampling(request.sampling ?? {}),
    logitsLength: model.logitsLength,
    packets: packets ?? (bounded ? Infinity : DEFAULT_PACKETS),
    tokens: tokens ?? Infinity,
    tries: tries ?? DEFAULT_TRIES,
    continueAfterEnd: request.continueAfterEnd ?? false,
    repair: request.repair ?? false,
    timing: model.timing?.labels[label],
    times,
    resampleTimes: request.timing === 'resample',
    startMicros: request.startMicros ?? DEFAULT_START_MICROS,
  };
}

/** Sums the traces' progress: packets where a number of them was asked for, else tokens. */
class Progress {
  private readonly tokens: number[];
  private readonly packets: number[];
  private started = Date.now();

  constructor(
    private readonly request: GenerateRequest,
    private readonly count: number,
    private readonly spec: TraceSpec,
  ) {
    this.tokens = new Array<number>(count).fill(0);
    this.packets = new Array<number>(count).fill(0);
  }

  readonly prompt = (read: number, total: number): void => {
    const tokens = `${read.toLocaleString('en')} of ${total.toLocaleString('en')} tokens`;
    this.report(0, `reading the prompt: ${tokens}`);
    this.started = Date.now();
  };

  readonly update = (trace: number, tokens: number, packets: number): void => {
    this.tokens[trace] = tokens;
    this.packets[trace] = packets;
    const drawn = sum(this.tokens);
    const rate = drawn / Math.max(1e-3, (Date.now() - this.started) / 1000);
    this.report(
      this.spec.packets < Infinity ? sum(this.packets) : drawn,
      `${Math.round(rate).toLocaleString('en')} tokens/s`,
    );
  };

  private report(done: number, detail: string): void {
    const byPackets = this.spec.packets < Infinity;
    const total = this.count * (byPackets ? this.spec.packets : this.spec.tokens);
    this.request.onProgress?.({ done, total, unit: byPackets ? 'packets' : 'tokens', detail });
  }
}

function sum(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0);
}
