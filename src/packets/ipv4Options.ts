/** One option of an IPv4 header (RFC 791, section 3.1), kept as it is: its bytes after kind and length. */
export interface Ipv4Option {
  /** The type byte: copied flag, class and number together. 0 ends the list, 1 is padding. */
  readonly kind: number;
  readonly data: Uint8Array;
}

/** Stands in for a kind where the rest of the list cannot be read: `data` is that rest, as it is. */
export const IPV4_OPTION_MALFORMED = -1;

const NAMES: Record<number, string> = {
  [IPV4_OPTION_MALFORMED]: 'malformed',
  0: 'EOL',
  1: 'NOP',
  7: 'RR',
  68: 'timestamp',
  130: 'security',
  131: 'LSRR',
  137: 'SSRR',
  148: 'RA',
};

const NO_DATA = new Uint8Array(0);

/** All bytes of the range, in options. What does not fit the rules becomes one last malformed option. */
export function decodeIpv4Options(
  bytes: Uint8Array,
  start: number,
  end: number,
): { options: Ipv4Option[]; malformedAt?: number } {
  const options: Ipv4Option[] = [];
  for (let at = start; at < end;) {
    const kind = bytes[at];
    if (kind === 0) {
      options.push({ kind, data: bytes.subarray(at + 1, end) });
      break;
    }
    if (kind === 1) {
      options.push({ kind, data: NO_DATA });
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1] : 0;
    if (length < 2 || at + length > end) {
      options.push({ kind: IPV4_OPTION_MALFORMED, data: bytes.subarray(at, end) });
      return { options, malformedAt: at };
    }
    options.push({ kind, data: bytes.subarray(at + 2, at + length) });
    at += length;
  }
  return { options };
}

/** The options' bytes, padded with zeros to whole 32-bit words. */
export function encodeIpv4Options(options: readonly Ipv4Option[]): Uint8Array {
  const out: number[] = [];
  for (const { kind, data } of options) {
    if (kind === IPV4_OPTION_MALFORMED) out.push(...data);
    else if (kind === 0) out.push(0, ...data);
    else if (kind === 1) out.push(1);
    else out.push(kind, data.length + 2, ...data);
  }
  while (out.length % 4 !== 0) out.push(0);
  return Uint8Array.from(out);
}

/** `RR,EOL`. */
export function describeIpv4Options(options: readonly Ipv4Option[]): string {
  return options.map(({ kind }) => NAMES[kind] ?? `option ${kind}`).join(',');
}
