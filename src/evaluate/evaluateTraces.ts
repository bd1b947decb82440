import { basename } from 'node:path';
import { NetssmError, Rng, type OnProgress } from '../util';
import type { Frame } from '../capture';
import type { BaselineGenerator } from './baselines';
import { SUITES, type Evaluation, type EvaluatedSource, type SourceRole, type Suite } from './evaluation';
import { bitShares, histograms, lane } from './figureData';
import { byLabel, labelsOf, sizeOf, sizes, statsByLabel } from './groups';
import { cutNotes, emptyNotes, labelNotes, lengthNotes } from './notes';
import type { PacketStats } from './packetStats';
import { splitReal } from './reference';
import { similarityRows } from './similarity';
import { loadTraces, traceOfFrames, type Trace, type TraceFolder } from './traces';
import { poolValidity, validityRow } from './validity';
import { constantStats, otherLabels, resampled } from './yardsticks';

export interface EvaluateOptions {
  /** Folder of real captures, labels by subfolder or manifest. */
  real: string;
  /** Folder of the captures to judge; null judges only the real ones and the baselines. */
  synthetic: string | null;
  /** Folder of real captures that nothing was fitted on. Without it they are set aside from `real`. */
  heldOut?: string;
  /** Trivial generators to stand beside; `trivialBaselines()` of `netssm/generators`. */
  baselines?: readonly BaselineGenerator[];
  /** Default: all. */
  suites?: readonly string[];
  seed?: number;
  /** Packets read a label (and split) at most, the first ones of each capture; default 200,000. */
  maxPackets?: number;
  /**
   * Only the first packets of every capture, on all sides: where a generator was asked for traces of that many. The
   * start of a session has more handshakes and fewer large packets than the whole.
   */
  firstPackets?: number;
  /** Packets a baseline generates a label at most; default 4,000. */
  baselinePackets?: number;
  /** Goes into the result as it is: engine, versions, command. */
  provenance?: Record<string, string>;
  onProgress?: OnProgress;
}

interface Source extends EvaluatedSource {
  traces: Trace[];
}

/**
 * Judges captures against real ones. The reference is real captures that nothing was fitted on; everything else is
 * compared with it: the judged captures, the remaining real ones (the floor), trivial baselines fitted on those, and
 * yardsticks. Prompt packets are never counted.
 *
 * @throws NetssmError `suite_unknown`, `labels_disjoint`, and those of reading captures.
 */
export async function evaluateTraces(options: EvaluateOptions): Promise<Evaluation> {
  const { seed = 0, onProgress, maxPackets, baselinePackets = 4000 } = options;
  const suites = checkSuites(options.suites);
  const read = (path: string): Promise<TraceFolder> =>
    loadTraces(path, { maxPackets, firstPackets: options.firstPackets, onProgress });
  const real = await read(options.real);
  const synthetic = options.synthetic === null ? null : await read(options.synthetic);
  const heldOut = options.heldOut === undefined ? null : await read(options.heldOut);
  const { reference, floor, floorKind, notes: splitNotes } = splitReal(real, heldOut, seed);
  const notes = [...splitNotes, ...cutNotes([real, synthetic, heldOut]), ...emptyNotes(sizes(reference))];

  const sources: Source[] = [];
  const add = (
    name: string,
    role: SourceRole,
    description: string,
    traces: Trace[],
    more: Partial<Source> = {},
  ): void => {
    sources.push({
      name,
      role,
      description,
      traces,
      perLabel: sizes(traces),
      refused: {},
      decodeRate: null,
      promptPackets: 0,
      ...more,
    });
  };
  if (synthetic) {
    const { traces, path, refused, generated } = synthetic;
    const promptPackets = traces.reduce((sum, t) => sum + t.promptPackets, 0);
    add('synthetic', 'synthetic', `captures of ${path}`, traces, {
      path,
      refused,
      promptPackets,
      decodeRate: generated ? decodeRate(traces, refused) : null,
    });
    notes.push(...labelNotes(labelsOf(reference), labelsOf(traces)), ...lengthNotes(reference, traces));
  }
  if (floor.length > 0) {
    add('real', 'floor', `real captures of the same labels (${floorKind})`, floor, { path: real.path });
  }
  for (const baseline of options.baselines ?? []) {
    if (floor.length === 0) break;
    onProgress?.({ done: 0, unit: 'packets', detail: `baseline ${baseline.card.name}` });
    const { traces, refused } = await runBaseline(baseline, floor, reference, seed, baselinePackets);
    add(baseline.card.name, 'baseline', baseline.card.description, traces, {
      refused,
      decodeRate: decodeRate(traces, refused),
    });
  }

  const evaluation: Evaluation = {
    format: 'netssm-evaluation',
    version: 1,
    date: new Date().toISOString(),
    seed,
    suites,
    provenance: {
      node: process.version,
      ...(options.firstPackets ? { 'packets a capture': `the first ${options.firstPackets}` } : {}),
      ...options.provenance,
    },
    reference: { path: heldOut?.path ?? real.path, floorKind, perLabel: sizes(reference) },
    sources: [],
    similarity: [],
    validity: [],
    notes,
    figures: { bitsOne: {}, histograms: {}, lanes: [] },
  };
  if (suites.includes('similarity')) compareAll(evaluation, reference, sources, seed);
  if (suites.includes('validity')) {
    for (const source of [{ name: 'reference', traces: reference }, ...sources]) {
      const rows = [...byLabel(source.traces)].map(([label, traces]) =>
        validityRow(source.name, label, traces),
      );
      if (rows.length > 0) evaluation.validity.push(...rows, poolValidity(rows));
    }
  }
  evaluation.sources.unshift(...sources.map(({ traces: _, ...source }) => source));
  evaluation.figures.lanes = lanes(reference, synthetic?.traces ?? []);
  return evaluation;
}

/** Similarity of every source, and the yardsticks, which have no traces of their own. */
function compareAll(
  evaluation: Evaluation,
  reference: Trace[],
  sources: readonly Source[],
  seed: number,
): void {
  const referenceStats = statsByLabel(reference);
  const { similarity, figures } = evaluation;
  figures.bitsOne.reference = bitShares(referenceStats, referenceStats);
  const shown = new Map([['reference', referenceStats]]);
  const floorStats = new Map<string, PacketStats>();
  for (const source of sources) {
    const stats = statsByLabel(source.traces);
    similarity.push(...similarityRows(source.name, referenceStats, stats));
    if (source.role === 'floor') for (const [label, s] of stats) floorStats.set(label, s);
    if (source.role === 'synthetic' || source.role === 'floor') {
      shown.set(source.name, stats);
      figures.bitsOne[source.name] = bitShares(stats, referenceStats);
    }
  }
  figures.histograms = histograms(shown);
  const judged =
    sources.find(({ role }) => role === 'synthetic') ?? sources.find(({ role }) => role === 'floor');
  const size = (label: string): number => judged?.perLabel[label]?.packets ?? 0;
  const yardstick = (
    name: string,
    description: string,
    stats: Map<string, PacketStats>,
    pooled = true,
  ): void => {
    if (stats.size === 0) return;
    similarity.push(...similarityRows(name, referenceStats, stats, pooled));
    const perLabel = Object.fromEntries([...stats].map(([label, s]) => [label, sizeOf(s, 0)]));
    evaluation.sources.push({
      name,
      role: 'yardstick',
      description,
      perLabel,
      refused: {},
      decodeRate: null,
      promptPackets: 0,
    });
  };
  yardstick(
    'sampling',
    `packets drawn from the reference itself, as many as ${judged?.name ?? 'nothing'} has: the distance that sample size alone causes`,
    resampled(reference, size, seed),
  );
  yardstick('other labels', 'real packets of all the other labels together', otherLabels(floorStats), false); // Pooled, the others of all labels are all labels again.
  yardstick(
    'constant',
    "each bit and field always at its most frequent value in the label's real packets",
    constantStats(floorStats),
  );
}

async function runBaseline(
  baseline: BaselineGenerator,
  floor: readonly Trace[],
  reference: readonly Trace[],
  seed: number,
  most: number,
): Promise<{ traces: Trace[]; refused: Record<string, Record<string, number>> }> {
  await baseline.fit(
    floor.map(({ label, packets }) => ({ label, frames: packets.map(toFrame) })),
    { seed },
  );
  const traces: Trace[] = [];
  const refused: Record<string, Record<string, number>> = {};
  const wanted = byLabel(reference);
  for (const label of labelsOf(floor)) {
    const packets = Math.min(
      most,
      (wanted.get(label) ?? []).reduce((sum, t) => sum + t.packets.length, 0),
    );
    // Labels without a single TCP or UDP packet over Ethernet teach a baseline nothing.
    if (packets === 0 || !usable(floor, label)) continue;
    const labelSeed = new Rng(seed).split(`${baseline.card.name}/${label}`).uint32();
    const output = await baseline.generate({ label, packets, seed: labelSeed });
    traces.push(traceOfFrames(label, output.frames, `${baseline.card.name}/${label}`));
    refused[label] = output.refused;
  }
  return { traces, refused };
}

function usable(traces: readonly Trace[], label: string): boolean {
  return traces.some((t) => t.label === label && t.packets.some((p) => p.role));
}

/** Packets that came of each attempt to make one. */
function decodeRate(traces: readonly Trace[], refused: EvaluatedSource['refused']): number | null {
  const packets = traces.reduce((sum, t) => sum + t.packets.length, 0);
  let attempts = packets;
  for (const codes of Object.values(refused)) {
    // `unfinished` is the last run, cut by the length that was asked for.
    for (const [code, n] of Object.entries(codes)) if (code !== 'unfinished') attempts += n;
  }
  return attempts === 0 ? null : packets / attempts;
}

function toFrame(packet: Trace['packets'][number]): Frame {
  const { data, wireLen, tsMicros, linkType } = packet;
  return { data, wireLen, tsMicros, tsNanos: 0, linkType, interfaceId: 0 };
}

function lanes(reference: readonly Trace[], synthetic: readonly Trace[]): Evaluation['figures']['lanes'] {
  const longest = (traces: readonly Trace[], label?: string): Trace | undefined =>
    traces
      .filter((t) => label === undefined || t.label === label)
      .reduce<Trace | undefined>(
        (best, t) => (t.packets.length > (best?.packets.length ?? 0) ? t : best),
        undefined,
      );
  const common = synthetic.filter((t) => reference.some((r) => r.label === t.label));
  const judged = longest(common);
  const real = longest(reference, judged?.label);
  return [...(real ? [lane('reference', real)] : []), ...(judged ? [lane('synthetic', judged)] : [])].map(
    (l) => ({ ...l, file: basename(l.file) }),
  );
}

function checkSuites(asked: readonly string[] | undefined): Suite[] {
  for (const name of asked ?? []) {
    if (!SUITES.includes(name as Suite)) {
      throw new NetssmError('suite_unknown', `unknown suite "${name}"`, {
        hint: `Suites: ${SUITES.join(', ')}.`,
        exitCode: 2,
      });
    }
  }
  return SUITES.filter((name) => asked === undefined || asked.includes(name));
}
