import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nameIpProtocol } from './pseudoHeader';
import { keyOf } from './registry';

// Authentication header, RFC 4302: transparent, what it announces follows. Encapsulating security payload, RFC 4303:
// everything after its first two words is encrypted.
//
//   AH (51)                                                          ESP (50)
//   +---------------+---------------+-------------------------------+ +-------------------------------+
//  0|  next header  | length/4 - 2  |           reserved            | |   security parameters index   |
//   +---------------+---------------+-------------------------------+ +-------------------------------+
//  4|                   security parameters index                   | |        sequence number        |
//   +---------------------------------------------------------------+ +-------------------------------+
//  8|                        sequence number                        |
//   +---------------------------------------------------------------+
// 12|  integrity check value ...

export const AH_FIELDS = {
  nextHeader: { bit: 0, bits: 8 },
  payloadLength: { bit: 8, bits: 8 },
  reserved: { bit: 16, bits: 16 },
  securityParametersIndex: { bit: 32, bits: 32 },
  sequenceNumber: { bit: 64, bits: 32 },
} as const;

export const ESP_FIELDS = {
  securityParametersIndex: { bit: 0, bits: 32 },
  sequenceNumber: { bit: 32, bits: 32 },
} as const;

const AH_FIXED_BYTES = 12;
const ESP_HEADER_BYTES = 8;

export interface AhFields {
  nextHeader: number;
  /** Length of the header in 32-bit words, less two. */
  payloadLength: number;
  reserved: number;
  securityParametersIndex: number;
  sequenceNumber: number;
  integrityCheckValue: Uint8Array;
}

export interface EspFields {
  securityParametersIndex: number;
  sequenceNumber: number;
}

export const ahProtocol: Protocol<'ah', AhFields> = {
  name: 'ah',
  under: [
    ['ipv4', IpProtocol.AH],
    ['ipv6', IpProtocol.AH],
  ],

  decode({ bytes, offset, end, problem, outer }): Decoded<AhFields> | undefined {
    const here = end - offset;
    const length = here >= 2 ? 4 * (bytes[offset + 1] + 2) : AH_FIXED_BYTES;
    if (length < AH_FIXED_BYTES) {
      problem('ah_length', offset + 1, `a header of ${length} bytes; the least is 12`);
      return undefined;
    }
    if (here < length) {
      problem('ah_truncated', offset, `${here} of ${length} header bytes`);
      return undefined;
    }
    const fields = {
      ...readFields(bytes, offset, AH_FIELDS),
      integrityCheckValue: bytes.subarray(offset + AH_FIXED_BYTES, offset + length),
    };
    const nextOf = outer.some(({ protocol }) => protocol === 'ipv6') ? 'ipv6' : 'ipv4';
    return { fields, length, next: fields.nextHeader, nextOf };
  },

  encode(fields, payload, { inner, ip }): Uint8Array {
    const { integrityCheckValue = new Uint8Array(12), ...numbers } = fields;
    const length = AH_FIXED_BYTES + integrityCheckValue.length;
    const out = new Uint8Array(length + payload.length);
    writeFields(out, 0, AH_FIELDS, numbers, {
      nextHeader: keyOf(ip?.protocol ?? 'ipv4', inner?.protocol) ?? IpProtocol.NO_NEXT,
      payloadLength: Math.ceil(length / 4) - 2,
    });
    out.set(integrityCheckValue, AH_FIXED_BYTES);
    out.set(payload, length);
    return out;
  },

  describe({ securityParametersIndex: spi, sequenceNumber, nextHeader }): string {
    return `AH spi 0x${spi.toString(16)}, seq ${sequenceNumber}, next ${nameIpProtocol(nextHeader)}`;
  },
};

export const espProtocol: Protocol<'esp', EspFields> = {
  name: 'esp',
  under: [
    ['ipv4', IpProtocol.ESP],
    ['ipv6', IpProtocol.ESP],
  ],

  decode({ bytes, offset, end, problem }): Decoded<EspFields> | undefined {
    if (end - offset < ESP_HEADER_BYTES) {
      problem('esp_truncated', offset, `${end - offset} of 8 header bytes`);
      return undefined;
    }
    return { fields: readFields(bytes, offset, ESP_FIELDS), length: ESP_HEADER_BYTES };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(ESP_HEADER_BYTES + payload.length);
    writeFields(out, 0, ESP_FIELDS, fields);
    out.set(payload, ESP_HEADER_BYTES);
    return out;
  },

  describe({ securityParametersIndex: spi, sequenceNumber }): string {
    return `ESP spi 0x${spi.toString(16)}, seq ${sequenceNumber}`;
  },
};
