/**
 * A field of a header: where its bits are. Decoder, encoder and diagrams share these ranges, so they cannot drift
 * apart. Bits are counted as in the RFCs: bit 0 is the most significant bit of byte 0.
 */
export interface BitField {
  /** First bit, from the header's start. */
  readonly bit: number;
  /** Length in bits, at most 32. */
  readonly bits: number;
}

/** A field of whole bytes that is not a number (an address). */
export interface ByteField {
  /** First byte, from the header's start. */
  readonly byte: number;
  /** Length in bytes. */
  readonly bytes: number;
}

/** The unsigned number in a field of the header that starts at `offset`. */
export function getBits(data: Uint8Array, offset: number, field: BitField): number {
  const { bit, bits } = field;
  const at = offset + (bit >>> 3);
  if ((bit & 7) === 0) {
    if (bits === 16) return (data[at] << 8) | data[at + 1];
    if (bits === 8) return data[at];
    if (bits === 32) {
      return ((data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]) >>> 0;
    }
  }
  const last = offset + ((bit + bits - 1) >>> 3);
  const below = 7 - ((bit + bits - 1) & 7);
  if (last === at) return (data[at] >>> below) & ((1 << bits) - 1);
  let value = 0;
  if (last - at < 4 && bits < 32) {
    for (let i = at; i <= last; i++) value = (value << 8) | data[i];
    return (value >>> below) & (2 ** bits - 1);
  }
  // Across five bytes, beyond what bit operations hold.
  for (let i = at; i <= last; i++) value = value * 256 + data[i];
  return Math.floor(value / 2 ** below) % 2 ** bits;
}

/** Writes an unsigned number into a field; bits beyond the field's length are dropped. */
export function setBits(data: Uint8Array, offset: number, field: BitField, value: number): void {
  const { bit, bits } = field;
  // Values wrap around as they do in the header; this also maps negative ones into the field.
  let rest = ((Math.trunc(value) % 2 ** bits) + 2 ** bits) % 2 ** bits;
  for (let i = bit + bits - 1; i >= bit;) {
    const at = offset + (i >>> 3);
    const shift = 7 - (i & 7);
    const take = Math.min(8 - shift, i - bit + 1);
    const mask = ((1 << take) - 1) << shift;
    const part = rest % 2 ** take;
    data[at] = (data[at] & ~mask) | (part << shift);
    rest = Math.floor(rest / 2 ** take);
    i -= take;
  }
}

/** A header's numeric fields by name. */
export type BitFields = Readonly<Record<string, BitField>>;

/** All numbers of a header at once: one property for each range. */
export function readFields<Ranges extends BitFields>(
  data: Uint8Array,
  offset: number,
  ranges: Ranges,
): { -readonly [Name in keyof Ranges]: number } {
  const out: Record<string, number> = {};
  for (const name in ranges) out[name] = getBits(data, offset, ranges[name]);
  return out as { -readonly [Name in keyof Ranges]: number };
}

/** Writes all numbers of a header that starts at `offset`: those given, else `usual`, else 0. */
export function writeFields<Ranges extends BitFields>(
  data: Uint8Array,
  offset: number,
  ranges: Ranges,
  given: { readonly [Name in keyof Ranges]?: number },
  usual: { readonly [Name in keyof Ranges]?: number } = {},
): void {
  for (const name in ranges) setBits(data, offset, ranges[name], given[name] ?? usual[name] ?? 0);
}
