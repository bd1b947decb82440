import type { Frame } from '../../../src/capture';
import { encodePacket, layer, type LayerFields } from '../../../src/packets';
import {
  ACK,
  at,
  build,
  CWR,
  FIN,
  frames,
  MSS,
  open,
  PSH,
  RST,
  SACK_OK,
  scale,
  stamps,
  SYN,
  tcp,
} from './build';

/** A capture that breaks one rule. */
export interface Mutation {
  rule: string;
  frames: Frame[];
  /** Number of the packet that breaks it. */
  packet: number;
}

type Fields<Name extends keyof LayerFields> = Partial<LayerFields[Name]>;

const ETHERNET = layer('ethernet', { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' });
const V4 = { source: '10.0.0.2', destination: '192.0.2.1' };
const V6 = { source: '2001:db8::2', destination: '2001:db8::1' };
const UDP = { sourcePort: 5000, destinationPort: 6000 };

function udp(fields: Fields<'udp'> = {}, data = 12, ip: Fields<'ipv4'> = {}): Uint8Array {
  return encodePacket(
    [ETHERNET, layer('ipv4', { ...V4, ...ip }), layer('udp', { ...UDP, ...fields })],
    bytes(data),
  );
}

function udp6(fields: Fields<'udp'> = {}, ip: Fields<'ipv6'> = {}): Uint8Array {
  return encodePacket(
    [ETHERNET, layer('ipv6', { ...V6, ...ip }), layer('udp', { ...UDP, ...fields })],
    bytes(12),
  );
}

function dns(fields: Fields<'dns'>, answer = false): Uint8Array {
  const question = { name: 'example.org', type: 1, class: 1 };
  const ports = answer
    ? { sourcePort: 53, destinationPort: 5000 }
    : { sourcePort: 5000, destinationPort: 53 };
  const ends = answer ? { source: V4.destination, destination: V4.source } : V4;
  return encodePacket([
    ETHERNET,
    layer('ipv4', ends),
    layer('udp', ports),
    layer('dns', { id: 7, questions: [question], response: answer ? 1 : 0, ...fields }),
  ]);
}

function icmp(fields: Fields<'icmp'>, payload: Uint8Array = bytes(8), back = false): Uint8Array {
  const ends = back ? { source: V4.destination, destination: V4.source } : V4;
  return encodePacket([ETHERNET, layer('ipv4', ends), layer('icmp', fields)], payload);
}

function bytes(n: number): Uint8Array {
  return new Uint8Array(n).fill(9);
}

/** A copy with bytes changed; the IPv4 header checksum is made right again unless it is among them. */
function changed(packet: Uint8Array, changes: Record<number, number>, fix = true): Uint8Array {
  const out = packet.slice();
  for (const [offset, value] of Object.entries(changes)) out[Number(offset)] = value;
  if (fix && out[12] === 8) {
    const end = 14 + Math.max(5, out[14] & 15) * 4;
    out[24] = out[25] = 0;
    let sum = 0;
    for (let i = 14; i < end; i += 2) sum += (out[i] << 8) | out[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    out[24] = (~sum >> 8) & 255;
    out[25] = ~sum & 255;
  }
  return out;
}

const one = (rule: string, packet: Uint8Array): Mutation => ({ rule, frames: frames([packet]), packet: 1 });
const ack = tcp({ sequenceNumber: 1, acknowledgmentNumber: 1 });
/** The last packet breaks the rule. */
const last = (rule: string, captured: Frame[], packet = captured.length): Mutation => ({
  rule,
  frames: captured,
  packet,
});
const single = (rule: string, segment: Parameters<typeof tcp>[0]): Mutation =>
  one(rule, tcp({ sequenceNumber: 1, acknowledgmentNumber: 1, ...segment }));
const opened = (rule: string, ...more: Parameters<typeof tcp>[0][]): Mutation =>
  last(rule, build([...open(), ...more]));
const STAMPED = { client: [MSS, stamps(10, 0)], server: [MSS, stamps(20, 10)] };

/** One capture for each rule, in no order. */
export const MUTATIONS: readonly Mutation[] = [
  one('link-trailer', new Uint8Array([...ack, ...bytes(40)])),
  one('header-unreadable', encodePacket([ETHERNET, layer('ipv4', { ...V4, protocol: 1 })], bytes(4))),
  one('ipv4-version', changed(ack, { 14: 0x55 })),
  one('ipv4-header-length', changed(ack, { 14: 0x44 })),
  one('ipv4-total-length', changed(ack, { 16: 0, 17: 60 })),
  one('ipv4-length-zero', changed(ack, { 16: 0, 17: 0 })),
  one('ipv4-checksum', changed(ack, { 22: 63 }, false)),
  one('ipv4-checksum-offload', changed(ack, { 24: 0, 25: 0 }, false)),
  one(
    'ipv4-options',
    changed(tcp({ sequenceNumber: 1, ip: { options: [{ kind: 7, data: bytes(2) }] } }), { 35: 1 }),
  ),
  one('ipv4-reserved-flag', tcp({ sequenceNumber: 1, ip: { flags: 6 } })),
  one('ipv4-fragment-length', udp({}, 13, { flags: 1 })),
  one('ipv4-fragment-df', udp({}, 16, { flags: 3 })),
  one('ipv4-source', udp({}, 12, { source: '224.0.0.251' })),
  one('ipv4-ttl', udp({}, 12, { timeToLive: 0 })),
  one('ipv6-version', changed(udp6(), { 14: 0x40 })),
  one('ipv6-payload-length', changed(udp6(), { 19: 80 })),
  one('ipv6-extension', changed(udp6(), { 20: 0, 55: 255 })),
  one('ipv6-source', udp6({}, { source: 'ff02::1' })),
  one('ipv6-hop-limit', udp6({}, { hopLimit: 0 })),
  single('tcp-header-length', { dataOffset: 4 }),
  one('tcp-checksum', changed(tcp({ sequenceNumber: 1, data: 10 }), { 60: 99 })),
  one('tcp-checksum-offload', changed(tcp({ sequenceNumber: 1, data: 10 }), { 50: 0, 51: 0 })),
  single('tcp-reserved', { reserved: 8 }),
  single('tcp-flags-conflict', { flags: SYN | FIN }),
  single('tcp-ack-missing', { flags: FIN, acknowledgmentNumber: 0 }),
  single('tcp-ack-field', { flags: SYN, acknowledgmentNumber: 22_205_328 }),
  single('tcp-port-zero', { sourcePort: 0 }),
  single('tcp-urgent', { urgentPointer: 24 }),
  single('tcp-address', { ip: { destination: '224.0.0.1' } }),
  single('tcp-options-malformed', { options: [{ kind: 'malformed', data: Uint8Array.of(8, 40, 1, 1) }] }),
  single('tcp-option-length', { options: [{ kind: 'other', number: 8, data: bytes(6) }] }),
  single('tcp-option-padding', { options: [{ kind: 'eol', padding: Uint8Array.of(0, 19, 127) }] }),
  single('tcp-option-repeated', {
    flags: SYN,
    acknowledgmentNumber: 0,
    options: [MSS, { kind: 'mss', value: 536 }],
  }),
  single('tcp-mss-outside-syn', { options: [MSS] }),
  single('tcp-wscale-outside-syn', { options: [scale(7)] }),
  single('tcp-sackok-outside-syn', { options: [SACK_OK] }),
  single('tcp-wscale-range', { flags: SYN, acknowledgmentNumber: 0, options: [scale(15)] }),
  single('tcp-mss-small', { flags: SYN, acknowledgmentNumber: 0, options: [{ kind: 'mss', value: 0 }] }),
  single('tcp-sack-blocks', { options: [{ kind: 'sack', blocks: [[2000, 1000]] }] }),
  opened('tcp-syn-established', at(0, 10), { flags: SYN, sequenceNumber: 77_000, options: [MSS] }),
  last(
    'tcp-isn-changed',
    build([
      ...open().slice(0, 2),
      { down: true, flags: SYN | ACK, sequenceNumber: 9016, acknowledgmentNumber: 1001 },
    ]),
  ),
  last('tcp-syn-ack-number', build([open()[0], { ...open()[1], acknowledgmentNumber: 1000 }])),
  last('tcp-handshake-incomplete', build([open()[0], at(0, 10)])),
  last('tcp-syn-data', build([{ flags: SYN, sequenceNumber: 1000, data: 16 }])),
  opened('tcp-seq-outside', at(0, 10), at(500_000_000, 10)),
  opened('tcp-seq-before-isn', at(0, 10), at(-1, 10)),
  opened('tcp-seq-gap', at(0, 100), at(200, 100)),
  opened('tcp-window-exceeded', ...[0, 1, 2, 3, 4, 5].map((i) => at(i * 1400, 1400))),
  {
    // The server acknowledges 400 bytes more than the client has sent; they follow four segments later.
    rule: 'tcp-ack-unsent',
    frames: build([
      ...open(),
      at(0, 500),
      at(0, 0, { down: true, acknowledgmentNumber: 1901 }),
      at(0, 10, { down: true, acknowledgmentNumber: 1501 }),
      at(500, 0, { acknowledgmentNumber: 9011 }),
      at(10, 10, { down: true, acknowledgmentNumber: 1501 }),
      at(500, 400, { acknowledgmentNumber: 9021 }),
    ]),
    packet: 5,
  },
  {
    rule: 'tcp-ack-unseen',
    frames: build([
      ...open(),
      at(0, 500),
      at(0, 0, { down: true, acknowledgmentNumber: 1901 }),
      at(900, 100),
    ]),
    packet: 5,
  },
  opened('tcp-ack-old', at(0, 10, { acknowledgmentNumber: 4 })),
  opened('tcp-rst-sequence', at(0, 10), {
    flags: RST | ACK,
    sequenceNumber: 3_000_000_000,
    acknowledgmentNumber: 9001,
  }),
  opened('tcp-data-after-fin', at(0, 100), at(100, 0, { flags: FIN | ACK }), at(101, 100)),
  opened('tcp-fin-moved', at(0, 100), at(100, 0, { flags: FIN | ACK }), at(60, 0, { flags: FIN | ACK })),
  opened('tcp-after-reset', at(0, 100), at(100, 0, { flags: RST | ACK }), at(100, 100)),
  opened('tcp-sack-not-permitted', at(0, 0, { options: [{ kind: 'sack', blocks: [[9000, 9001]] }] })),
  last(
    'tcp-sack-unseen',
    build([
      ...open({ client: [MSS, SACK_OK], server: [MSS, SACK_OK] }),
      at(0, 0, { options: [{ kind: 'sack', blocks: [[9500, 9900]] }] }),
    ]),
  ),
  last('tcp-timestamps-missing', build([...open(STAMPED), at(0, 100)])),
  opened('tcp-timestamps-not-agreed', at(0, 100, { options: [stamps(12, 21)] })),
  last(
    'tcp-timestamps-backwards',
    build([
      ...open(STAMPED),
      at(0, 100, { options: [stamps(100, 20)] }),
      at(100, 100, { options: [stamps(90, 20)] }),
    ]),
  ),
  last('tcp-timestamps-echo', build([...open(STAMPED), at(0, 100, { options: [stamps(12, 7000)] })])),
  opened('tcp-ecn-not-agreed', at(0, 100, { flags: PSH | ACK | CWR })),
  opened('tcp-mss-exceeded', at(0, 2920)),
  one('udp-length', changed(udp(), { 39: 7 })),
  one('udp-length-short', changed(udp({ checksum: 0 }), { 39: 12 })),
  one('udp-checksum', changed(udp(), { 50: 1 })),
  one('udp-checksum-offload', udpOffloaded()),
  one('udp-checksum-zero', udp6({ checksum: 0 })),
  one('udp-port-zero', udp({ destinationPort: 0 })),
  one('dns-question', dns({ questions: [], questionCount: 1 })),
  one('dns-reserved', dns({ reserved: 1 })),
  one('dns-answer-in-query', dns({ answerCount: 1 })),
  last('dns-unasked', frames([dns({}), dns({ id: 9 }, true)])),
  one('icmp-checksum', changed(icmp({ type: 8 }), { 44: 1 })),
  one('icmp-type', icmp({ type: 77 })),
  last(
    'icmp-unasked',
    frames([
      icmp({ type: 8, identifier: 3, sequenceNumber: 1 }),
      icmp({ type: 0, identifier: 3, sequenceNumber: 2 }, bytes(8), true),
    ]),
  ),
  one('icmp-to-many', icmp({ type: 3, code: 3 }, udp({}, 12, { destination: '224.0.0.251' }).subarray(14))),
  one(
    'icmpv6-hop-limit',
    encodePacket([
      ETHERNET,
      layer('ipv6', { ...V6, hopLimit: 64 }),
      layer('icmpv6', { type: 135, code: 0, target: V6.destination }),
    ]),
  ),
];

/** The sum over the pseudo-header in place of the checksum: 10.0.0.2, 192.0.2.1, protocol 17, length 20. */
function udpOffloaded(): Uint8Array {
  const sum = 0x0a00 + 0x0002 + 0xc000 + 0x0201 + 17 + 20;
  return udp({ checksum: sum });
}
