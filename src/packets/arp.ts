import { formatIpv4, formatMac, parseIpv4, parseMac } from './addresses';
import { concatBytes, fromHex, toHex } from './bytes';
import { EtherType } from './ethernet';
import { readFields, writeFields } from './fields';
import type { Decoded, Protocol } from './protocol';

// RFC 826; the reverse form of RFC 903 is the same header. The addresses are as long as the two lengths say: 6 and 4
// for IPv4 over Ethernet.
//
//   0                   1                   2                   3
//   +-------------------------------+-------------------------------+
//  0|         hardware type         |         protocol type         |
//   +---------------+---------------+-------------------------------+
//  4| hardware len. | protocol len. |           operation           |
//   +---------------+---------------+-------------------------------+
//  8|  sender hardware, sender protocol, target hardware, target protocol address ...
//   +---------------------------------------------------------------+

export const ARP_FIELDS = {
  hardwareType: { bit: 0, bits: 16 },
  protocolType: { bit: 16, bits: 16 },
  hardwareLength: { bit: 32, bits: 8 },
  protocolLength: { bit: 40, bits: 8 },
  operation: { bit: 48, bits: 16 },
} as const;

const ARP_FIXED_BYTES = 8;

export interface ArpFields {
  /** 1: Ethernet. */
  hardwareType: number;
  /** An EtherType: 0x0800 for IPv4. */
  protocolType: number;
  hardwareLength: number;
  protocolLength: number;
  /** 1 request, 2 reply, 3 and 4 the same of RARP, 8 and 9 of InARP. */
  operation: number;
  /** As a MAC address when six bytes long, else as hexadecimal digits. */
  senderHardwareAddress: string;
  /** As an IPv4 address when it is one, else as hexadecimal digits. */
  senderProtocolAddress: string;
  targetHardwareAddress: string;
  targetProtocolAddress: string;
}

export const arpProtocol: Protocol<'arp', ArpFields> = {
  name: 'arp',
  under: [
    ['ethernet', EtherType.ARP],
    ['ethernet', EtherType.RARP],
  ],

  decode({ bytes, offset, end, problem }): Decoded<ArpFields> | undefined {
    const here = end - offset;
    if (here < ARP_FIXED_BYTES) {
      problem('arp_truncated', offset, `${here} of at least 8 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, ARP_FIELDS);
    const { hardwareLength: hard, protocolLength: soft, protocolType } = fields;
    const length = ARP_FIXED_BYTES + 2 * (hard + soft);
    if (here < length) {
      problem('arp_truncated', offset, `${here} of ${length} bytes`);
      return undefined;
    }
    const at = offset + ARP_FIXED_BYTES;
    return {
      fields: {
        ...fields,
        senderHardwareAddress: formatHardware(bytes, at, hard),
        senderProtocolAddress: formatProtocol(bytes, at + hard, soft, protocolType),
        targetHardwareAddress: formatHardware(bytes, at + hard + soft, hard),
        targetProtocolAddress: formatProtocol(bytes, at + 2 * hard + soft, soft, protocolType),
      },
      length,
    };
  },

  encode(fields, payload): Uint8Array {
    const addresses = [
      parse(fields.senderHardwareAddress ?? '00:00:00:00:00:00'),
      parse(fields.senderProtocolAddress ?? '0.0.0.0'),
      parse(fields.targetHardwareAddress ?? '00:00:00:00:00:00'),
      parse(fields.targetProtocolAddress ?? '0.0.0.0'),
    ];
    const [hardware, protocol] = addresses;
    const header = new Uint8Array(ARP_FIXED_BYTES);
    const { hardwareType, protocolType, hardwareLength, protocolLength, operation } = fields;
    writeFields(
      header,
      0,
      ARP_FIELDS,
      { hardwareType, protocolType, hardwareLength, protocolLength, operation },
      {
        hardwareType: 1,
        protocolType: EtherType.IPV4,
        hardwareLength: hardware.length,
        protocolLength: protocol.length,
        operation: 1,
      },
    );
    return concatBytes(header, ...addresses, payload);
  },

  describe(f): string {
    const { senderProtocolAddress: sender, targetProtocolAddress: target } = f;
    if (f.operation === 1) {
      if (sender === target) return `ARP, Announcement ${target}`;
      return `ARP, Request who-has ${target} tell ${sender}`;
    }
    if (f.operation === 2) return `ARP, Reply ${sender} is-at ${f.senderHardwareAddress}`;
    if (f.operation === 3)
      return `RARP, Request who-is ${f.targetHardwareAddress} tell ${f.senderHardwareAddress}`;
    if (f.operation === 4) return `RARP, Reply ${f.targetHardwareAddress} at ${target}`;
    return `ARP, operation ${f.operation}`;
  },
};

function formatHardware(bytes: Uint8Array, at: number, length: number): string {
  return length === 6 ? formatMac(bytes, at) : toHex(bytes, at, at + length);
}

function formatProtocol(bytes: Uint8Array, at: number, length: number, protocolType: number): string {
  return length === 4 && protocolType === EtherType.IPV4
    ? formatIpv4(bytes, at)
    : toHex(bytes, at, at + length);
}

/** The bytes of an address in any of the three ways in which they are written. */
function parse(text: string): Uint8Array {
  if (/^([0-9a-f]{2})*$/i.test(text)) return fromHex(text);
  return text.includes('.') ? parseIpv4(text) : parseMac(text);
}
