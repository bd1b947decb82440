import { Rng } from '../util';
import type { BaselineGenerator } from './baselines';
import type { EvaluatedSource } from './evaluation';
import { byLabel, labelsOf } from './groups';
import { framesOfTrace, traceOfFrames, type Trace } from './traces';

/** Fits a baseline on the floor and has it make as many packets a label as the reference has, at most `most`. */
export async function runBaseline(
  baseline: BaselineGenerator,
  floor: readonly Trace[],
  reference: readonly Trace[],
  seed: number,
  most: number,
): Promise<{ traces: Trace[]; refused: Record<string, Record<string, number>> }> {
  await baseline.fit(
    floor.map((trace) => ({ label: trace.label, frames: framesOfTrace(trace) })),
    { seed },
  );
  const traces: Trace[] = [];
  const refused: Record<string, Record<string, number>> = {};
  const wanted = byLabel(reference);
  for (const label of labelsOf(floor)) {
    const lengths = (wanted.get(label) ?? []).map((t) => t.packets.length);
    const packets = Math.min(
      most,
      lengths.reduce((sum, n) => sum + n, 0),
    );
    // Labels without a single TCP or UDP packet over Ethernet teach a baseline nothing.
    if (packets === 0 || !usable(floor, label)) continue;
    const labelSeed = new Rng(seed).split(`${baseline.card.name}/${label}`).uint32();
    const { frames, refused: codes } = await baseline.generate({ label, packets, seed: labelSeed });
    refused[label] = codes;
    // As many traces of the same lengths as the reference has, as far as the packets go.
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      if (at >= frames.length && i > 0) break;
      const part = frames.slice(at, at + length);
      traces.push(traceOfFrames(label, part, `${baseline.card.name}/${label}-${i}`));
      at += length;
    }
  }
  return { traces, refused };
}

function usable(traces: readonly Trace[], label: string): boolean {
  return traces.some((t) => t.label === label && t.packets.some((p) => p.role));
}

/** Packets that came of each attempt to make one. */
export function decodeRate(traces: readonly Trace[], refused: EvaluatedSource['refused']): number | null {
  const packets = traces.reduce((sum, t) => sum + t.packets.length, 0);
  let attempts = packets;
  for (const codes of Object.values(refused)) {
    // `unfinished` is the last run, cut by the length that was asked for.
    for (const [code, n] of Object.entries(codes)) if (code !== 'unfinished') attempts += n;
  }
  return attempts === 0 ? null : packets / attempts;
}
