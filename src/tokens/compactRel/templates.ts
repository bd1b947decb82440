import { putU32, u32 } from './numbers';

/*
 * TCP options as template and contents. A flow's packets differ in their timestamps (kind 8, length 10) and SACK
 * blocks (kind 5), hardly ever in which options there are; so the contents of these two are cut out, and what is left,
 * the template, is named by a slot (RFC 9293 section 3.1, RFC 7323, RFC 2018).
 */

/** A TCP header holds at most so many bytes of options. */
export const MAX_OPTION_BYTES = 40;

export interface Template {
  /** The options without the contents of timestamps and SACK. */
  readonly bytes: Uint8Array;
  /** What was cut out, in order: 0 = timestamps, n = SACK of n blocks. */
  readonly parts: readonly number[];
  /** 32-bit words that were cut out: 2 for timestamps, 2 a block for SACK. */
  readonly words: number;
  /** Bytes of the options with their contents. */
  readonly optionBytes: number;
  readonly hasTimestamps: boolean;
}

const TIMESTAMPS = 8;
const SACK = 5;

/** 0 for timestamps, n for SACK of n blocks, -1 for options that stay in the template. */
function dynamicPart(kind: number, length: number): number {
  if (kind === TIMESTAMPS && length === 10) return 0;
  if (kind === SACK && length >= 10 && length <= 34 && (length - 2) % 8 === 0) return (length - 2) / 8;
  return -1;
}

const wordsOf = (part: number) => (part === 0 ? 2 : 2 * part);

/**
 * A template from its own bytes (as a packet's tokens give it). Undefined where the options are malformed, exceed 40
 * bytes with their contents, or do not fill whole words.
 */
export function readTemplate(bytes: Uint8Array): Template | undefined {
  const parts: number[] = [];
  let words = 0;
  for (let i = 0; i < bytes.length;) {
    const kind = bytes[i];
    if (kind === 0) break;
    if (kind === 1) {
      i++;
      continue;
    }
    if (i + 1 >= bytes.length || bytes[i + 1] < 2) return undefined;
    const part = dynamicPart(kind, bytes[i + 1]);
    if (part >= 0) {
      parts.push(part);
      words += wordsOf(part);
      i += 2;
    } else {
      i += bytes[i + 1];
      if (i > bytes.length) return undefined;
    }
  }
  const optionBytes = bytes.length + 4 * words;
  if (optionBytes > MAX_OPTION_BYTES || optionBytes % 4 !== 0) return undefined;
  return { bytes, parts, words, optionBytes, hasTimestamps: parts.includes(0) };
}

function preset(...bytes: number[]): Template {
  const template = readTemplate(Uint8Array.from(bytes));
  if (!template) throw new RangeError(`preset ${bytes.join(' ')} is no template`);
  return template;
}

/** Slots 0-7 of every sequence. */
export const PRESETS: readonly Template[] = [
  preset(),
  preset(1, 1, 8, 10),
  preset(1, 1, 5, 10),
  preset(1, 1, 5, 18),
  preset(1, 1, 5, 26),
  preset(1, 1, 8, 10, 1, 1, 5, 10),
  preset(1, 1, 8, 10, 1, 1, 5, 18),
  preset(1, 1, 8, 10, 1, 1, 5, 26),
];

export function sameTemplate(a: Template, bytes: Uint8Array, length: number): boolean {
  if (a.bytes.length !== length) return false;
  for (let i = 0; i < length; i++) if (a.bytes[i] !== bytes[i]) return false;
  return true;
}

const scratch = new Uint8Array(MAX_OPTION_BYTES);

/**
 * Options [from, to) of a TCP header to template and contents. Undefined where an option has no length, or one that
 * is too short or too long: such a packet cannot be rebuilt from fields.
 * @param dynamic receives the words that are cut out.
 */
export function parseOptions(
  bytes: Uint8Array,
  from: number,
  to: number,
  dynamic: Int32Array,
): Template | undefined {
  if (from === to) return PRESETS[0];
  if (
    to - from === 12 &&
    bytes[from] === 1 &&
    bytes[from + 1] === 1 &&
    bytes[from + 2] === TIMESTAMPS &&
    bytes[from + 3] === 10
  ) {
    dynamic[0] = u32(bytes, from + 4);
    dynamic[1] = u32(bytes, from + 8);
    return PRESETS[1];
  }
  let length = 0;
  let words = 0;
  for (let i = from; i < to;) {
    const kind = bytes[i];
    if (kind === 0) {
      while (i < to) scratch[length++] = bytes[i++];
      break;
    }
    if (kind === 1) {
      scratch[length++] = 1;
      i++;
      continue;
    }
    if (i + 1 >= to) return undefined;
    const size = bytes[i + 1];
    if (size < 2 || i + size > to) return undefined;
    const part = dynamicPart(kind, size);
    const copied = part >= 0 ? 2 : size;
    for (let k = 0; k < copied; k++) scratch[length++] = bytes[i + k];
    for (let k = copied; k < size; k += 4) dynamic[words++] = u32(bytes, i + k);
    i += size;
  }
  for (let slot = 2; slot < PRESETS.length; slot++)
    if (sameTemplate(PRESETS[slot], scratch, length)) return PRESETS[slot];
  return readTemplate(scratch.slice(0, length));
}

/** Writes template and contents as options at `at`. */
export function putOptions(out: Uint8Array, at: number, template: Template, dynamic: Int32Array): void {
  const { bytes, parts } = template;
  let part = 0;
  let next = 0;
  let to = at;
  for (let i = 0; i < bytes.length;) {
    const kind = bytes[i];
    if (kind === 0) {
      while (i < bytes.length) out[to++] = bytes[i++];
      break;
    }
    if (kind === 1) {
      out[to++] = 1;
      i++;
      continue;
    }
    const size = bytes[i + 1];
    const isDynamic = dynamicPart(kind, size) >= 0;
    const copied = isDynamic ? 2 : size;
    for (let k = 0; k < copied; k++) out[to++] = bytes[i + k];
    i += copied;
    if (!isDynamic) continue;
    for (const end = next + wordsOf(parts[part++]); next < end; next++) {
      putU32(out, to, dynamic[next]);
      to += 4;
    }
  }
}
