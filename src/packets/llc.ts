import { LLC_KEY } from './ethernet';
import { getBits, setBits } from './fields';
import type { Decoded, Protocol } from './protocol';

// IEEE 802.2 with the SNAP extension (RFC 1042): what follows an 802.3 length. Only the form that carries
// EtherTypes (access points 0xAA, control 3) leads on; anything else ends as payload after three bytes.
//
//   0                   1                   2                   3
//   +---------------+---------------+---------------+---------------+
//  0|     DSAP      |     SSAP      |    control    |  organization |
//   +---------------+---------------+---------------+---------------+
//  4|    code, continued            |           EtherType           |
//   +-------------------------------+-------------------------------+

export const LLC_FIELDS = {
  dsap: { bit: 0, bits: 8 },
  ssap: { bit: 8, bits: 8 },
  control: { bit: 16, bits: 8 },
  organization: { bit: 24, bits: 24 },
  etherType: { bit: 48, bits: 16 },
} as const;

const LLC_BYTES = 3;
const SNAP_BYTES = 8;
const SNAP_SAP = 0xaa;

export interface LlcFields {
  dsap: number;
  ssap: number;
  control: number;
  /** Present with SNAP only. */
  organization?: number;
  /** Present with SNAP only. */
  etherType?: number;
}

export const llcProtocol: Protocol<'llc', LlcFields> = {
  name: 'llc',
  under: [['ethernet', LLC_KEY]],

  decode({ bytes, offset, end, problem }): Decoded<LlcFields> | undefined {
    if (end - offset < LLC_BYTES) {
      problem('llc_truncated', offset, `${end - offset} of at least 3 header bytes`);
      return undefined;
    }
    const fields: LlcFields = {
      dsap: getBits(bytes, offset, LLC_FIELDS.dsap),
      ssap: getBits(bytes, offset, LLC_FIELDS.ssap),
      control: getBits(bytes, offset, LLC_FIELDS.control),
    };
    if (fields.dsap !== SNAP_SAP || fields.ssap !== SNAP_SAP || fields.control !== 3) {
      return { fields, length: LLC_BYTES };
    }
    if (end - offset < SNAP_BYTES) {
      problem('llc_truncated', offset, `${end - offset} of 8 header bytes`);
      return { fields, length: LLC_BYTES };
    }
    const organization = getBits(bytes, offset, LLC_FIELDS.organization);
    const etherType = getBits(bytes, offset, LLC_FIELDS.etherType);
    // With another organization's code the last word is that organization's own.
    const next = organization === 0 && etherType > 1500 ? etherType : undefined;
    return { fields: { ...fields, organization, etherType }, length: SNAP_BYTES, next, nextOf: 'ethernet' };
  },

  encode(fields, payload): Uint8Array {
    const snap = fields.etherType !== undefined;
    const headerBytes = snap ? SNAP_BYTES : LLC_BYTES;
    const out = new Uint8Array(headerBytes + payload.length);
    setBits(out, 0, LLC_FIELDS.dsap, fields.dsap ?? SNAP_SAP);
    setBits(out, 0, LLC_FIELDS.ssap, fields.ssap ?? SNAP_SAP);
    setBits(out, 0, LLC_FIELDS.control, fields.control ?? 3);
    if (snap) {
      setBits(out, 0, LLC_FIELDS.organization, fields.organization ?? 0);
      setBits(out, 0, LLC_FIELDS.etherType, fields.etherType ?? 0);
    }
    out.set(payload, headerBytes);
    return out;
  },

  describe(f): string {
    const snap = f.etherType === undefined ? '' : `, SNAP 0x${f.etherType.toString(16).padStart(4, '0')}`;
    return `LLC dsap 0x${f.dsap.toString(16)}, ssap 0x${f.ssap.toString(16)}, control 0x${f.control.toString(16)}${snap}`;
  },
};
