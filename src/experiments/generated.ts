import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture, writePcap, type Frame } from '../capture';
import { traceOfFrames, type JudgedSource, type Trace } from '../evaluate';
import {
  firstTryRate,
  generateTraces,
  loadModel,
  type LoadedModel,
  type Sampling,
  type TraceReport,
} from '../generate';
import { NetssmError, Rng, type OnProgress } from '../util';

/** The judged source's name in all tables. */
export const MODEL_SOURCE = 'netssm';

/** A real trace whose first packet is the prompt. */
export interface Twin {
  /** As in {@link realTraces}: the trace's `path`. */
  path: string;
  frames: readonly Frame[];
}

export interface GenerateTwinsOptions {
  /** Model or run folder, or `demo`. */
  model: string;
  label: string;
  twins: readonly Twin[];
  /** Packets of each trace in all, the prompt's included; as many as the twin has where that is less. */
  packets: number;
  /** A trace ends where the model ends it, or at `packets` (which must be finite), however long its twin is. Default false. */
  ownLength?: boolean;
  sampling: Sampling;
  /** How often a packet that does not decode is drawn. */
  tries: number;
  /** Never draw the end of a trace: all have the length that is asked for. */
  continueAfterEnd?: boolean;
  seed: number;
  /** Where the captures go: `<label>-000.pcap` ... */
  dir: string;
  threads: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** One generated capture. */
export interface GeneratedTwin {
  file: string;
  twin: string;
  promptPackets: number;
  /** Packets of the twin, at most those asked for, and drawn; the prompt's not counted. */
  twinPackets: number;
  packets: number;
  stopped: TraceReport['stopped'];
}

/** What a model made of one label. */
export interface GeneratedLabel {
  label: string;
  layout: string;
  files: GeneratedTwin[];
  /** Tokens drawn; packets that decoded, at the first try, and that were given up. */
  tokens: number;
  packets: number;
  firstTry: number | null;
  skipped: number;
  refused: Record<string, number>;
  /** Twins whose first packets the layout cannot hold. */
  withoutPrompt: number;
}

/** Packets at a twin's start among which the prompt is looked for: the first that the layout holds. */
const PROMPT_SEARCH = 20;

/**
 * Generates a trace for each twin: prompt = the twin's first packet, raw output, no repair. Same seed, same captures.
 *
 * @throws NetssmError `label_unknown` and what generating throws.
 */
export async function generateTwins(options: GenerateTwinsOptions): Promise<GeneratedLabel> {
  const { label, twins, dir, seed, signal } = options;
  const model = await loadModel(options.model);
  mkdirSync(dir, { recursive: true });
  const files: GeneratedTwin[] = [];
  const reports: TraceReport[] = [];
  let withoutPrompt = 0;
  for (const [i, twin] of twins.entries()) {
    if (signal?.aborted) throw new NetssmError('aborted', `stopped after ${i} of ${twins.length} traces`);
    const prompt = firstUsable(model, twin.frames);
    const twinPackets = Math.min(options.packets, twin.frames.length) - 1;
    if (!prompt || twinPackets < 1) {
      withoutPrompt++;
      continue;
    }
    const [trace] = await generateTraces({
      model,
      label,
      packets: options.ownLength && options.packets < Infinity ? options.packets - 1 : twinPackets,
      prompt: [prompt],
      seed: new Rng(seed).split(`generate/${label}/${twin.path}`).uint32(),
      sampling: options.sampling,
      tries: options.tries,
      continueAfterEnd: options.continueAfterEnd,
      jobs: options.threads,
      signal,
    });
    if (!trace || trace.report.stopped === 'aborted')
      throw new NetssmError('aborted', `stopped after ${i} of ${twins.length} traces`);
    const file = `${label}-${String(files.length).padStart(3, '0')}.pcap`;
    writePcap(join(dir, file), trace.frames, { linkType: trace.frames[0].linkType });
    const { packets, stopped } = trace.report;
    files.push({ file, twin: twin.path, promptPackets: trace.promptPackets, twinPackets, packets, stopped });
    reports.push(trace.report);
    options.onProgress?.({ done: i + 1, total: twins.length, unit: 'traces', detail: label });
  }
  const sum = (key: 'tokens' | 'packets' | 'skipped'): number => reports.reduce((n, r) => n + r[key], 0);
  const refused: Record<string, number> = {};
  for (const report of reports)
    for (const [code, n] of Object.entries(report.refused)) refused[code] = (refused[code] ?? 0) + n;
  return {
    label,
    layout: model.layout.name,
    files,
    tokens: sum('tokens'),
    packets: sum('packets'),
    firstTry: firstTryRate(...reports) ?? null,
    skipped: sum('skipped'),
    refused,
    withoutPrompt,
  };
}

function firstUsable(model: LoadedModel, frames: readonly Frame[]): Frame | undefined {
  return frames
    .slice(0, PROMPT_SEARCH)
    .find((frame) => model.layout.encoder({ linkType: frame.linkType }).encode(frame).ok);
}

/** The captures of {@link generateTwins}, read again as traces that know their twins. */
export async function readGenerated(
  dir: string,
  sets: readonly GeneratedLabel[],
  name: string,
  packets: number | null = null,
): Promise<JudgedSource> {
  const traces: Trace[] = [];
  const refused: Record<string, Record<string, number>> = {};
  for (const { label, files, refused: codes } of sets) {
    refused[label] = codes;
    for (const { file, twin, promptPackets } of files) {
      const { frames } = await readCapture(join(dir, file));
      const cut = frames.slice(0, packets ?? undefined);
      traces.push(traceOfFrames(label, cut, file, { promptPackets, twin }));
    }
  }
  return { name, role: 'synthetic', description: `generated by ${name}, prompt one packet`, traces, refused };
}

/** Labels that a model folder knows. @throws NetssmError `model_missing`. */
export async function modelLabels(model: string): Promise<readonly string[]> {
  return (await loadModel(model, { engine: 'loops' })).labels;
}
