import { formatMac, parseMac } from './addresses';
import { LLC_KEY } from './ethernet';
import type { Decoded, Protocol } from './protocol';

// LINKTYPE_FDDI (https://www.tcpdump.org/linktypes.html): frame control, then addresses as they were captured; some
// systems have their bits in reverse. Frames of the asynchronous LLC kind carry LLC.
//
//   +---------------+---------------------------+---------------------------+
//  0| frame control |    destination address    |      source address       |
//   +---------------+---------------------------+---------------------------+

const FDDI_HEADER_BYTES = 13;

export interface FddiFields {
  frameControl: number;
  destination: string;
  source: string;
}

export const fddiProtocol: Protocol<'fddi', FddiFields> = {
  name: 'fddi',
  under: [['link', 10]],

  decode({ bytes, offset, end, problem }): Decoded<FddiFields> | undefined {
    if (end - offset < FDDI_HEADER_BYTES) {
      problem('fddi_truncated', offset, `${end - offset} of 13 header bytes`);
      return undefined;
    }
    const frameControl = bytes[offset];
    const fields = {
      frameControl,
      destination: formatMac(bytes, offset + 1),
      source: formatMac(bytes, offset + 7),
    };
    const next = (frameControl & 0xf8) === ASYNCHRONOUS_LLC ? LLC_KEY : undefined;
    return { fields, length: FDDI_HEADER_BYTES, next, nextOf: 'ethernet' };
  },

  encode(fields, payload): Uint8Array {
    const out = new Uint8Array(FDDI_HEADER_BYTES + payload.length);
    out[0] = fields.frameControl ?? ASYNCHRONOUS_LLC;
    if (fields.destination) out.set(parseMac(fields.destination), 1);
    if (fields.source) out.set(parseMac(fields.source), 7);
    out.set(payload, FDDI_HEADER_BYTES);
    return out;
  },

  describe({ source, destination, frameControl }): string {
    return `FDDI ${source} > ${destination}, frame control 0x${frameControl.toString(16)}`;
  },
};

const ASYNCHRONOUS_LLC = 0x50;
