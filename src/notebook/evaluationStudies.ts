/** Real and generated traces, and what distances between them cost and hide: for the notebooks on evaluation. */
import { existsSync } from 'node:fs';
import type { TestbedDataset, TestbedSession } from '../flows';
import {
  bitDistances,
  extractSegments,
  flowTrace,
  HEADER_LEVELS,
  matchSegments,
  statsOf,
  traceOfFrames,
  type JudgedSource,
  type PacketStats,
  type SegmentMatch,
  type SegmentRule,
  type Trace,
  type TracePacket,
  type TrueObject,
} from '../evaluate';
import { generateTraces, loadModel } from '../generate';
import { modelFolder } from '../generate/model';
import { locateNprint } from '../packets/nprint/locate';
import { Rng } from '../util';

/** Real traces, those that generators may learn from and those held back. */
export interface HeldOutTraces {
  training: Trace[];
  reference: Trace[];
}

/** The first `perClass` sessions of each class and split, cut to their first `firstPackets` packets. */
export function sessionTraces(
  { sessions, classes }: TestbedDataset,
  perClass: number,
  firstPackets = Infinity,
): HeldOutTraces {
  const of = (split: 'train' | 'test'): Trace[] =>
    classes.flatMap((label) =>
      sessions
        .filter((session) => session.label === label && session.split === split)
        .slice(0, perClass)
        .map((session) => {
          const frames = session.frames();
          return traceOfFrames(label, frames.slice(0, Math.min(frames.length, firstPackets)), session.id, {
            split,
            service: session.service,
            truth: trueObjects(session),
          });
        }),
    );
  return { training: of('train'), reference: of('test') };
}

/** What a session really served, as segments are matched with it. */
export function trueObjects(session: TestbedSession): TrueObject[] {
  return session.truth.objects.map(({ at, bytes, clientPort }) => ({ start: at, bytes, flow: clientPort }));
}

/** What {@link modelTraces} draws. */
export interface ModelTracesOptions {
  /** Traces of each label. Default 2. */
  count?: number;
  /** Packets of each trace. Default 300. */
  packets?: number;
  seed?: number;
}

/**
 * Traces of a model (its folder, or the name of a shipped one) for those of `labels` that it knows, as a source to be
 * judged. Empty, and no error, where there is no such model or no such label: then the tables go without.
 */
export async function modelTraces(
  name: string,
  labels: Iterable<string>,
  options: ModelTracesOptions = {},
): Promise<JudgedSource[]> {
  const { count = 2, packets = 300, seed = 1 } = options;
  if (!existsSync(modelFolder(name))) return [];
  const model = await loadModel(name);
  const traces: Trace[] = [];
  const refused: Record<string, Record<string, number>> = {};
  for (const label of new Set(labels)) {
    if (!model.labels.includes(label)) continue;
    const drawn = await generateTraces({ model, label, count, packets, seed });
    const counts = (refused[label] = {} as Record<string, number>);
    drawn.forEach(({ frames, promptPackets, report }, i) => {
      traces.push(traceOfFrames(label, frames, `generated/${label}-${i}`, { promptPackets }));
      for (const [code, n] of Object.entries(report.refused)) counts[code] = (counts[code] ?? 0) + n;
    });
  }
  if (traces.length === 0) return [];
  const description = `drawn from the model ${name}, ${packets} packets a trace`;
  return [{ name: 'synthetic', description, traces, refused }];
}

const TCP_COLUMNS = HEADER_LEVELS.find(({ name }) => name === 'tcp')!.columns;

/** Mean base-2 JS distance over the 480 TCP bits (NetSSM's header level), or over some of the 1,024 nPrint columns. */
export function headerDistance(
  a: PacketStats,
  b: PacketStats,
  columns: readonly number[] = TCP_COLUMNS,
): number {
  return bitDistances(a.bits, b.bits, columns).jsDistance;
}

/** Those of the 480 TCP bits that are not the same in all packets of all the given statistics. */
export function varyingBits(...stats: readonly PacketStats[]): number[] {
  return TCP_COLUMNS.filter((column) => {
    // 1, 0 and absent: constant where all packets of all sides have the same one.
    const [ones, zeros, absent] = [0, 1, 2].map((k) =>
      stats.some(({ bits }) => bits.marginal(column)[k] > 0),
    );
    return Number(ones) + Number(zeros) + Number(absent) > 1;
  });
}

/** The distance of one number of packets a side. */
export interface SamplingError {
  packets: number;
  /** Mean and range over the draws. */
  mean: number;
  low: number;
  high: number;
}

/**
 * The header distance between two disjoint random samples of the *same* packets: what sample size alone costs. Sizes of
 * which there are not twice as many packets are left out.
 */
export function samplingError(
  packets: readonly TracePacket[],
  sizes: readonly number[],
  options: { draws?: number; seed?: number } = {},
): SamplingError[] {
  const { draws = 5, seed = 1 } = options;
  const rng = new Rng(seed).split('sampling error');
  const tcp = packets.filter(({ data, linkType }) => {
    const at = locateNprint(data, linkType);
    return at.ok && at.transport === 'tcp';
  });
  return sizes
    .filter((size) => 2 * size <= tcp.length)
    .map((size) => {
      const distances = Array.from({ length: draws }, () => {
        const pool = tcp.slice();
        for (let i = 0; i < 2 * size; i++) {
          const j = i + rng.int(pool.length - i);
          [pool[i], pool[j]] = [pool[j], pool[i]];
        }
        return headerDistance(statsOf(pool.slice(0, size)), statsOf(pool.slice(size, 2 * size)));
      });
      const mean = distances.reduce((a, b) => a + b, 0) / draws;
      return { packets: size, mean, low: Math.min(...distances), high: Math.max(...distances) };
    });
}

/** How well a rule finds the media segments of a session, and what it found. */
export interface SegmentJudgement extends SegmentMatch {
  session: string;
  /** Bytes of each segment found, and of each object served. */
  sizes: number[];
  served: number[];
}

/**
 * Cuts a session into segments by a rule, among the servers that sent video and sound, and holds them against the objects
 * that were served: `minObjectBytes` and more (smaller ones are play lists).
 */
export function judgeSegments(
  session: TestbedSession,
  rule: SegmentRule,
  minObjectBytes = 4096,
): SegmentJudgement {
  const media = session.truth.objects.filter(({ kind }) => kind === 'video' || kind === 'audio');
  const servers = [...new Set(media.flatMap(({ server }) => server ?? []))];
  const objects = session.truth.objects
    .filter(
      ({ bytes, server }) => bytes >= minObjectBytes && server !== undefined && servers.includes(server),
    )
    .map(({ at, bytes, clientPort }) => ({ start: at, bytes, flow: clientPort }));
  const trace = flowTrace(session.frames());
  const segments = extractSegments(trace, { ...rule, names: undefined, servers });
  return {
    session: session.id,
    ...matchSegments(trace, segments, objects),
    sizes: segments.map(({ bytes }) => bytes),
    served: objects.map(({ bytes }) => bytes),
  };
}
