/** Small measurements of captures and layouts that notebooks show: loops belong here, not into cells. */
import { readCapture, type Frame } from '../capture';
import { decodeFrame } from '../packets';
import {
  encodeSession,
  getLayout,
  inputSource,
  Vocabulary,
  type DatasetInput,
  type DecodedPacket,
  type Layout,
} from '../tokens';
import { Rng } from '../util';
import { annotateTokens, fieldRanges } from '../viz';

/** The frames of the first `perLabel` inputs of each label, input by input: captures, or parts of packed files. */
export async function readByLabel(
  inputs: readonly DatasetInput[],
  perLabel: number,
): Promise<Record<string, Frame[][]>> {
  const found: Record<string, Frame[][]> = {};
  for (const input of inputs) {
    const own = (found[input.label] ??= []);
    if (own.length < perLabel) own.push((await readCapture(inputSource(input))).frames);
  }
  return found;
}

/** Seconds from each packet to the next, in order of time. */
export function gapsSeconds(frames: readonly Frame[]): number[] {
  const times = frames.map((frame) => frame.tsMicros).sort((a, b) => a - b);
  return times.slice(1).map((time, i) => (time - times[i]) / 1e6);
}

/** What layouts cost. */
export interface LayoutCost {
  label: string;
  layout: string;
  packets: number;
  tokens: number;
  tokensPerPacket: number;
}

/** Tokens a packet, `<|pkt|>` included, of each label in each layout; each capture is a sequence. */
export function layoutCosts(
  captures: Readonly<Record<string, readonly Frame[][]>>,
  layouts: readonly Layout[],
): LayoutCost[] {
  const vocabulary = new Vocabulary(Object.keys(captures));
  return Object.entries(captures).flatMap(([label, sessions]) =>
    layouts.map((layout): LayoutCost => {
      const encoded = sessions.map((frames) => encodeSession(frames, label, vocabulary, layout));
      const packets = encoded.reduce((sum, each) => sum + each.packets, 0);
      const tokens = encoded.reduce((sum, each) => sum + each.tokens.length, 0);
      return { label, layout: layout.name, packets, tokens, tokensPerPacket: tokens / packets };
    }),
  );
}

/** What became of packets on their way to tokens and back. */
export interface RoundTrip {
  layout: string;
  checksums: string;
  /** Packets that were written and read. */
  packets: number;
  /** Packets that the layout cannot hold. */
  refused: number;
  /** Those of which every kept byte is as captured. */
  identical: number;
  /** Fields that came back otherwise, and in how many packets. */
  changed: Record<string, number>;
  /** Bytes captured beyond what the layout keeps. */
  bytesNotKept: number;
}

/** Packets to tokens and back through one layout, compared byte by byte. */
export function roundTrip(frames: readonly Frame[], layout: Layout): RoundTrip {
  const linkType = frames[0]?.linkType ?? 1;
  const [encoder, decoder] = [layout.encoder({ linkType }), layout.decoder({ linkType })];
  const result: RoundTrip = {
    layout: layout.name,
    checksums: layout.checksums,
    packets: 0,
    refused: 0,
    identical: 0,
    changed: {},
    bytesNotKept: 0,
  };
  for (const frame of frames) {
    const written = encoder.encode(frame);
    const read = written.ok ? decoder.decode(written.bytes) : undefined;
    if (!read?.ok) {
      result.refused++;
      continue;
    }
    result.packets++;
    const changed = changedFields(frame, read.packet);
    if (changed.length === 0) result.identical++;
    for (const name of changed) result.changed[name] = (result.changed[name] ?? 0) + 1;
    result.bytesNotKept += Math.max(0, frame.data.length - read.packet.data.length);
  }
  return result;
}

/** Names of the fields in which the decoded packet's bytes differ from the captured ones. */
export function changedFields(frame: Frame, packet: Pick<DecodedPacket, 'data'>): string[] {
  const { data } = packet;
  const differs = (from: number, to: number): boolean => {
    for (let i = from; i < to; i++) if (data[i] !== frame.data[i]) return true;
    return false;
  };
  if (!differs(0, data.length)) return [];
  const names = fieldRanges(decodeFrame(frame))
    .filter(({ bit, bits }) => differs(bit >> 3, Math.min(data.length, (bit + bits + 7) >> 3)))
    .map(({ protocol, name }) => `${protocol} ${name}`);
  return names.length > 0 ? [...new Set(names)] : ['payload'];
}

/** What one kind of damage did. */
export interface DamageOutcome {
  field: string;
  /** Tokens replaced by another one, one at a time. */
  tries: number;
  /** The packet was refused, with a reason. */
  refused: number;
  /** Another packet came out. */
  anotherPacket: number;
  /** Packets after it, on average, that came out differently because of it. */
  laterWrong: number;
}

/**
 * Replaces tokens of a sequence by random other ones, one at a time, and decodes: field by field, what happens to the
 * packet and to those after it. A refused packet is left out, as when it is drawn anew without success.
 *
 * @param options `tries` tokens in all (default 300), drawn with `seed`.
 */
export function damageStudy(
  frames: readonly Frame[],
  layout: Layout = getLayout(),
  options: { tries?: number; seed?: number } = {},
): DamageOutcome[] {
  const rng = new Rng(options.seed ?? 1);
  const linkType = frames[0]?.linkType ?? 1;
  const packets = annotateTokens(frames, layout).filter(({ tokens }) => tokens.length > 0);
  const whole = packets.map(({ tokens }) => tokens);
  const right = decodeRuns(whole, layout, linkType);
  const outcomes = new Map<string, DamageOutcome>();
  for (let i = 0; i < (options.tries ?? 300); i++) {
    const k = rng.int(packets.length);
    const at = rng.int(whole[k].length);
    const field = packets[k].fields.find(({ from, to }) => at >= from && at < to)!.name;
    const damaged = whole[k].slice();
    damaged[at] = (damaged[at] + 1 + rng.int(255)) & 255;
    const got = decodeRuns([...whole.slice(0, k), damaged, ...whole.slice(k + 1)], layout, linkType);
    const row = outcomes.get(field) ?? { field, tries: 0, refused: 0, anotherPacket: 0, laterWrong: 0 };
    row.tries++;
    if (got[k] === undefined) row.refused++;
    else if (got[k] !== right[k]) row.anotherPacket++;
    for (let j = k + 1; j < right.length; j++) if (got[j] !== right[j]) row.laterWrong++;
    outcomes.set(field, row);
  }
  return [...outcomes.values()]
    .map((row) => ({ ...row, laterWrong: row.laterWrong / row.tries }))
    .sort((a, b) => b.tries - a.tries);
}

/** Each run's packet as text that can be compared; undefined: refused. */
function decodeRuns(runs: readonly Uint8Array[], layout: Layout, linkType: number): (string | undefined)[] {
  const decoder = layout.decoder({ linkType });
  return runs.map((run) => {
    const result = decoder.decode(run);
    return result.ok ? Buffer.from(result.packet.data).toString('latin1') : undefined;
  });
}
