import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture, writePcap, type Frame } from '../capture';
import { framesOfTrace, traceOfFrames, type Trace } from '../evaluate';
import { trivialBaselines } from '../generators';
import { NetssmError, Rng } from '../util';
import type { MixingSide } from './mixingJob';

/** Names of the trivial rivals, in the order of the tables. */
export const RIVALS: readonly string[] = trivialBaselines().map(({ card }) => card.name);

const SPLITS = ['train', 'test'] as const;
type Split = (typeof SPLITS)[number];

export interface RivalRequest {
  /** One of {@link RIVALS}. */
  name: string;
  real: MixingSide;
  /** Packets of each class and split at most; no more than the real side has. */
  packets: number;
  seed: number;
}

/** What a rival made of one class for one split, and how long the real traces are as which it is to be cut. */
interface Drawn {
  split: Split;
  label: string;
  frames: Frame[];
  lengths: number[];
}

async function drawRival({ name, real, packets, seed }: RivalRequest): Promise<Drawn[]> {
  const rival = trivialBaselines().find(({ card }) => card.name === name);
  if (!rival)
    throw new NetssmError('rival_unknown', `there is no rival "${name}"`, {
      hint: `Rivals: ${RIVALS.join(', ')}.`,
      exitCode: 2,
    });
  await rival.fit(
    real.train.map((trace) => ({ label: trace.label, frames: framesOfTrace(trace) })),
    { seed },
  );
  const drawn: Drawn[] = [];
  for (const split of SPLITS)
    for (const label of new Set(real.train.map((trace) => trace.label))) {
      const own = real[split].filter((trace) => trace.label === label);
      const lengths = own.map((trace) => trace.packets.length);
      const most = Math.min(
        packets,
        lengths.reduce((a, b) => a + b, 0),
      );
      if (most === 0) continue;
      const drawSeed = new Rng(seed).split(`mixing/${name}/${split}/${label}`).uint32();
      const { frames } = await rival.generate({ label, packets: most, seed: drawSeed });
      if (frames.length > 0) drawn.push({ split, label, frames, lengths });
    }
  return drawn;
}

function tracesOf(name: string, drawn: readonly Drawn[]): MixingSide {
  const sides: Record<Split, Trace[]> = { train: [], test: [] };
  for (const { split, label, frames, lengths } of drawn) {
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      const part = frames.slice(at, at + length);
      if (part.length > 0) sides[split].push(traceOfFrames(label, part, `${name}/${label}-${i}`));
      at += length;
    }
  }
  return sides;
}

/**
 * A trivial rival, fitted on the training traces, as traces of the lengths of the real ones of either split, as far as
 * the packets go.
 *
 * @throws NetssmError `rival_unknown`.
 */
export async function rivalSide(request: RivalRequest): Promise<MixingSide> {
  return tracesOf(request.name, await drawRival(request));
}

/** Captures of {@link makeRival}. */
export interface RivalCaptures {
  name: string;
  files: { split: Split; label: string; file: string; lengths: number[] }[];
}

/** {@link rivalSide} as captures in a folder, so that it is made once for all jobs. @throws NetssmError `rival_unknown`. */
export async function makeRival(request: RivalRequest, dir: string): Promise<RivalCaptures> {
  const drawn = await drawRival(request);
  mkdirSync(dir, { recursive: true });
  const files = drawn.map(({ split, label, frames, lengths }) => {
    const file = `${split}-${label}.pcap`;
    writePcap(join(dir, file), frames, { linkType: frames[0].linkType });
    return { split, label, file, lengths };
  });
  return { name: request.name, files };
}

/** The captures of {@link makeRival} as traces. */
export async function readRival({ name, files }: RivalCaptures, dir: string): Promise<MixingSide> {
  const drawn: Drawn[] = [];
  for (const { split, label, file, lengths } of files)
    drawn.push({ split, label, lengths, frames: (await readCapture(join(dir, file))).frames });
  return tracesOf(name, drawn);
}
