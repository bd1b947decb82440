import { NetssmError } from '../util';

// Domain names: RFC 1035, sections 3.1 (labels), 4.1.4 (compression) and 5.1 (as text). A label may hold any bytes: a
// dot and a backslash in it are written with a backslash before them, bytes that do not print as \DDD.

/** Labels and their lengths, the root's included. */
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
const POINTER = 0xc0;

export interface DnsName {
  /** `example.com`; `.` for the root. */
  readonly name: string;
  /** One past the name's last byte where it stands. */
  readonly end: number;
  /** Does it point to labels elsewhere? */
  readonly compressed: boolean;
}

/**
 * Reads the name at an offset. Pointers must lead backwards, as they do in every message that a name can be read
 * from, so that loops end.
 *
 * @param message where the DNS message begins: what pointers count from.
 * @returns undefined where there is no name: cut, a reserved label type, a pointer not backwards, too long.
 */
export function readDnsName(
  bytes: Uint8Array,
  message: number,
  start: number,
  end: number,
): DnsName | undefined {
  let at = start;
  let after: number | undefined;
  let limit = start;
  let length = 1;
  let name = '';
  for (;;) {
    if (at >= end) return undefined;
    const size = bytes[at];
    if (size === 0) return { name: name || '.', end: after ?? at + 1, compressed: after !== undefined };
    if (size >= POINTER) {
      if (at + 1 >= end) return undefined;
      const target = message + (((size & 0x3f) << 8) | bytes[at + 1]);
      if (target >= limit) return undefined;
      after ??= at + 2;
      at = limit = target;
      continue;
    }
    length += size + 1;
    if (size > MAX_LABEL_BYTES || length > MAX_NAME_BYTES || at + 1 + size > end) return undefined;
    if (name !== '') name += '.';
    for (let i = at + 1; i <= at + size; i++) name += CHARACTERS[bytes[i]];
    at += size + 1;
  }
}

const CHARACTERS = Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
});

/** The bytes of a name, uncompressed. @throws NetssmError `dns_name_invalid`. */
export function writeDnsName(name: string): Uint8Array {
  const out: number[] = [];
  let label: number[] = [];
  const close = (): void => {
    if (label.length === 0 || label.length > MAX_LABEL_BYTES) throw invalid(name);
    out.push(label.length, ...label);
    label = [];
  };
  if (name !== '.' && name !== '') {
    let read = 0;
    for (const [token] of name.matchAll(/\\\d{3}|\\\D|[^\\]/gu)) {
      read += token.length;
      if (token === '.') close();
      else if (/^\\\d/.test(token)) label.push(Number(token.slice(1)));
      else label.push(...new TextEncoder().encode(token.startsWith('\\') ? token.slice(1) : token));
    }
    if (read < name.length) throw invalid(name);
    // A dot at the end is the root's and may be left out.
    if (label.length > 0) close();
  }
  out.push(0);
  if (out.length > MAX_NAME_BYTES || out.some((byte) => byte > 255)) throw invalid(name);
  return Uint8Array.from(out);
}

function invalid(name: string): NetssmError {
  return new NetssmError('dns_name_invalid', `"${name}" is not a domain name`, {
    exitCode: 2,
    hint: 'Labels have 1 to 63 bytes, names 255 at most; write bytes that do not print as \\DDD.',
  });
}
