import type { Decoded, Protocol } from './protocol';

// LINKTYPE_IEEE802_11_RADIOTAP (https://www.radiotap.org): numbers are little-endian. The fields announced by the
// presence words follow, each aligned to its size; only "flags" is looked for, since it says how the frame ends.
//
//   +---------------+---------------+-------------------------------+
//  0|    version    |    padding    |       length, all of it       |
//   +---------------+---------------+-------------------------------+
//  4|    presence (bit 31: one more presence word follows)          |
//   +---------------------------------------------------------------+
//  8|  fields ...

const RADIOTAP_FIXED_BYTES = 8;

/** Bits of the field "flags". */
export const RadiotapFlag = { FCS: 0x10, DATA_PADDING: 0x20 } as const;

export interface RadiotapFields {
  version: number;
  padding: number;
  /** Length of this header in bytes. */
  length: number;
  /** First presence word. */
  present: number;
  /** Everything after it, as it is. */
  data: Uint8Array;
}

export const radiotapProtocol: Protocol<'radiotap', RadiotapFields> = {
  name: 'radiotap',
  under: [['link', 127]],

  decode({ bytes, offset, end, wireEnd, problem }): Decoded<RadiotapFields> | undefined {
    const here = end - offset;
    if (here < RADIOTAP_FIXED_BYTES) {
      problem('radiotap_truncated', offset, `${here} of at least 8 header bytes`);
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RADIOTAP_FIXED_BYTES);
    const length = view.getUint16(2, true);
    if (length < RADIOTAP_FIXED_BYTES) {
      problem('radiotap_length', offset + 2, `a length of ${length}; the least is 8`);
      return undefined;
    }
    if (here < length) {
      problem('radiotap_truncated', offset, `${here} of ${length} header bytes`);
      return undefined;
    }
    const fields: RadiotapFields = {
      version: bytes[offset],
      padding: bytes[offset + 1],
      length,
      present: view.getUint32(4, true),
      data: bytes.subarray(offset + RADIOTAP_FIXED_BYTES, offset + length),
    };
    const withFcs = (radiotapFlags(fields) & RadiotapFlag.FCS) !== 0;
    return { fields, length, next: 0, wireEnd: withFcs ? wireEnd - 4 : undefined };
  },

  encode(fields, payload): Uint8Array {
    const { data = new Uint8Array(0) } = fields;
    const headerBytes = RADIOTAP_FIXED_BYTES + data.length;
    const out = new Uint8Array(headerBytes + payload.length);
    out[0] = fields.version ?? 0;
    out[1] = fields.padding ?? 0;
    const view = new DataView(out.buffer);
    view.setUint16(2, fields.length ?? headerBytes, true);
    view.setUint32(4, fields.present ?? 0, true);
    out.set(data, RADIOTAP_FIXED_BYTES);
    out.set(payload, headerBytes);
    return out;
  },

  describe({ length }): string {
    return `radiotap, ${length} bytes`;
  },
};

/** The field "flags" of a radiotap header ({@link RadiotapFlag}); 0 where it is absent. */
export function radiotapFlags({ present, data }: RadiotapFields): number {
  if ((present & 2) === 0) return 0;
  // More presence words come first; then the time (bit 0), 8 bytes aligned to 8 from the header's start.
  let at = 0;
  for (let word = present; word >= 2 ** 31 && at + 4 <= data.length; at += 4) {
    word = (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)) >>> 0;
  }
  if (present & 1) at = Math.ceil(at / 8) * 8 + 8;
  return at < data.length ? data[at] : 0;
}
