import { etherTypeOf, isLength, LLC_KEY, nameEtherType } from './ethernet';
import { getBits, setBits, type BitField } from './fields';
import type { Decoded, Protocol } from './protocol';

// LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2 (https://www.tcpdump.org/linktypes.html): what a capture on Linux's
// "any" device has in place of the link header.
//
//   SLL (113)                                        SLL2 (276)
//   0               1                                0                   1
//   +-------------------------------+                +-------------------------------+
//  0|          packet type          |               0|         protocol type         |
//  2|       ARPHRD_ address type    |               2|         reserved (zero)       |
//  4|    link address length        |               4|        interface index        |
//  6|    link address, 8 bytes      |               8|       ARPHRD_ address type    |
// 14|         protocol type         |              10|packet type| address length    |
//   +-------------------------------+              12|    link address, 8 bytes      |
//                                                    +-------------------------------+

export const LINUX_SLL_FIELDS = {
  packetType: { bit: 0, bits: 16 },
  addressType: { bit: 16, bits: 16 },
  addressLength: { bit: 32, bits: 16 },
  address: { byte: 6, bytes: 8 },
  protocolType: { bit: 112, bits: 16 },
} as const;

export const LINUX_SLL2_FIELDS = {
  protocolType: { bit: 0, bits: 16 },
  reserved: { bit: 16, bits: 16 },
  interfaceIndex: { bit: 32, bits: 32 },
  addressType: { bit: 64, bits: 16 },
  packetType: { bit: 80, bits: 8 },
  addressLength: { bit: 88, bits: 8 },
  address: { byte: 12, bytes: 8 },
} as const;

export interface LinuxSllFields {
  /** 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 from us. */
  packetType: number;
  addressType: number;
  addressLength: number;
  /** All eight bytes of the field, in hexadecimal. */
  address: string;
  /** An EtherType, for the address types that use them. */
  protocolType: number;
}

export interface LinuxSll2Fields extends LinuxSllFields {
  reserved: number;
  interfaceIndex: number;
}

type Ranges = Readonly<Record<string, BitField>> & { readonly protocolType: BitField };

/** Numbers that are no EtherType are Linux's own: 4 announces 802.2 LLC. */
function nextType(protocolType: number): number | undefined {
  if (protocolType === LINUX_802_2) return LLC_KEY;
  return isLength(protocolType) ? undefined : protocolType;
}

const LINUX_802_2 = 4;

/** Both forms are the same decoder over two sets of ranges. */
function cooked<Name extends string, Fields extends LinuxSllFields>(
  name: Name,
  linkType: number,
  headerBytes: number,
  addressAt: number,
  ranges: Ranges,
): Protocol<Name, Fields> {
  return {
    name,
    under: [['link', linkType]],

    decode({ bytes, offset, end, problem }): Decoded<Fields> | undefined {
      if (end - offset < headerBytes) {
        problem(`${name}_truncated`, offset, `${end - offset} of ${headerBytes} header bytes`);
        return undefined;
      }
      const fields: Record<string, number | string> = {};
      for (const [key, range] of Object.entries(ranges)) fields[key] = getBits(bytes, offset, range);
      const at = offset + addressAt;
      fields.address = Buffer.from(bytes.subarray(at, at + 8)).toString('hex');
      const next = nextType(fields.protocolType as number);
      return { fields: fields as unknown as Fields, length: headerBytes, next, nextOf: 'ethernet' };
    },

    encode(fields, payload, { inner }): Uint8Array {
      const out = new Uint8Array(headerBytes + payload.length);
      const given = fields as Record<string, number | string | undefined>;
      const usual: Record<string, number> = {
        addressType: 1,
        addressLength: 6,
        protocolType: inner?.protocol === 'llc' ? LINUX_802_2 : etherTypeOf(inner?.protocol, payload.length),
      };
      for (const [key, range] of Object.entries(ranges)) {
        setBits(out, 0, range, (given[key] as number | undefined) ?? usual[key] ?? 0);
      }
      out.set(Buffer.from(fields.address ?? '', 'hex').subarray(0, 8), addressAt);
      out.set(payload, headerBytes);
      return out;
    },

    describe({ packetType, address, protocolType }): string {
      const direction = ['In', 'B', 'M', 'P', 'Out'][packetType] ?? `type ${packetType}`;
      return `${direction} ${address}, ethertype ${nameEtherType(protocolType)}`;
    },
  };
}

const { address: sllAddress, ...sllRanges } = LINUX_SLL_FIELDS;
const { address: sll2Address, ...sll2Ranges } = LINUX_SLL2_FIELDS;

export const linuxSllProtocol: Protocol<'linux_sll', LinuxSllFields> = cooked(
  'linux_sll',
  113,
  16,
  sllAddress.byte,
  sllRanges,
);

export const linuxSll2Protocol: Protocol<'linux_sll2', LinuxSll2Fields> = cooked(
  'linux_sll2',
  276,
  20,
  sll2Address.byte,
  sll2Ranges,
);
