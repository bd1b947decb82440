import type { Frame } from '../capture/frame';
import { drawGap, drawGapOfBin } from '../tokens';
import type { DecodedPacket, PlacedRefusal } from '../tokens';
import type { Rng } from '../util';
import type { DecodeHooks, DecodeJob } from './decode';
import { repairFrame } from './repair';
import { namedTrace, type GeneratedTrace, type TraceReport } from './trace';

/** Refusals that a report lists one by one; beyond only their codes are counted. */
export const REFUSALS_LISTED = 1000;

/** Packets and refusals on their way into a trace. */
export class TraceCollector {
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
      tries: 0,
      firstTry: 0,
      skipped: 0,
      refused: {},
      refusals: [],
      problems: {},
      promptRefused: { ...job.prompt.refused },
      repaired: {},
    };
    const frames = [...job.prompt.frames];
    const { label, index, seed } = job;
    this.trace = namedTrace({ label, index, seed, frames, promptPackets: frames.length, report });
    for (const frame of frames) hooks.onFrame?.(frame, true);
    this.micros = frames.length > 0 ? frames[frames.length - 1].tsMicros : job.startMicros;
  }

  refuse(refusal: PlacedRefusal): void {
    const { report } = this.trace;
    if (report.refusals.length < REFUSALS_LISTED) report.refusals.push(refusal);
    count(report.refused, refusal.code);
  }

  /** `timeBin`: of the gap before it, where a time token told it. */
  add(packet: DecodedPacket, timeBin?: number): void {
    const { frames, report } = this.trace;
    if (frames.length > 0) this.micros += this.gap(timeBin);
    let frame: Frame = {
      data: packet.data,
      wireLen: packet.wireLen,
      tsMicros: this.micros,
      tsNanos: 0,
      linkType: packet.linkType,
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

  private gap(timeBin: number | undefined): number {
    const { times, timing, resampleTimes } = this.job;
    return times && timeBin !== undefined && !resampleTimes
      ? drawGapOfBin(times, timeBin, timing, this.rng)
      : drawGap(timing, this.rng);
  }
}

function count(counts: Record<string, number>, code: string): void {
  counts[code] = (counts[code] ?? 0) + 1;
}
