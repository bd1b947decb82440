/** One option of a hop-by-hop or destination options header (RFC 8200, section 4.2), kept as it is. */
export interface Ipv6Option {
  /** The type byte; 0 is a single byte of padding (Pad1), 1 padding of any length (PadN). */
  readonly kind: number;
  readonly data: Uint8Array;
}

/** Stands in for a kind where the rest of the list cannot be read: `data` is that rest, as it is. */
export const IPV6_OPTION_MALFORMED = -1;

const NAMES: Record<number, string> = {
  [IPV6_OPTION_MALFORMED]: 'malformed',
  0: 'pad1',
  1: 'padn',
  4: 'tunnel limit',
  5: 'rtalert',
  38: 'quick start',
  0xc2: 'jumbo',
  0xc9: 'home address',
};

const NO_DATA = new Uint8Array(0);

/** All bytes of the range, in options. What does not fit becomes one last malformed option. */
export function decodeIpv6Options(
  bytes: Uint8Array,
  start: number,
  end: number,
): { options: Ipv6Option[]; malformedAt?: number } {
  const options: Ipv6Option[] = [];
  for (let at = start; at < end;) {
    const kind = bytes[at];
    if (kind === 0) {
      options.push({ kind, data: NO_DATA });
      at++;
      continue;
    }
    const next = at + 1 < end ? at + 2 + bytes[at + 1] : Infinity;
    if (next > end) {
      options.push({ kind: IPV6_OPTION_MALFORMED, data: bytes.subarray(at, end) });
      return { options, malformedAt: at };
    }
    options.push({ kind, data: bytes.subarray(at + 2, next) });
    at = next;
  }
  return { options };
}

/** The options' bytes, padded (RFC 8200: Pad1, PadN) so that a header of two more bytes fills whole 8-byte units. */
export function encodeIpv6Options(options: readonly Ipv6Option[]): Uint8Array {
  const out: number[] = [];
  for (const { kind, data } of options) {
    if (kind === IPV6_OPTION_MALFORMED) out.push(...data);
    else if (kind === 0) out.push(0);
    else out.push(kind, data.length, ...data);
  }
  const missing = (14 - (out.length % 8)) % 8;
  if (missing === 1) out.push(0);
  else if (missing > 1) out.push(1, missing - 2, ...new Array<number>(missing - 2).fill(0));
  return Uint8Array.from(out);
}

/** `rtalert,padn`. */
export function describeIpv6Options(options: readonly Ipv6Option[]): string {
  return options.map(({ kind }) => NAMES[kind] ?? `option ${kind}`).join(',');
}
