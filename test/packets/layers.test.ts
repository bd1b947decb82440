import { describe, expect, it } from 'vitest';
import {
  decodePacket,
  encodePacket,
  findIp,
  findLayer,
  findTransport,
  layer,
  nameLinkType,
  payloadBytes,
  payloadLength,
  show,
  summarize,
  tlsServerName,
  type EncodeLayer,
  type Packet,
} from '../../src/packets';
import { Rng } from '../../src/util';
import { protocolSamples } from './protocolSamples';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const sample = (title: string): Packet => {
  const found = protocolSamples.find((other) => other.title === title)!;
  const data = encodePacket(found.layers, found.payload);
  return decodePacket(data, found.linkType, { wireLen: data.length });
};
const codes = (data: Uint8Array, wireLen?: number, linkType = 1) =>
  decodePacket(data, linkType, { wireLen }).problems.map((p) => p.code);

describe('written out by hand', () => {
  it('an ARP reply', () => {
    const packet = decodePacket(
      bytesOf(`00005e005302 00005e005301 0806
        0001 0800 06 04 0002 00005e005301 c0000201 00005e005302 c0000202 000000000000`),
      1,
    );
    expect(packet.layers[1].fields).toEqual({
      hardwareType: 1,
      protocolType: 0x0800,
      hardwareLength: 6,
      protocolLength: 4,
      operation: 2,
      senderHardwareAddress: '00:00:5e:00:53:01',
      senderProtocolAddress: '192.0.2.1',
      targetHardwareAddress: '00:00:5e:00:53:02',
      targetProtocolAddress: '192.0.2.2',
    });
    expect(packet.payloadOffset).toBe(42);
  });

  it('a DNS query, its question first', () => {
    const message = bytesOf('abcd 0100 0001 0000 0000 0000 03 777777 07 6578616d706c65 00 001c 0001');
    const data = encodePacket(
      [layer('ipv4'), layer('udp', { sourcePort: 9999, destinationPort: 53 })],
      message,
    );
    const packet = decodePacket(data, 101, { wireLen: data.length });
    expect(findLayer(packet, 'dns')!.fields).toMatchObject({
      id: 0xabcd,
      recursionDesired: 1,
      response: 0,
      questions: [{ name: 'www.example', type: 28, class: 1 }],
    });
    expect(packet.payloadOffset).toBe(data.length);
    // What is recognised inside is transport payload all the same.
    expect([payloadLength(packet), payloadBytes(packet)]).toEqual([message.length, message]);
  });

  it('a GRE header with all its parts, checksum added up by hand', () => {
    // b000 0800 / checksum, 0 / 0000 0001 / 0000 0002: the sum of the words is b803, its complement 47fc.
    const gre = bytesOf('b000 0800 47fc 0000 00000001 00000002');
    const data = encodePacket([layer('ipv4', { protocol: 47 })], gre);
    const packet = decodePacket(data, 101, { wireLen: data.length });
    expect(findLayer(packet, 'gre')!.fields).toMatchObject({ checksum: 0x47fc, key: 1, sequenceNumber: 2 });
    expect(packet.problems.map((p) => p.code)).toEqual(['ipv4_truncated']);
    data[25] ^= 1;
    expect(codes(data, data.length, 101)).toEqual(['gre_checksum_wrong', 'ipv4_truncated']);
  });
});

describe('one line for people', () => {
  it.each([
    ['ARP request', 'ARP, Request who-has 192.0.2.2 tell 192.0.2.1, length 42'],
    ['ARP reply', 'ARP, Reply 192.0.2.2 is-at 00:00:5e:00:53:02, length 42'],
    ['ICMP echo request', 'IP 192.0.2.1 > 198.51.100.2: ICMP echo request, id 77, seq 3, length 64'],
    [
      'ICMP port unreachable',
      'IP 192.0.2.1 > 198.51.100.2: ICMP destination unreachable (port unreachable), length 36',
    ],
    [
      'ICMP fragmentation needed',
      'IP 192.0.2.1 > 198.51.100.2: ICMP destination unreachable (fragmentation needed), mtu 1400, length 36',
    ],
    [
      'neighbour solicitation',
      'IP6 2001:db8::1 > 2001:db8:0:1::2: ICMP6 neighbor solicitation, who has fe80::1, length 32',
    ],
    ['IGMP membership report', 'IP 192.0.2.1 > 224.0.0.251: IGMP v2 report 224.0.0.251, length 8'],
    [
      'DNS query',
      'IP 192.0.2.1.40000 > 198.51.100.2.53: UDP, length 33: DNS query 0xbeef AAAA www.example.org',
    ],
    [
      'DNS response',
      'IP 192.0.2.1.53 > 198.51.100.2.40000: UDP, length 45: DNS query response 0xbeef A example.org, 1 answer',
    ],
    [
      'DHCP discover',
      'IP 0.0.0.0.68 > 255.255.255.255.67: UDP, length 250: DHCP Discover, transaction 0x3903f326',
    ],
    [
      'VXLAN',
      'IP 10.0.0.1.5000 > 10.0.0.2.5001: UDP, length 20 (in IP 192.0.2.1 > 198.51.100.2, VXLAN vni 4660)',
    ],
    [
      'IPv6 in IPv4',
      'IP6 2001:db8::1.5000 > 2001:db8:0:1::2.5001: UDP, length 5 (in IP 192.0.2.1 > 198.51.100.2)',
    ],
    [
      'QUIC Initial',
      'IP 192.0.2.1.50000 > 198.51.100.2.443: UDP, length 53: QUIC Initial, version 1, dcid 0102030405060708, scid aabbcc',
    ],
    ['STUN binding request', 'IP 192.0.2.1.50000 > 198.51.100.2.3478: UDP, length 28: STUN binding request'],
    ['802.11 acknowledgement', '802.11 ack, 00:00:5e:00:53:01, length 10'],
    ['PPPoE discovery', 'PPPoE PADI, session 0x0, length 24'],
  ])('%s', (title, line) => {
    expect(summarize(sample(title))).toBe(line);
  });

  it('the server name of a client hello', () => {
    const packet = sample('TLS client hello');
    expect(tlsServerName(packet)).toBe('example.org');
    expect(summarize(packet)).toMatch(
      /length 72: TLS handshake client hello, 63 bytes, server example\.org$/,
    );
    // Cut anywhere, it is the name or nothing.
    for (let n = 0; n < packet.bytes.length; n++) {
      expect(tlsServerName(decodePacket(packet.bytes.subarray(0, n), 1))).toBe(undefined);
    }
  });

  it('show has a line for every field, and bytes as digits', () => {
    const text = show(sample('RTP with header extension'));
    expect(text).toContain('recognised by its look');
    expect(text).toMatch(/extensionData +=\s10ff0000/);
    expect(show(sample('DNS query'))).toMatch(
      /questions +=\s\[\{name www\.example\.org, type 28, class 1\}\]/,
    );
  });
});

describe('problems', () => {
  it.each([
    ['arp_truncated', 'ARP request', 40],
    ['icmp_truncated', 'ICMP redirect', 40],
    ['icmpv6_truncated', 'neighbour solicitation', 70],
    ['igmp_truncated', 'IGMP version 3 report', 40],
    ['sctp_truncated', 'SCTP', 45],
    ['gre_truncated', 'GRE with checksum, key and sequence number', 49],
    ['mpls_truncated', 'MPLS', 21],
    ['pppoe_truncated', 'PPPoE', 19],
    ['ppp_truncated', 'PPPoE', 21],
    ['esp_truncated', 'ESP', 41],
    ['ah_truncated', 'authentication header', 57],
    ['ipv6_hop_by_hop_truncated', 'multicast listener report', 61],
    ['ipv6_destination_truncated', 'IPv6 extension headers', 69],
    ['ipv6_routing_truncated', 'IPv6 extension headers', 93],
    ['ipv6_fragment_truncated', 'IPv6 fragment', 61],
    ['cisco_hdlc_truncated', 'Cisco HDLC', 3],
    ['fddi_truncated', 'FDDI', 12],
    ['nflog_without_packet', 'NFLOG', 7],
    ['radiotap_truncated', '802.11 beacon under radiotap, with check sequence', 8],
    ['ieee80211_truncated', '802.11 data', 25],
  ])('%s', (code, title, length) => {
    const { bytes, linkType } = sample(title);
    expect(codes(bytes.subarray(0, length), bytes.length, linkType)).toEqual([code]);
  });

  it.each([
    ['icmp_checksum_wrong', 'ICMP echo request', 60],
    ['icmpv6_checksum_wrong', 'ICMPv6 echo request', 65],
    ['igmp_checksum_wrong', 'IGMP version 3 report', 45],
    ['sctp_checksum_wrong', 'SCTP', 48],
    ['udp_checksum_wrong', 'authentication header', 68],
    ['udp_checksum_wrong', 'IPv6 extension headers', 105],
  ])('%s: %s, and not checkable when cut', (code, title, at) => {
    const { bytes, linkType } = sample(title);
    const changed = bytes.slice();
    changed[at] ^= 1;
    expect(codes(changed, bytes.length, linkType)).toEqual([code]);
    expect(codes(changed.subarray(0, changed.length - 1), bytes.length, linkType)).toEqual([]);
  });

  it('lengths that cannot be', () => {
    const change = (title: string, at: number, value: number) => {
      const { bytes, linkType } = sample(title);
      const copy = bytes.slice();
      copy[at] = value;
      return codes(copy, copy.length, linkType);
    };
    expect(change('PPPoE', 19, 200)).toEqual(['pppoe_beyond_packet']);
    expect(change('authentication header', 35, 0)).toEqual(['ah_length']);
    expect(change('GTP-U', 45, 255)).toEqual(['udp_checksum_wrong', 'gtpu_length']);
    expect(change('802.11 beacon under radiotap, with check sequence', 2, 7)).toEqual(['radiotap_length']);
    expect(change('DNS query', 54, 70)).toEqual(['udp_checksum_wrong', 'dns_question_malformed']);
    expect(change('IPv6 extension headers', 63, 2)).toContain('ipv6_destination_options_malformed');
  });

  it('a link type that is not decoded is named', () => {
    const [problem] = decodePacket(new Uint8Array(4), 195).problems;
    expect(problem.message).toBe('link type 195 (IEEE802_15_4_WITHFCS) is not decoded');
    expect([147, 1, 9999].map(nameLinkType)).toEqual(['147 (for private use)', '1 (ETHERNET)', '9999']);
  });

  it('a checksum made for another destination is not judged', () => {
    const routed = [
      layer('ipv6', { source: '2001:db8::1', destination: '2001:db8::9' }),
      layer('ipv6_routing', { routingType: 4, segmentsLeft: 1, data: new Uint8Array(20) }),
      layer('udp', { sourcePort: 1, destinationPort: 2, checksum: 0x1111 }),
    ];
    const data = encodePacket(routed);
    expect(codes(data, data.length, 101)).toEqual([]);
    const loose = [
      layer('ipv4', {
        options: [
          { kind: 131, data: Uint8Array.of(4, 192, 0, 2, 9) },
          { kind: 0, data: new Uint8Array(0) },
        ],
      }),
      layer('udp', { sourcePort: 1, destinationPort: 2, checksum: 0x1111 }),
    ];
    const v4 = encodePacket(loose);
    expect(codes(v4, v4.length, 101)).toEqual([]);
  });
});

describe('tunnels', () => {
  it('give the addresses and ports inside', () => {
    for (const title of ['GRE', 'IP in IP', 'MPLS', 'PPPoE', 'VXLAN', 'Geneve', 'GTP-U', 'Ethernet in GRE']) {
      const packet = sample(title);
      expect([title, findIp(packet)!.fields.source]).toEqual([title, '10.0.0.1']);
      expect([title, findTransport(packet)!.fields.destinationPort]).toEqual([title, 5001]);
    }
  });

  it('do not lend their ports to a packet inside without ports', () => {
    const inside: EncodeLayer[] = [layer('ethernet'), layer('ipv4', { source: '10.0.0.1' }), layer('icmp')];
    const outside = [layer('ipv4'), layer('udp', { sourcePort: 7777 }), layer('vxlan')];
    const packet = decodePacket(encodePacket([...outside, ...inside]), 101);
    expect(findIp(packet)!.fields.source).toBe('10.0.0.1');
    expect(findTransport(packet)).toBe(undefined);
    const arp = decodePacket(encodePacket([...outside, layer('ethernet'), layer('arp')]), 101);
    expect(findTransport(arp)!.fields.sourcePort).toBe(7777);
  });
});

describe('recognised by look', () => {
  it('is marked, and what a port announces is not', () => {
    const marks = (title: string) =>
      sample(title)
        .layers.filter((l) => l.recognised)
        .map((l) => l.protocol);
    expect(marks('RTP')).toEqual(['rtp']);
    expect(marks('TLS client hello')).toEqual(['tls']);
    expect(marks('QUIC Initial')).toEqual(['quic']);
    expect(marks('DNS query')).toEqual([]);
    expect(marks('VXLAN')).toEqual([]);
  });

  it('is claimed for few random payloads: RTP for one in about 300, the others for none of 20,000', () => {
    const rng = new Rng(3);
    const udp = layer('udp', { sourcePort: 20001, destinationPort: 30001, checksum: 0 });
    const data = encodePacket([layer('ipv4'), udp], new Uint8Array(160));
    const seen: Record<string, number> = {};
    for (let i = 0; i < 20_000; i++) {
      for (let at = 28; at < data.length; at++) data[at] = rng.int(256);
      const name = decodePacket(data, 101).layers[2]?.protocol ?? 'none';
      seen[name] = (seen[name] ?? 0) + 1;
    }
    expect(Object.keys(seen).sort()).toEqual(['none', 'rtp']);
    expect(seen.rtp).toBeGreaterThan(30);
    expect(seen.rtp).toBeLessThan(90);
  });

  it('leaves a port alone whose payload is something else', () => {
    const onPort = (destinationPort: number, payload: Uint8Array) =>
      decodePacket(
        encodePacket([layer('ipv4'), layer('udp', { sourcePort: 5, destinationPort })], payload),
        101,
      ).layers.map((l) => l.protocol);
    for (const port of [4789, 6081, 2152, 67, 443]) {
      expect(onPort(port, new Uint8Array(300).fill(0xc7))).toEqual(['ipv4', 'udp']);
      expect(onPort(port, new Uint8Array(0))).toEqual(['ipv4', 'udp']);
    }
  });
});
