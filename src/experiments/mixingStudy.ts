import { framesOfTrace, traceOfFrames, type Trace, type UtilityTask } from '../evaluate';
import { generateTraces, type LoadedModel } from '../generate';
import { NetssmError, Rng, type OnProgress } from '../util';
import type { ResultFigure, ResultTable } from './experiment';
import { MODEL_SOURCE } from './generated';
import { mixingJob, type MixingRequest, type MixingResult, type MixingSide } from './mixingJob';
import { RIVALS, rivalSide } from './rivals';
import { mixingDetails, mixingFigures, mixingTables } from './tablesMixing';

/** What {@link promptedTraces} draws. */
export interface PromptedOptions {
  /** Packets of each trace, the prompt's not counted. */
  packets: number;
  seed: number;
  /** How often a packet that does not decode is drawn. Default 100. */
  tries?: number;
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** Packets at a trace's start among which the first that the layout holds is looked for. */
const SEARCHED = 20;

/**
 * A generated trace for each real one, which is its twin: prompt = the first packet, raw output at temperature 1. Twins
 * whose first packets the layout cannot hold have none. In memory, for notebooks; `generateTwins` writes captures.
 *
 * @throws NetssmError `aborted`, and what generating throws.
 */
export async function promptedTraces(
  model: LoadedModel,
  twins: readonly Trace[],
  options: PromptedOptions,
): Promise<Trace[]> {
  const { packets, seed, tries, onProgress, signal } = options;
  const traces: Trace[] = [];
  for (const [i, twin] of twins.entries()) {
    const prompt = framesOfTrace(twin)
      .slice(0, SEARCHED)
      .find((frame) => model.layout.encoder({ linkType: frame.linkType }).encode(frame).ok);
    if (!prompt) continue;
    const [trace] = await generateTraces({
      model,
      label: twin.label,
      packets,
      prompt: [prompt],
      seed: new Rng(seed).split(`prompted/${twin.label}/${twin.path}`).uint32(),
      tries,
      jobs: 1,
      signal,
    });
    if (!trace || trace.report.stopped === 'aborted')
      throw new NetssmError('aborted', `stopped after ${i} of ${twins.length} traces`);
    const { frames, promptPackets } = trace;
    traces.push(
      traceOfFrames(twin.label, frames, `generated/${twin.path}`, { promptPackets, twin: twin.path }),
    );
    onProgress?.({ done: i + 1, total: twins.length, unit: 'traces', detail: twin.label });
  }
  return traces;
}

/** A small mixing-rate experiment in memory: what `netssm experiment mixing-rate` does in a run folder. */
export interface MixingStudyRequest extends Omit<
  MixingRequest,
  'source' | 'synthetic' | 'judged' | 'features' | 'rates'
> {
  /** Generated traces that are judged. */
  generated: MixingSide;
  features: readonly UtilityTask[];
  rates: readonly number[];
  /** Trivial rivals beside, at `rivalRates`. Default: all four, at rate 1. */
  rivals?: readonly string[];
  rivalRates?: readonly number[];
  /** Packets of each class that a rival makes at most. */
  rivalPackets: number;
}

export interface MixingStudy {
  results: MixingResult[];
  /** As in a run's metrics: `fig2`, `mixing-rates`, `importances`. */
  tables: ResultTable[];
  /** `fig2-packet`, `appFig1-packet` ... */
  figures: ResultFigure[];
  /** Of the first seed's forests at the ends of the scale: `packet, app, real, rate 0` ... */
  confusion: Record<string, { classes: string[]; counts: number[][] }>;
}

/** Trains and tests everything once for each seed; see {@link mixingJob}. */
export async function mixingStudy(request: MixingStudyRequest): Promise<MixingStudy> {
  const { generated, features, rivals = RIVALS, rivalRates = [1], rivalPackets, rates, ...shared } = request;
  const synthetic: Record<string, MixingSide> = { [MODEL_SOURCE]: generated };
  for (const name of rivals)
    synthetic[name] = await rivalSide({ name, real: shared.real, packets: rivalPackets, seed: shared.seed });
  const sources = [null, MODEL_SOURCE, ...rivals];
  const results: MixingResult[] = [];
  for (const [i, source] of sources.entries())
    for (const kind of features) {
      shared.onProgress?.({ done: i, total: sources.length, unit: 'sources', detail: source ?? 'real' });
      const own =
        source === null ? [0] : (source === MODEL_SOURCE ? rates : rivalRates).filter((rate) => rate > 0);
      results.push(
        ...(await mixingJob({
          ...shared,
          onProgress: undefined,
          source,
          synthetic,
          judged: MODEL_SOURCE,
          features: kind,
          rates: own,
        })),
      );
    }
  return {
    results,
    tables: mixingTables(results, MODEL_SOURCE),
    figures: mixingFigures(results, MODEL_SOURCE),
    confusion: mixingDetails(results).confusion as MixingStudy['confusion'],
  };
}
