import { formatIpv6, parseIpv6 } from './addresses';
import { getBits, readFields, setBits, writeFields } from './fields';
import { decodeIpv6Options, describeIpv6Options, encodeIpv6Options, type Ipv6Option } from './ipv6Options';
import type { Decoded, Protocol } from './protocol';
import { IpProtocol, nameIpProtocol } from './pseudoHeader';
import { keyOf } from './registry';

// RFC 8200, section 4: headers between IPv6 and the transport header, each under the number that announces it.
//
//   hop-by-hop options (0), destination options (60)      routing (43), RFC 6554 and RFC 8754 as well
//   +---------------+---------------+------------         +---------------+---------------+---------------+---------------+
//  0|  next header  | length/8 - 1  | options ...         |  next header  | length/8 - 1  |     type      | segments left |
//   +---------------+---------------+------------         +---------------+---------------+---------------+---------------+
//                                                        4|              type-specific data ...
//
//   fragment (44)
//   +---------------+---------------+-------------------------+---+-+
//  0|  next header  |   reserved    |     fragment offset     |res|M|
//   +---------------+---------------+-------------------------+---+-+
//  4|                        identification                         |
//   +---------------------------------------------------------------+

export const IPV6_EXTENSION_FIELDS = {
  nextHeader: { bit: 0, bits: 8 },
  headerLength: { bit: 8, bits: 8 },
} as const;

export const IPV6_ROUTING_FIELDS = {
  ...IPV6_EXTENSION_FIELDS,
  routingType: { bit: 16, bits: 8 },
  segmentsLeft: { bit: 24, bits: 8 },
} as const;

export const IPV6_FRAGMENT_FIELDS = {
  nextHeader: { bit: 0, bits: 8 },
  reserved: { bit: 8, bits: 8 },
  fragmentOffset: { bit: 16, bits: 13 },
  reserved2: { bit: 29, bits: 2 },
  moreFragments: { bit: 31, bits: 1 },
  identification: { bit: 32, bits: 32 },
} as const;

export const IPV6_FRAGMENT_BYTES = 8;

/** Hop-by-hop or destination options. */
export interface Ipv6OptionsFields {
  nextHeader: number;
  /** In 8-byte units, the first not counted. */
  headerLength: number;
  options: Ipv6Option[];
}

export interface Ipv6RoutingFields {
  nextHeader: number;
  /** In 8-byte units, the first not counted. */
  headerLength: number;
  /** 0 deprecated source route (RFC 5095), 2 mobility, 3 RPL, 4 segment routing. */
  routingType: number;
  segmentsLeft: number;
  /** Everything after the first four bytes, as it is. */
  data: Uint8Array;
}

export interface Ipv6FragmentFields {
  nextHeader: number;
  reserved: number;
  /** In units of 8 bytes. */
  fragmentOffset: number;
  reserved2: number;
  moreFragments: number;
  identification: number;
}

/** IPv6 option of RFC 2675: the length of a packet above 65,535 bytes. */
const JUMBO_OPTION = 0xc2;

function optionsHeader<Name extends 'ipv6_hop_by_hop' | 'ipv6_destination'>(
  name: Name,
  number: number,
): Protocol<Name, Ipv6OptionsFields> {
  return {
    name,
    under: [['ipv6', number]],

    decode(context): Decoded<Ipv6OptionsFields> | undefined {
      const { bytes, offset, problem, outer } = context;
      const length = extensionLength(context, name);
      if (length === undefined) return undefined;
      const { options, malformedAt } = decodeIpv6Options(bytes, offset + 2, offset + length);
      const fields = { ...readFields(bytes, offset, IPV6_EXTENSION_FIELDS), options };
      if (malformedAt !== undefined) {
        problem(`${name}_options_malformed`, malformedAt, 'an option that is longer than its header');
      }
      const result = { fields, length, next: fields.nextHeader, nextOf: 'ipv6' };
      const ip = outer[outer.length - 1];
      const jumbo = options.find(({ kind, data }) => kind === JUMBO_OPTION && data.length === 4);
      if (!jumbo || ip?.protocol !== 'ipv6') return result;
      return { ...result, wireEnd: ip.offset + ip.length + getBits(jumbo.data, 0, { bit: 0, bits: 32 }) };
    },

    encode(fields, payload, { inner }): Uint8Array {
      const options = encodeIpv6Options(fields.options ?? []);
      const usual = {
        nextHeader: keyOf('ipv6', inner?.protocol) ?? 59,
        headerLength: (options.length - 6) / 8,
      };
      const { nextHeader, headerLength } = fields;
      return extension(IPV6_EXTENSION_FIELDS, { nextHeader, headerLength }, usual, options, payload);
    },

    describe({ options, nextHeader }): string {
      const title = number === IpProtocol.HOP_BY_HOP ? 'hop-by-hop options' : 'destination options';
      return `${title} [${describeIpv6Options(options)}], next ${nameIpProtocol(nextHeader)}`;
    },
  };
}

export const ipv6HopByHopProtocol = optionsHeader('ipv6_hop_by_hop', IpProtocol.HOP_BY_HOP);
export const ipv6DestinationProtocol = optionsHeader('ipv6_destination', IpProtocol.DESTINATION);

export const ipv6RoutingProtocol: Protocol<'ipv6_routing', Ipv6RoutingFields> = {
  name: 'ipv6_routing',
  under: [['ipv6', IpProtocol.ROUTING]],

  decode(context): Decoded<Ipv6RoutingFields> | undefined {
    const { bytes, offset } = context;
    const length = extensionLength(context, 'ipv6_routing');
    if (length === undefined) return undefined;
    const numbers = readFields(bytes, offset, IPV6_ROUTING_FIELDS);
    const fields = { ...numbers, data: bytes.subarray(offset + 4, offset + length) };
    // On the way the destination is the next stop, while checksums are made for the last one (RFC 8200, 8.1).
    const arrived = fields.segmentsLeft === 0;
    return { fields, length, next: fields.nextHeader, nextOf: 'ipv6', whole: arrived ? undefined : false };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const data = fields.data ?? new Uint8Array(4);
    const usual = {
      nextHeader: keyOf('ipv6', inner?.protocol) ?? 59,
      headerLength: Math.ceil((data.length - 4) / 8),
    };
    const { nextHeader, headerLength, routingType, segmentsLeft } = fields;
    const numbers = { nextHeader, headerLength, routingType, segmentsLeft };
    return extension(IPV6_ROUTING_FIELDS, numbers, usual, data, payload, 4);
  },

  describe({ routingType, segmentsLeft, data, nextHeader }): string {
    const stops = routingStops(routingType, data);
    const via = stops.length > 0 ? ` via ${stops.join(', ')}` : '';
    return `routing type ${routingType}, ${segmentsLeft} left${via}, next ${nameIpProtocol(nextHeader)}`;
  },
};

export const ipv6FragmentProtocol: Protocol<'ipv6_fragment', Ipv6FragmentFields> = {
  name: 'ipv6_fragment',
  under: [['ipv6', IpProtocol.FRAGMENT]],

  decode({ bytes, offset, end, problem }): Decoded<Ipv6FragmentFields> | undefined {
    if (end - offset < IPV6_FRAGMENT_BYTES) {
      problem('ipv6_fragment_truncated', offset, `${end - offset} of 8 header bytes`);
      return undefined;
    }
    const fields = readFields(bytes, offset, IPV6_FRAGMENT_FIELDS);
    // A fragment that is all there is (RFC 6946) is a whole packet.
    const atomic = fields.fragmentOffset === 0 && fields.moreFragments === 0;
    return {
      fields,
      length: IPV6_FRAGMENT_BYTES,
      // Only the first fragment has the transport header.
      next: fields.fragmentOffset > 0 ? undefined : fields.nextHeader,
      nextOf: 'ipv6',
      whole: atomic ? undefined : false,
    };
  },

  encode(fields, payload, { inner }): Uint8Array {
    const out = new Uint8Array(IPV6_FRAGMENT_BYTES + payload.length);
    writeFields(out, 0, IPV6_FRAGMENT_FIELDS, fields, { nextHeader: keyOf('ipv6', inner?.protocol) ?? 59 });
    out.set(payload, IPV6_FRAGMENT_BYTES);
    return out;
  },

  describe({ fragmentOffset, moreFragments, identification, nextHeader }): string {
    const more = moreFragments ? '+' : '';
    return `fragment id 0x${identification.toString(16)}, offset ${fragmentOffset * 8}${more}, next ${nameIpProtocol(nextHeader)}`;
  },
};

/** Length of a header of 8-byte units, when all of it is there; named as a problem when not. */
function extensionLength(
  { bytes, offset, end, wireEnd, problem }: Parameters<Protocol['decode']>[0],
  name: string,
): number | undefined {
  const here = end - offset;
  const length = here >= 2 ? 8 * (bytes[offset + 1] + 1) : 8;
  if (here >= length) return length;
  if (offset + length > wireEnd) {
    problem(
      `${name}_beyond_packet`,
      offset,
      `a header of ${length} bytes where ${wireEnd - offset} were sent`,
    );
  } else {
    problem(`${name}_truncated`, offset, `${here} of ${length} header bytes`);
  }
  return undefined;
}

/** A header of 8-byte units: numbers, then data padded with zeros, then the payload. */
function extension<Ranges extends Parameters<typeof readFields>[2]>(
  ranges: Ranges,
  numbers: { readonly [Name in keyof Ranges]?: number },
  usual: { readonly [Name in keyof Ranges]?: number },
  data: Uint8Array,
  payload: Uint8Array,
  dataAt = 2,
): Uint8Array {
  const length = Math.max(8, Math.ceil((dataAt + data.length) / 8) * 8);
  const out = new Uint8Array(length + payload.length);
  writeFields(out, 0, ranges, numbers, usual);
  out.set(data, dataAt);
  out.set(payload, length);
  return out;
}

/** The addresses in a routing header of a type whose data are addresses; none for others. */
function routingStops(routingType: number, data: Uint8Array): string[] {
  const stops: string[] = [];
  if (routingType !== 0 && routingType !== 2 && routingType !== 4) return stops;
  // Segment routing may add options after its list; its third byte is the last entry's index.
  const count = routingType === 4 ? data[0] + 1 : Infinity;
  for (let at = 4; at + 16 <= data.length && stops.length < count; at += 16) stops.push(formatIpv6(data, at));
  return stops;
}

/** Data of a routing header of type 0, 2 or 4 that lists addresses, for {@link Ipv6RoutingFields}. */
export function routingData(firstWord: number, addresses: readonly string[]): Uint8Array {
  const out = new Uint8Array(4 + 16 * addresses.length);
  setBits(out, 0, { bit: 0, bits: 32 }, firstWord);
  addresses.forEach((address, i) => out.set(parseIpv6(address), 4 + 16 * i));
  return out;
}
