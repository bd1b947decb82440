/** Block types of pcapng (draft-ietf-opsawg-pcapng, section 11.1) that carry packets or describe them. */
export const BlockType = {
  SECTION_HEADER: 0x0a0d0d0a,
  INTERFACE_DESCRIPTION: 1,
  /** Obsolete, still met. */
  PACKET: 2,
  SIMPLE_PACKET: 3,
  ENHANCED_PACKET: 6,
} as const;

/** Blocks without packets that are passed over and counted, by number. */
const SKIPPED_NAMES: Readonly<Record<number, string>> = {
  4: 'name_resolution',
  5: 'interface_statistics',
  9: 'systemd_journal',
  10: 'decryption_secrets',
  0x0bad: 'custom',
  0x40000bad: 'custom',
};

/** The name under which a passed-over block is counted. */
export function skippedBlockName(type: number): string {
  return SKIPPED_NAMES[type] ?? 'unknown';
}

/** Tells a section's byte order. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Option codes. The first two belong to every block; the rest to the block named. */
export const OptionCode = {
  END: 0,
  COMMENT: 1,
  /** Section header: the program that wrote the file. */
  SHB_HARDWARE: 2,
  SHB_OS: 3,
  SHB_USERAPPL: 4,
  IF_NAME: 2,
  IF_DESCRIPTION: 3,
  IF_TSRESOL: 9,
  IF_TSOFFSET: 14,
} as const;

/** One interface of a section: how its timestamps count and how much of a packet it keeps. */
export interface PcapngInterface {
  readonly linkType: number;
  /** 0: no limit. */
  readonly snapLen: number;
  /** Timestamp units per second. */
  readonly unitsPerSecond: bigint;
  /** Decimal digits of a fraction of a second, rounded up when the resolution is a power of two. */
  readonly digits: number;
  /** Seconds to add to every timestamp. */
  readonly offsetSeconds: number;
}

/** `if_tsresol`: bit 7 chooses between a power of 2 and one of 10; the rest is the negative exponent. */
export function decodeTsResolution(value: number): { unitsPerSecond: bigint; digits: number } {
  const exponent = value & 0x7f;
  if (value & 0x80) return { unitsPerSecond: 2n ** BigInt(exponent), digits: Math.ceil(exponent * 0.30103) };
  return { unitsPerSecond: 10n ** BigInt(exponent), digits: exponent };
}

/** An option: its value is the `length` bytes from `at` on. */
export interface Option {
  readonly code: number;
  readonly length: number;
  readonly at: number;
}

/** The options between two places; a list that is damaged ends early, and `damaged` is told where. */
export function* readOptions(
  view: DataView,
  from: number,
  end: number,
  little: boolean,
  damaged: (at: number, code: number, size: number) => void,
): Generator<Option> {
  let p = from;
  while (p + 4 <= end) {
    const code = view.getUint16(p, little);
    const length = view.getUint16(p + 2, little);
    if (code === OptionCode.END) return;
    if (p + 4 + length > end) return damaged(p, code, length);
    yield { code, length, at: p + 4 };
    p += 4 + Math.ceil(length / 4) * 4;
  }
}

/** The text of an option; some writers end it with a zero byte. */
export function optionText(bytes: Uint8Array, option: Option): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + option.at, option.length).toString('utf8');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** A timestamp of an interface as whole microseconds and the nanoseconds below. */
export function splitTimestamp(
  high: number,
  low: number,
  from: PcapngInterface,
): { tsMicros: number; tsNanos: number } {
  const shift = from.offsetSeconds * 1e6;
  // Exact without BigInt for the two usual resolutions: 2^32 = 1000 * 4,294,967 + 296.
  if (from.unitsPerSecond === 1_000_000n && high < 0x200000) {
    return { tsMicros: high * 4294967296 + low + shift, tsNanos: 0 };
  }
  if (from.unitsPerSecond === 1_000_000_000n) {
    const rest = high * 296 + low;
    return { tsMicros: high * 4294967 + Math.floor(rest / 1000) + shift, tsNanos: rest % 1000 };
  }
  const units = (BigInt(high) << 32n) | BigInt(low);
  const nanos = (units * 1_000_000_000n) / from.unitsPerSecond;
  return { tsMicros: Number(nanos / 1000n) + shift, tsNanos: Number(nanos % 1000n) };
}
