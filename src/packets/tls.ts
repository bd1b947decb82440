import { getBits, readFields, writeFields } from './fields';
import type { Layer, Packet } from './packet';
import type { Decoded, Protocol } from './protocol';

// RFC 8446, sections 5.1 (records) and 4 (handshake messages in the clear); RFC 9147, section 4 (datagrams).
// Recognised by its look on any port, at the start of a segment only. Contents are payload.
//
//   record                                          handshake message
//   +---------------+-------------------------------+  +---------------+-----------------------------------------------+
//  0| content type  |            version            | 0|     type      |                    length                     |
//   +---------------+-------------------------------+  +---------------+-----------------------------------------------+
//  3|            length             |
//   +-------------------------------+      DTLS has epoch (16 bits) and sequence number (48) before the length

export const TLS_FIELDS = {
  contentType: { bit: 0, bits: 8 },
  version: { bit: 8, bits: 16 },
  length: { bit: 24, bits: 16 },
} as const;

export const DTLS_FIELDS = {
  contentType: { bit: 0, bits: 8 },
  version: { bit: 8, bits: 16 },
  epoch: { bit: 24, bits: 16 },
  sequenceHigh: { bit: 40, bits: 16 },
  sequenceLow: { bit: 56, bits: 32 },
  length: { bit: 88, bits: 16 },
} as const;

export const TLS_HANDSHAKE_FIELDS = {
  type: { bit: 0, bits: 8 },
  length: { bit: 8, bits: 24 },
} as const;

const TLS_RECORD_BYTES = 5;
const DTLS_RECORD_BYTES = 13;
const HANDSHAKE_BYTES = 4;
/** RFC 5246 allowed ciphers to add 2,048 bytes to the greatest plaintext. */
const MAX_RECORD_BYTES = 2 ** 14 + 2048;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

export interface TlsFields {
  /** 20 change cipher spec, 21 alert, 22 handshake, 23 application data. */
  contentType: number;
  /** 0x0301 to 0x0304; 0x0303 for 1.3 as well. */
  version: number;
  /** Of the record's contents, in bytes. */
  length: number;
}

export interface DtlsFields extends TlsFields {
  epoch: number;
  /** High 16 and low 32 bits. */
  sequenceHigh: number;
  sequenceLow: number;
}

export interface TlsHandshakeFields {
  /** 1 client hello, 2 server hello, 11 certificate ... */
  type: number;
  /** Of the message, in bytes. */
  length: number;
}

export const tlsProtocol: Protocol<'tls', TlsFields> = {
  name: 'tls',
  under: [],
  recognisedIn: ['tcp'],

  accepts(bytes, offset, end): boolean {
    if (end - offset < TLS_RECORD_BYTES || bytes[offset + 1] !== 3) return false;
    const type = bytes[offset];
    if (type < 20 || type > 23 || bytes[offset + 2] > 4) return false;
    const length = getBits(bytes, offset, TLS_FIELDS.length);
    if (length === 0 || length > MAX_RECORD_BYTES) return false;
    if (type === 20) return length === 1;
    return type !== 21 || length === 2 || length >= 16;
  },

  decode({ bytes, offset }): Decoded<TlsFields> {
    const fields = {
      contentType: getBits(bytes, offset, TLS_FIELDS.contentType),
      version: getBits(bytes, offset, TLS_FIELDS.version),
      length: getBits(bytes, offset, TLS_FIELDS.length),
    };
    return { fields, length: TLS_RECORD_BYTES, next: fields.contentType };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(TLS_RECORD_BYTES + payload.length);
    const usual = { contentType: HANDSHAKE, version: 0x0303, length: payload.length };
    writeFields(out, 0, TLS_FIELDS, fields, usual);
    out.set(payload, TLS_RECORD_BYTES);
    return out;
  },

  describe({ contentType, version, length }): string {
    return `TLS ${nameVersion(version)} ${CONTENTS[contentType] ?? `type ${contentType}`}, ${length} bytes`;
  },
};

export const dtlsProtocol: Protocol<'dtls', DtlsFields> = {
  name: 'dtls',
  under: [],
  recognisedIn: ['udp'],

  accepts(bytes, offset, end): boolean {
    if (end - offset < DTLS_RECORD_BYTES || bytes[offset] < 20 || bytes[offset] > 25) return false;
    // Versions count down: 1.0 and 1.2.
    if (bytes[offset + 1] !== 0xfe || (bytes[offset + 2] !== 0xff && bytes[offset + 2] !== 0xfd))
      return false;
    const length = getBits(bytes, offset, DTLS_FIELDS.length);
    return length > 0 && length <= MAX_RECORD_BYTES;
  },

  decode({ bytes, offset }): Decoded<DtlsFields> {
    const fields = {
      contentType: getBits(bytes, offset, DTLS_FIELDS.contentType),
      version: getBits(bytes, offset, DTLS_FIELDS.version),
      epoch: getBits(bytes, offset, DTLS_FIELDS.epoch),
      sequenceHigh: getBits(bytes, offset, DTLS_FIELDS.sequenceHigh),
      sequenceLow: getBits(bytes, offset, DTLS_FIELDS.sequenceLow),
      length: getBits(bytes, offset, DTLS_FIELDS.length),
    };
    return { fields, length: DTLS_RECORD_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(DTLS_RECORD_BYTES + payload.length);
    const usual = { contentType: HANDSHAKE, version: 0xfefd, length: payload.length };
    writeFields(out, 0, DTLS_FIELDS, fields, usual);
    out.set(payload, DTLS_RECORD_BYTES);
    return out;
  },

  describe({ contentType, version, epoch, length }): string {
    const what = CONTENTS[contentType] ?? `type ${contentType}`;
    return `DTLS ${version === 0xfeff ? '1.0' : '1.2'} ${what}, epoch ${epoch}, ${length} bytes`;
  },
};

export const tlsHandshakeProtocol: Protocol<'tls_handshake', TlsHandshakeFields> = {
  name: 'tls_handshake',
  under: [['tls', HANDSHAKE]],

  accepts(bytes, offset, end, outer): boolean {
    // Encrypted messages have the same content type; they do not have a known type and a length that fits.
    if (end - offset < HANDSHAKE_BYTES || HANDSHAKES[bytes[offset]] === undefined) return false;
    const record = outer[outer.length - 1] as Layer<'tls', TlsFields>;
    return getBits(bytes, offset, TLS_HANDSHAKE_FIELDS.length) + HANDSHAKE_BYTES <= record.fields.length;
  },

  decode({ bytes, offset }): Decoded<TlsHandshakeFields> {
    return { fields: readFields(bytes, offset, TLS_HANDSHAKE_FIELDS), length: HANDSHAKE_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(HANDSHAKE_BYTES + payload.length);
    writeFields(out, 0, TLS_HANDSHAKE_FIELDS, fields, { type: CLIENT_HELLO, length: payload.length });
    out.set(payload, HANDSHAKE_BYTES);
    return out;
  },

  describe({ type, length }): string {
    return `TLS handshake ${HANDSHAKES[type] ?? `type ${type}`}, ${length} bytes`;
  },
};

/**
 * The server name of a client hello (RFC 6066, section 3); undefined where there is none, or it was not captured.
 * Bytes that do not print are written as `\DDD`.
 */
export function tlsServerName({ bytes, layers }: Packet): string | undefined {
  const last = layers[layers.length - 1];
  if (last?.protocol !== 'tls_handshake' || (last.fields as TlsHandshakeFields).type !== CLIENT_HELLO)
    return undefined;
  const start = last.offset + last.length;
  const end = Math.min(bytes.length, start + (last.fields as TlsHandshakeFields).length);
  const u16 = (at: number): number => (at + 2 <= end ? (bytes[at] << 8) | bytes[at + 1] : NaN);
  // Version and random, then three lists: session id, cipher suites, compression methods.
  let at = start + 34;
  at += 1 + (at < end ? bytes[at] : NaN);
  at += 2 + u16(at);
  at += 1 + (at < end ? bytes[at] : NaN);
  for (at += 2; at + 4 <= end; at += 4 + u16(at + 2)) {
    if (u16(at) !== 0) continue;
    // The extension's list has one entry: type 0, length, name.
    const length = u16(at + 7);
    if (bytes[at + 6] !== 0 || !(at + 9 + length <= end)) return undefined;
    const name = bytes.subarray(at + 9, at + 9 + length);
    return Array.from(name, (byte) =>
      byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`,
    ).join('');
  }
  return undefined;
}

function nameVersion(version: number): string {
  return version === 0x0300 ? 'SSL 3.0' : `1.${(version & 255) - 1}`;
}

const CONTENTS: Record<number, string> = {
  20: 'change cipher spec',
  21: 'alert',
  22: 'handshake',
  23: 'application data',
  24: 'heartbeat',
};

const HANDSHAKES: Record<number, string> = {
  0: 'hello request',
  1: 'client hello',
  2: 'server hello',
  4: 'new session ticket',
  5: 'end of early data',
  8: 'encrypted extensions',
  11: 'certificate',
  12: 'server key exchange',
  13: 'certificate request',
  14: 'server hello done',
  15: 'certificate verify',
  16: 'client key exchange',
  20: 'finished',
  22: 'certificate status',
  24: 'key update',
};
