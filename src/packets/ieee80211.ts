import { formatMac, parseMac } from './addresses';
import { LLC_KEY } from './ethernet';
import type { Layer } from './packet';
import type { Decoded, Protocol } from './protocol';
import { RadiotapFlag, radiotapFlags, type RadiotapFields } from './radiotap';

// IEEE 802.11, clause 9.2: numbers are little-endian. Bodies of management and control frames and encrypted data are
// payload; data frames in the clear carry LLC.
//
//   bits 15..8: flags, 7..4: subtype, 3..2: type, 1..0: version
//   +-------------------------------+-------------------------------+
//  0|         frame control         |       duration / ID           |
//   +-------------------------------+-------------------------------+
//  4|  address 1, address 2, address 3 (six bytes each), sequence control, address 4, QoS control, HT control
//   +----------------------------------------------------------------

export const IEEE80211_BYTES = { withoutAddresses: 4, oneAddress: 10, twoAddresses: 16, threeAddresses: 24 };

/** Bits of `flags`. */
export const Ieee80211Flag = {
  TO_DS: 0x01,
  FROM_DS: 0x02,
  MORE_FRAGMENTS: 0x04,
  RETRY: 0x08,
  POWER_MANAGEMENT: 0x10,
  MORE_DATA: 0x20,
  PROTECTED: 0x40,
  ORDER: 0x80,
} as const;

/** Values of `type`. */
export const Ieee80211Type = { MANAGEMENT: 0, CONTROL: 1, DATA: 2, EXTENSION: 3 } as const;

export interface Ieee80211Fields {
  version: number;
  /** See {@link Ieee80211Type}. */
  type: number;
  subtype: number;
  /** Bits of {@link Ieee80211Flag}. */
  flags: number;
  duration: number;
  /** Receiver. */
  address1?: string;
  /** Transmitter. */
  address2?: string;
  address3?: string;
  fragmentNumber?: number;
  sequenceNumber?: number;
  address4?: string;
  qosControl?: number;
  htControl?: number;
  /** Bytes that the driver put after the header to align what follows (radiotap says so). */
  padding?: Uint8Array;
}

export const ieee80211Protocol: Protocol<'ieee80211', Ieee80211Fields> = {
  name: 'ieee80211',
  under: [
    ['link', 105],
    ['radiotap', 0],
  ],

  decode({ bytes, offset, end, outer, problem }): Decoded<Ieee80211Fields> | undefined {
    const here = end - offset;
    if (here < IEEE80211_BYTES.withoutAddresses) {
      problem('ieee80211_truncated', offset, `${here} of at least 4 header bytes`);
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, here);
    const control = view.getUint16(0, true);
    const fields: Ieee80211Fields = {
      version: control & 3,
      type: (control >> 2) & 3,
      subtype: (control >> 4) & 15,
      flags: control >> 8,
      duration: view.getUint16(2, true),
    };
    const parts = partsOf(fields);
    const headerBytes = IEEE80211_BYTES.withoutAddresses + parts.reduce((sum, part) => sum + SIZES[part], 0);
    const length = isPadded(outer, fields) ? Math.ceil(headerBytes / 4) * 4 : headerBytes;
    if (here < length) {
      problem('ieee80211_truncated', offset, `${here} of ${length} header bytes`);
      return undefined;
    }
    let at = IEEE80211_BYTES.withoutAddresses;
    for (const part of parts) {
      if (part === 'sequenceControl') {
        fields.fragmentNumber = view.getUint16(at, true) & 15;
        fields.sequenceNumber = view.getUint16(at, true) >> 4;
      } else if (part === 'qosControl') fields.qosControl = view.getUint16(at, true);
      else if (part === 'htControl') fields.htControl = view.getUint32(at, true);
      else fields[part] = formatMac(bytes, offset + at);
      at += SIZES[part];
    }
    if (length > headerBytes) fields.padding = bytes.subarray(offset + headerBytes, offset + length);
    return { fields, length, next: carriesLlc(fields) ? LLC_KEY : undefined, nextOf: 'ethernet' };
  },

  encode(fields, payload): Uint8Array {
    const { version = 0, type = Ieee80211Type.DATA, subtype = 0, flags = 0, padding } = fields;
    const parts = partsOf({ type, subtype, flags });
    const headerBytes = IEEE80211_BYTES.withoutAddresses + parts.reduce((sum, part) => sum + SIZES[part], 0);
    const length = headerBytes + (padding?.length ?? 0);
    const out = new Uint8Array(length + payload.length);
    const view = new DataView(out.buffer);
    view.setUint16(0, (flags << 8) | (subtype << 4) | (type << 2) | version, true);
    view.setUint16(2, fields.duration ?? 0, true);
    let at = IEEE80211_BYTES.withoutAddresses;
    for (const part of parts) {
      if (part === 'sequenceControl') {
        view.setUint16(at, ((fields.sequenceNumber ?? 0) << 4) | (fields.fragmentNumber ?? 0), true);
      } else if (part === 'qosControl') view.setUint16(at, fields.qosControl ?? 0, true);
      else if (part === 'htControl') view.setUint32(at, fields.htControl ?? 0, true);
      else out.set(parseMac(fields[part] ?? '00:00:00:00:00:00'), at);
      at += SIZES[part];
    }
    if (padding) out.set(padding, headerBytes);
    out.set(payload, length);
    return out;
  },

  describe({ type, subtype, address1, address2, flags }): string {
    const name = NAMES[type]?.[subtype] ?? `${TYPES[type]} subtype ${subtype}`;
    const ends = address2 ? `${address2} > ${address1}` : (address1 ?? 'no address');
    return `802.11 ${name}, ${ends}${flags & Ieee80211Flag.PROTECTED ? ', protected' : ''}`;
  },
};

type Address = 'address1' | 'address2' | 'address3' | 'address4';
type Part = Address | 'sequenceControl' | 'qosControl' | 'htControl';
const SIZES: Record<Part, number> = {
  address1: 6,
  address2: 6,
  address3: 6,
  address4: 6,
  sequenceControl: 2,
  qosControl: 2,
  htControl: 4,
};

/** What a header of this kind has after duration, in order. */
function partsOf({ type, subtype, flags }: Pick<Ieee80211Fields, 'type' | 'subtype' | 'flags'>): Part[] {
  if (type === Ieee80211Type.EXTENSION) return [];
  // CTS, ACK and the wrapper have one address, other control frames a transmitter too.
  if (type === Ieee80211Type.CONTROL) {
    return [7, 12, 13].includes(subtype) || subtype < 4 ? ['address1'] : ['address1', 'address2'];
  }
  const parts: Part[] = ['address1', 'address2', 'address3', 'sequenceControl'];
  const ordered = (flags & Ieee80211Flag.ORDER) !== 0;
  if (type === Ieee80211Type.MANAGEMENT) return ordered ? [...parts, 'htControl'] : parts;
  const both = Ieee80211Flag.TO_DS | Ieee80211Flag.FROM_DS;
  if ((flags & both) === both) parts.push('address4');
  if (subtype & QOS) parts.push('qosControl');
  if (subtype & QOS && ordered) parts.push('htControl');
  return parts;
}

const QOS = 8;
const NULL = 4;
/** In QoS control: several frames in one. */
const AGGREGATED = 0x80;

function carriesLlc(f: Ieee80211Fields): boolean {
  return (
    f.type === Ieee80211Type.DATA &&
    (f.subtype & NULL) === 0 &&
    (f.flags & Ieee80211Flag.PROTECTED) === 0 &&
    f.fragmentNumber === 0 &&
    ((f.qosControl ?? 0) & AGGREGATED) === 0
  );
}

function isPadded(outer: readonly Layer[], { type }: Ieee80211Fields): boolean {
  const radio = outer[outer.length - 1];
  if (radio?.protocol !== 'radiotap' || type !== Ieee80211Type.DATA) return false;
  return (radiotapFlags(radio.fields as RadiotapFields) & RadiotapFlag.DATA_PADDING) !== 0;
}

const TYPES = ['management', 'control', 'data', 'extension'];
const NAMES: Record<number, Record<number, string>> = {
  0: {
    0: 'association request',
    1: 'association response',
    2: 'reassociation request',
    3: 'reassociation response',
    4: 'probe request',
    5: 'probe response',
    8: 'beacon',
    9: 'ATIM',
    10: 'disassociation',
    11: 'authentication',
    12: 'deauthentication',
    13: 'action',
  },
  1: { 8: 'block ack request', 9: 'block ack', 10: 'PS-poll', 11: 'RTS', 12: 'CTS', 13: 'ack', 14: 'CF-end' },
  2: { 0: 'data', 4: 'null', 8: 'QoS data', 12: 'QoS null' },
};
