import { describe, expect, it } from 'vitest';
import {
  decodePacket,
  encodePacket,
  layer,
  registerLayer,
  show,
  summarize,
  type Protocol,
} from '../../src/packets';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));

describe('link types', () => {
  const inside = [
    layer('ipv4', { source: '192.0.2.1', destination: '192.0.2.2' }),
    layer('udp', { sourcePort: 1, destinationPort: 2 }),
  ];
  const inside6 = [layer('ipv6', { source: '2001:db8::1', destination: '2001:db8::2' }), inside[1]];

  it.each([
    ['Linux cooked', 113, layer('linux_sll', { packetType: 4, address: '00005e0053010000' }), 16],
    ['Linux cooked v2', 276, layer('linux_sll2', { interfaceIndex: 3, address: '00005e0053010000' }), 20],
    ['loopback, little-endian', 0, layer('loopback'), 4],
    ['loopback, big-endian', 108, layer('loopback', { byteOrder: 'big' }), 4],
  ])('reads %s', (_title, linkType, link, headerBytes) => {
    for (const [inner, name] of [
      [inside, 'ipv4'],
      [inside6, 'ipv6'],
    ] as const) {
      const bytes = encodePacket([link, ...inner], Uint8Array.of(1, 2, 3));
      const packet = decodePacket(bytes, linkType, { wireLen: bytes.length });
      expect(packet.problems).toEqual([]);
      expect(packet.layers.map((l) => l.protocol)).toEqual([link.protocol, name, 'udp']);
      expect(packet.layers[1].offset).toBe(headerBytes);
      expect(packet.layers[0].fields).toMatchObject(link.fields);
      expect(encodePacket(packet.layers, bytes.subarray(packet.payloadOffset))).toEqual(bytes);
    }
  });

  it('reads raw IP by its version, and IPv4 or IPv6 alone', () => {
    for (const [inner, name, only] of [
      [inside, 'ipv4', 228],
      [inside6, 'ipv6', 229],
    ] as const) {
      const bytes = encodePacket(inner);
      for (const linkType of [101, 12, only]) {
        expect(decodePacket(bytes, linkType).layers.map((l) => l.protocol)).toEqual([name, 'udp']);
      }
    }
  });

  it('reads an SLL header written out by hand', () => {
    const packet = decodePacket(bytesOf('0000 0001 0006 00005e005301 0000 0806 0001'), 113);
    expect(packet.layers[0].fields).toEqual({
      packetType: 0,
      addressType: 1,
      addressLength: 6,
      address: '00005e0053010000',
      protocolType: 0x0806,
    });
    expect(summarize(packet)).toBe('In 00005e0053010000, ethertype ARP (0x0806), length 18 {arp_truncated}');
  });
});

describe('registerLayer', () => {
  it('adds a protocol to decode, encode and show', () => {
    interface EchoFields {
      value: number;
    }
    const echo: Protocol<'test_echo', EchoFields> = {
      name: 'test_echo',
      under: [['ipv4', 253]],
      decode({ bytes, offset, end, problem }) {
        if (end - offset < 1) {
          problem('test_echo_truncated', offset, 'no value');
          return undefined;
        }
        return { fields: { value: bytes[offset] }, length: 1 };
      },
      encode: ({ value }, payload) => Uint8Array.of(value ?? 0, ...payload),
      describe: ({ value }) => `echo ${value}`,
    };
    registerLayer(echo);
    const bytes = encodePacket(
      [layer('ipv4'), { protocol: 'test_echo', fields: { value: 42 } }],
      Uint8Array.of(9),
    );
    const packet = decodePacket(bytes, 101);
    expect(packet.layers.map((l) => l.protocol)).toEqual(['ipv4', 'test_echo']);
    expect([packet.layers[1].fields, packet.payloadOffset]).toEqual([{ value: 42 }, 21]);
    expect(show(packet)).toContain('value = 42');
    const cut = decodePacket(bytes.subarray(0, 20), 101, { wireLen: 22 });
    expect(cut.problems.map((p) => p.code)).toEqual(['test_echo_truncated']);
    expect(() => encodePacket([{ protocol: 'nobody', fields: {} }])).toThrowError(
      /no protocol named "nobody"/,
    );
  });
});
