import { formatIpv4, parseIpv4 } from './addresses';
import { concatBytes, fromHex, toHex } from './bytes';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 2131, section 2: the message of BOOTP (RFC 951), then a magic number and options (RFC 2132). What stands after
// the option that ends the list is payload.
//
//   0                   1                   2                   3
//   +---------------+---------------+---------------+---------------+
//  0|   operation   | hardware type | hardware len. |     hops      |
//   +---------------+---------------+---------------+---------------+
//  4|                        transaction id                         |
//   +-------------------------------+-------------------------------+
//  8|            seconds            |             flags             |
//   +-------------------------------+-------------------------------+
// 12|  client, "your", server and relay address; 28: client hardware address, 16 bytes;
//   |  44: server name, 64 bytes; 108: boot file, 128 bytes; 236: magic number; 240: options ...
//   +---------------------------------------------------------------+

export const DHCP_FIELDS = {
  operation: { bit: 0, bits: 8 },
  hardwareType: { bit: 8, bits: 8 },
  hardwareLength: { bit: 16, bits: 8 },
  hops: { bit: 24, bits: 8 },
  transactionId: { bit: 32, bits: 32 },
  seconds: { bit: 64, bits: 16 },
  flags: { bit: 80, bits: 16 },
} as const;

const DHCP_FIXED_BYTES = 240;
const COOKIE = Uint8Array.of(0x63, 0x82, 0x53, 0x63);
const END_OF_OPTIONS = 255;
const MESSAGE_TYPE = 53;

/** An option; 0 (padding) and 255 (end) have no data. */
export interface DhcpOption {
  readonly kind: number;
  readonly data: Uint8Array;
}

export interface DhcpFields {
  /** 1 from a client, 2 from a server. */
  operation: number;
  hardwareType: number;
  hardwareLength: number;
  hops: number;
  transactionId: number;
  seconds: number;
  /** 0x8000: answer by broadcast. */
  flags: number;
  clientAddress: string;
  yourAddress: string;
  serverAddress: string;
  relayAddress: string;
  /** All sixteen bytes of the field, in hexadecimal. */
  clientHardwareAddress: string;
  /** All 64 bytes of the field, as they are; text that ends at a zero. */
  serverName: Uint8Array;
  /** All 128 bytes of the field. */
  bootFile: Uint8Array;
  options: DhcpOption[];
}

export const dhcpProtocol: Protocol<'dhcp', DhcpFields> = {
  name: 'dhcp',
  under: [
    ['udp', 67],
    ['udp', 68],
  ],

  accepts(bytes, offset, end): boolean {
    if (end - offset < DHCP_FIXED_BYTES || (bytes[offset] !== 1 && bytes[offset] !== 2)) return false;
    return COOKIE.every((byte, i) => bytes[offset + 236 + i] === byte);
  },

  decode({ bytes, offset, end }): Decoded<DhcpFields> {
    const { options, end: optionsEnd } = readOptions(bytes, offset + DHCP_FIXED_BYTES, end);
    const [clientAddress, yourAddress, serverAddress, relayAddress] = [12, 16, 20, 24].map((at) =>
      formatIpv4(bytes, offset + at),
    );
    return {
      fields: {
        ...readFields(bytes, offset, DHCP_FIELDS),
        clientAddress,
        yourAddress,
        serverAddress,
        relayAddress,
        clientHardwareAddress: toHex(bytes, offset + 28, offset + 44),
        serverName: bytes.subarray(offset + 44, offset + 108),
        bootFile: bytes.subarray(offset + 108, offset + 236),
        options,
      },
      length: optionsEnd - offset,
    };
  },

  encode(fields, payload): Uint8Array {
    const { operation, hardwareType, hardwareLength, hops, transactionId, seconds, flags } = fields;
    const out = new Uint8Array(DHCP_FIXED_BYTES);
    const numbers = { operation, hardwareType, hardwareLength, hops, transactionId, seconds, flags };
    writeFields(out, 0, DHCP_FIELDS, numbers, { operation: 1, hardwareType: 1, hardwareLength: 6 });
    const { clientAddress, yourAddress, serverAddress, relayAddress } = fields;
    [clientAddress, yourAddress, serverAddress, relayAddress].forEach((address, i) => {
      if (address) out.set(parseIpv4(address), 12 + 4 * i);
    });
    out.set(fromHex(fields.clientHardwareAddress ?? '').subarray(0, 16), 28);
    if (fields.serverName) out.set(fields.serverName.subarray(0, 64), 44);
    if (fields.bootFile) out.set(fields.bootFile.subarray(0, 128), 108);
    out.set(COOKIE, 236);
    const options = (fields.options ?? []).flatMap(({ kind, data }) =>
      kind === 0 || kind === END_OF_OPTIONS ? [kind] : [kind, data.length, ...data],
    );
    return concatBytes(out, Uint8Array.from(options), payload);
  },

  describe({ operation, options, transactionId, yourAddress }): string {
    const type = options.find(({ kind }) => kind === MESSAGE_TYPE)?.data[0] ?? 0;
    const name = MESSAGES[type] ?? (operation === 1 ? 'BOOTP request' : 'BOOTP reply');
    const given = yourAddress === '0.0.0.0' ? '' : `, address ${yourAddress}`;
    return `DHCP ${name}, transaction 0x${transactionId.toString(16)}${given}`;
  },
};

/** The options that can be read, the end's included, and where they end. */
function readOptions(bytes: Uint8Array, start: number, end: number): { options: DhcpOption[]; end: number } {
  const options: DhcpOption[] = [];
  let at = start;
  while (at < end) {
    const kind = bytes[at];
    if (kind === 0 || kind === END_OF_OPTIONS) {
      options.push({ kind, data: bytes.subarray(at, at) });
      at++;
      if (kind === END_OF_OPTIONS) break;
      continue;
    }
    const next = at + 1 < end ? at + 2 + bytes[at + 1] : Infinity;
    if (next > end) break;
    options.push({ kind, data: bytes.subarray(at + 2, next) });
    at = next;
  }
  return { options, end: at };
}

const MESSAGES: Record<number, string> = {
  1: 'Discover',
  2: 'Offer',
  3: 'Request',
  4: 'Decline',
  5: 'ACK',
  6: 'NAK',
  7: 'Release',
  8: 'Inform',
};
