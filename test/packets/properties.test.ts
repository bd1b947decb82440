import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePacket,
  encodePacket,
  layer,
  MAX_LAYERS,
  readDnsName,
  show,
  summarize,
  writeDnsName,
  type BitField,
  type EncodeLayer,
  type Packet,
  ARP_FIELDS,
  DNS_FIELDS,
  DTLS_FIELDS,
  GENEVE_FIELDS,
  MPLS_FIELDS,
  RTCP_FIELDS,
  RTP_FIELDS,
  VLAN_FIELDS,
  VXLAN_FIELDS,
} from '../../src/packets';
import { protocolSamples } from './protocolSamples';
import { samples } from './samples';

/** fast-check prints seed and path of a failure; the seed makes a run the same everywhere. */
const run = (numRuns: number) => ({ seed: 20, numRuns });

const bytes = (maxLength: number, minLength = 0) => fc.uint8Array({ minLength, maxLength });
const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const ipv4Address = fc.ipV4();
const mac = bytes(6, 6).map((b) => [...b].map((x) => x.toString(16).padStart(2, '0')).join(':'));
const hexText = (maxLength: number) => bytes(maxLength).map((b) => Buffer.from(b).toString('hex'));
const ipv6Address = fc
  .array(uint(16), { minLength: 8, maxLength: 8 })
  // The encoder takes any form; the decoder gives RFC 5952's, so compare a form that has no zeros to shorten.
  .map((words) => words.map((word) => (word || 1).toString(16)).join(':'));

/** All numbers of a header at random, but for those that the structure decides. */
function numbers(ranges: Readonly<Record<string, BitField>>, ...without: string[]) {
  const rest = Object.entries(ranges).filter(([name]) => !without.includes(name));
  return fc.record(Object.fromEntries(rest.map(([name, { bits }]) => [name, uint(bits)])));
}

const of = (protocol: string, fields: fc.Arbitrary<object>): fc.Arbitrary<EncodeLayer[]> =>
  fields.map((f) => [{ protocol, fields: f }]);

const ipv4Layer = of(
  'ipv4',
  fc.record({
    source: ipv4Address,
    destination: ipv4Address,
    identification: uint(16),
    timeToLive: uint(8),
    dscp: uint(6),
  }),
);
const ipv6Layer = fc
  .record({ source: ipv6Address, destination: ipv6Address, flowLabel: uint(20), hopLimit: uint(8) })
  .chain((fields) =>
    fc
      .array(
        fc.oneof(
          of(
            'ipv6_destination',
            fc.record({
              options: fc.array(fc.record({ kind: fc.integer({ min: 2, max: 0x3f }), data: bytes(9) }), {
                maxLength: 2,
              }),
            }),
          ),
          of(
            'ah',
            fc.record({
              securityParametersIndex: uint(32),
              sequenceNumber: uint(32),
              integrityCheckValue: bytes(12, 12),
            }),
          ),
          of('ipv6_fragment', fc.record({ identification: uint(32) })),
        ),
        { maxLength: 3 },
      )
      .map((extensions) => [{ protocol: 'ipv6', fields }, ...extensions.flat()]),
  );
const ip = fc.oneof(ipv4Layer, ipv6Layer);

const link = fc.oneof(
  of('ethernet', fc.record({ source: mac, destination: mac })),
  fc
    .array(of('vlan', numbers(VLAN_FIELDS, 'etherType')), { minLength: 1, maxLength: 3 })
    .map((tags) => [layer('ethernet'), ...tags.flat()]),
  fc
    .array(of('mpls', numbers(MPLS_FIELDS, 'bottomOfStack')), { minLength: 1, maxLength: 3 })
    .map((labels) => [layer('ethernet'), ...labels.flat()]),
  uint(16).map((sessionId) => [layer('ethernet'), layer('pppoe', { sessionId }), layer('ppp')]),
);

/** Up to two tunnels: IP, what carries the next packet, and a link header where that carries frames. */
const udpTo = (port: number) => layer('udp', { sourcePort: 40000, destinationPort: port });
const carrier = fc.oneof(
  fc.constant<EncodeLayer[]>([]),
  fc
    .record({
      key: fc.option(uint(32), { nil: undefined }),
      sequenceNumber: fc.option(uint(32), { nil: undefined }),
      checksumPresent: uint(1),
    })
    .map((fields): EncodeLayer[] => [{ protocol: 'gre', fields }]),
  numbers(VXLAN_FIELDS, 'flags').map((fields) => [
    udpTo(4789),
    { protocol: 'vxlan', fields },
    layer('ethernet'),
  ]),
  fc
    .tuple(numbers(GENEVE_FIELDS, 'version', 'optionLength', 'protocolType'), uint(3))
    .map(([fields, words]) => [
      udpTo(6081),
      { protocol: 'geneve', fields: { ...fields, options: new Uint8Array(4 * words).fill(words) } },
      layer('ethernet'),
    ]),
  fc
    .record({ tunnelEndpointIdentifier: uint(32), sequenceNumber: fc.option(uint(16), { nil: undefined }) })
    .map((fields): EncodeLayer[] => [udpTo(2152), { protocol: 'gtpu', fields }]),
);
const tunnels = fc
  .array(fc.tuple(ip, carrier), { maxLength: 2 })
  .map((parts) => parts.flatMap(([outer, by]) => [...outer, ...by]));

const question = fc.record({
  name: fc
    .array(bytes(20, 1), { minLength: 1, maxLength: 5 })
    .map(
      (labels) =>
        readDnsName(Uint8Array.from([...labels.flatMap((l) => [l.length, ...l]), 0]), 0, 0, 200)!.name,
    ),
  type: uint(16),
  class: uint(16),
});
const media = layer('udp', { sourcePort: 20000, destinationPort: 20002 });
/** What stands in the innermost IP packet, and the least payload that it needs to be recognised. */
const content: fc.Arbitrary<EncodeLayer[]> = fc.oneof(
  fc
    .record({
      sourcePort: uint(16),
      destinationPort: fc.constant(9),
      window: uint(16),
      sequenceNumber: uint(32),
      flags: uint(8),
    })
    .map((fields) => [{ protocol: 'tcp', fields }]),
  fc
    .record({ sourcePort: fc.constant(7), destinationPort: fc.constant(9) })
    .map((fields) => [{ protocol: 'udp', fields }]),
  fc
    .record({ sourcePort: uint(16), destinationPort: uint(16), verificationTag: uint(32) })
    .map((fields) => [{ protocol: 'sctp', fields }]),
  fc
    .tuple(numbers(DNS_FIELDS, 'questionCount'), fc.array(question, { maxLength: 3 }))
    .map(([fields, questions]) => [udpTo(53), { protocol: 'dns', fields: { ...fields, questions } }]),
  numbers(RTP_FIELDS, 'version', 'padding', 'extension', 'csrcCount', 'payloadType').map((fields) => [
    media,
    {
      protocol: 'rtp',
      fields: { ...fields, ssrc: 1 + ((fields as { ssrc: number }).ssrc >>> 1), payloadType: 96 },
    },
  ]),
  numbers(RTCP_FIELDS, 'version', 'length', 'count', 'packetType').map((fields) => [
    media,
    { protocol: 'rtcp', fields },
  ]),
  numbers(DTLS_FIELDS, 'contentType', 'version', 'length').map((fields) => [
    media,
    { protocol: 'dtls', fields },
  ]),
  hexText(20).chain((destinationConnectionId) =>
    hexText(20).map((sourceConnectionId) => [
      media,
      layer('quic', { destinationConnectionId, sourceConnectionId }),
    ]),
  ),
  bytes(12, 12).map((id) => [media, layer('stun', { transactionId: Buffer.from(id).toString('hex') })]),
  uint(2).map((type) => [
    layer('tcp', { destinationPort: 443 }),
    layer('tls', { contentType: type & 1 ? 21 : 23 }),
  ]),
);

/** Does what was decoded have every field that was given? */
function expectGiven(packet: Packet, layers: EncodeLayer[]): void {
  expect(packet.layers.map((l) => l.protocol)).toEqual(layers.map((l) => l.protocol));
  layers.forEach(({ fields }, i) => {
    const decoded = packet.layers[i].fields as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields as object)) {
      if (value === undefined) continue;
      // The encoder adds padding to lists of options.
      const there = Array.isArray(value)
        ? (decoded[name] as unknown[]).slice(0, value.length)
        : decoded[name];
      expect({ [name]: there }).toEqual({ [name]: value });
    }
  });
}

describe('any stack of headers', () => {
  it('decodes to the fields that it was encoded from, without a problem, and encodes to the same bytes', () => {
    const stack = fc.tuple(link, tunnels, ip, content).map((parts) => parts.flat());
    let deepest = 0;
    fc.assert(
      fc.property(stack, fc.constant(new Uint8Array(40).fill(1)), (layers, payload) => {
        const data = encodePacket(layers, payload);
        const packet = decodePacket(data, 1, { wireLen: data.length });
        expect(packet.problems).toEqual([]);
        expectGiven(packet, layers);
        const again = encodePacket(packet.layers, data.subarray(packet.payloadOffset));
        expect(Buffer.from(again).toString('hex')).toBe(Buffer.from(data).toString('hex'));
        deepest = Math.max(deepest, layers.length);
      }),
      run(600),
    );
    expect(deepest).toBeGreaterThan(12);
  });

  it('ARP of any address lengths', () => {
    const arp = fc
      .tuple(numbers(ARP_FIELDS, 'hardwareLength', 'protocolLength'), uint(4), uint(4))
      .chain(([fields, hard, soft]) =>
        fc
          .tuple(bytes(hard, hard), bytes(soft, soft), bytes(hard, hard), bytes(soft, soft))
          .map((addresses) => {
            const [a, b, c, d] = addresses.map((address) => Buffer.from(address).toString('hex'));
            return {
              ...fields,
              senderHardwareAddress: a,
              senderProtocolAddress: b,
              targetHardwareAddress: c,
              targetProtocolAddress: d,
            };
          }),
      );
    fc.assert(
      fc.property(arp, (fields) => {
        const data = encodePacket([layer('ethernet'), { protocol: 'arp', fields }]);
        const packet = decodePacket(data, 1);
        expect(packet.problems).toEqual([]);
        expect(encodePacket(packet.layers)).toEqual(data);
      }),
      run(300),
    );
  });
});

/** What must hold for the answer to any bytes at all. */
function expectSound(data: Uint8Array, linkType: number, wireLen?: number): void {
  const packet = decodePacket(data, linkType, { wireLen });
  let at = 0;
  for (const { offset, length } of packet.layers) {
    expect(offset).toBe(at);
    expect(length).toBeGreaterThan(0);
    at += length;
  }
  expect(packet.payloadOffset).toBe(at);
  expect(at).toBeLessThanOrEqual(data.length);
  expect(packet.layers.length).toBeLessThanOrEqual(MAX_LAYERS);
  expect(summarize(packet)).not.toMatch(/undefined|NaN|\[object/);
  expect(show(packet)).not.toMatch(/undefined|NaN|\[object/);
  if (packet.problems.length === 0) {
    const again = encodePacket(packet.layers, data.subarray(packet.payloadOffset));
    expect(Buffer.from(again).toString('hex')).toBe(Buffer.from(data).toString('hex'));
  }
}

describe('any bytes', () => {
  const all = [
    ...protocolSamples.map(({ linkType, layers, payload }) => ({
      linkType,
      data: encodePacket(layers, payload),
    })),
    ...samples,
  ];

  it('as any link type', () => {
    const length = fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined });
    fc.assert(
      fc.property(bytes(200), fc.integer({ min: 0, max: 300 }), length, (data, linkType, wireLen) =>
        expectSound(data, linkType, wireLen),
      ),
      run(2000),
    );
  });

  it('of a sample, changed and cut', () => {
    const changes = fc.array(fc.tuple(fc.nat(300), uint(8)), { maxLength: 6 });
    const cut = fc.option(fc.nat(300), { nil: undefined });
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        changes,
        cut,
        fc.boolean(),
        ({ data, linkType }, edits, end, known) => {
          const copy = data.slice(0, end);
          for (const [at, value] of edits) if (at < copy.length) copy[at] = value;
          expectSound(copy, linkType, known ? data.length : undefined);
        },
      ),
      run(3000),
    );
  });

  it('of two samples, one inside the other', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.constantFrom(...all), fc.nat(80), (a, b, at) => {
        const data = new Uint8Array(Math.min(at, a.data.length) + b.data.length);
        data.set(a.data.subarray(0, at));
        data.set(b.data, Math.min(at, a.data.length));
        expectSound(data, a.linkType, data.length);
      }),
      run(1000),
    );
  });
});

describe('domain names', () => {
  it('of any labels come back', () => {
    fc.assert(
      fc.property(fc.array(bytes(30, 1), { maxLength: 8 }), (labels) => {
        const wire = Uint8Array.from([...labels.flatMap((l) => [l.length, ...l]), 0]);
        const read = readDnsName(wire, 0, 0, wire.length);
        expect(read).toMatchObject({ end: wire.length, compressed: false });
        expect(writeDnsName(read!.name)).toEqual(wire);
      }),
      run(1000),
    );
  });

  it('end, whatever the pointers', () => {
    const wild = fc.array(fc.oneof(uint(8), fc.constant(0xc0), fc.integer({ min: 0, max: 12 })), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(wild, fc.nat(400), (data, start) => {
        const name = readDnsName(Uint8Array.from(data), 0, start, data.length);
        if (name) expect(name.name.length).toBeLessThanOrEqual(4 * 255);
      }),
      run(3000),
    );
    // To itself, forwards, and to each other.
    const loops = Uint8Array.of(0xc0, 0, 0xc0, 4, 0xc0, 2);
    expect([0, 2, 4].map((at) => readDnsName(loops, 0, at, 6))).toEqual([undefined, undefined, undefined]);
  });

  it('of a message full of pointers to one long name cost little', () => {
    const message = new Uint8Array(60_000);
    for (let at = 12; at < 12 + 252; at += 2) message.set([1, 0x61], at);
    for (let at = 12 + 253 + 4; at + 6 < message.length; at += 6) message.set([0xc0, 12], at);
    message.set([0xff, 0xff], 4);
    const data = encodePacket([layer('ipv4'), layer('udp', { destinationPort: 53 })], message);
    const packet = decodePacket(data, 101, { wireLen: data.length });
    expect((packet.layers[2].fields as { questions: unknown[] }).questions.length).toBe(64);
    expect(summarize(packet).length).toBeLessThan(1500);
    expect(encodePacket(packet.layers, data.subarray(packet.payloadOffset))).toEqual(data);
  });
});
