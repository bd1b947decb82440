import { encodePacket, layer, routingData, type EncodeLayer } from '../../src/packets';

/**
 * Made-up packets (documentation addresses), at least one for every protocol that samples.ts does not have. What
 * tshark makes of them is in test/golden/tshark/; scripts/golden/tshark.mjs writes both the captures and that.
 */
export interface ProtocolSample {
  title: string;
  linkType: number;
  layers: EncodeLayer[];
  payload?: Uint8Array;
}

const A = '00:00:5e:00:53:01';
const B = '00:00:5e:00:53:02';
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
const count = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + 3) & 255);

const ether = layer('ethernet', { source: A, destination: B });
const v4 = { source: '192.0.2.1', destination: '198.51.100.2', identification: 0x1234, flags: 2 };
const ip = layer('ipv4', v4);
const ip6 = layer('ipv6', { source: '2001:db8::1', destination: '2001:db8:0:1::2', hopLimit: 255 });
const udp = (sourcePort: number, destinationPort: number) => layer('udp', { sourcePort, destinationPort });
const tcp = (sourcePort: number, destinationPort: number) =>
  layer('tcp', { sourcePort, destinationPort, sequenceNumber: 1, acknowledgmentNumber: 1, flags: 0x18 });
const inner = [layer('ipv4', { ...v4, source: '10.0.0.1', destination: '10.0.0.2' }), udp(5000, 5001)];
/** What an ICMP error quotes: an IP header and eight bytes. */
const quoted = encodePacket(inner, count(8)).subarray(0, 28);

/** A client hello of TLS 1.3 with one cipher suite and the server name example.org. */
const clientHello = bytes(`0303 ${'11'.repeat(32)} 00 0002 1301 01 00 0014
  0000 0010 000e 00 000b 6578616d706c652e6f7267`);

const names = (...questions: [string, number][]) => ({
  questions: questions.map(([name, type]) => ({ name, type, class: 1 })),
});

const on = (linkType: number) => (title: string, layers: EncodeLayer[], payload?: Uint8Array) => ({
  title,
  linkType,
  layers,
  payload,
});
const eth = on(1);

export const protocolSamples: ProtocolSample[] = [
  eth('ARP request', [
    ether,
    layer('arp', {
      operation: 1,
      senderHardwareAddress: A,
      senderProtocolAddress: '192.0.2.1',
      targetProtocolAddress: '192.0.2.2',
    }),
  ]),
  eth('ARP reply', [
    ether,
    layer('arp', {
      operation: 2,
      senderHardwareAddress: B,
      senderProtocolAddress: '192.0.2.2',
      targetHardwareAddress: A,
      targetProtocolAddress: '192.0.2.1',
    }),
  ]),
  eth(
    'ICMP echo request',
    [ether, ip, layer('icmp', { type: 8, identifier: 77, sequenceNumber: 3 })],
    count(56),
  ),
  eth(
    'ICMP echo reply',
    [ether, ip, layer('icmp', { type: 0, identifier: 77, sequenceNumber: 3 })],
    count(56),
  ),
  eth('ICMP port unreachable', [ether, ip, layer('icmp', { type: 3, code: 3 })], quoted),
  eth(
    'ICMP fragmentation needed',
    [ether, ip, layer('icmp', { type: 3, code: 4, nextHopMtu: 1400 })],
    quoted,
  ),
  eth('ICMP redirect', [ether, ip, layer('icmp', { type: 5, code: 1, gateway: '192.0.2.254' })], quoted),
  eth('ICMP time exceeded', [ether, ip, layer('icmp', { type: 11 })], quoted),
  eth('ICMP parameter problem', [ether, ip, layer('icmp', { type: 12, pointer: 20 })], quoted),
  eth(
    'ICMPv6 echo request',
    [ether, ip6, layer('icmpv6', { type: 128, identifier: 9, sequenceNumber: 1 })],
    count(9),
  ),
  eth(
    'ICMPv6 packet too big',
    [ether, ip6, layer('icmpv6', { type: 2, mtu: 1280 })],
    encodePacket([ip6, udp(1, 2)]),
  ),
  eth(
    'router advertisement',
    [
      ether,
      ip6,
      layer('icmpv6', {
        type: 134,
        hopLimit: 64,
        flags: 0x80,
        routerLifetime: 1800,
        reachableTime: 30000,
        retransTimer: 1000,
      }),
    ],
    bytes('01 01 00005e005301'),
  ),
  eth(
    'neighbour solicitation',
    [ether, ip6, layer('icmpv6', { type: 135, target: 'fe80::1' })],
    bytes('01 01 00005e005301'),
  ),
  eth(
    'neighbour advertisement',
    [ether, ip6, layer('icmpv6', { type: 136, flags: 3, target: 'fe80::1' })],
    bytes('02 01 00005e005302'),
  ),
  eth('multicast listener report', [
    ether,
    ip6,
    layer('ipv6_hop_by_hop', { options: [{ kind: 5, data: bytes('0000') }] }),
    layer('icmpv6', { type: 131, multicastAddress: 'ff02::fb' }),
  ]),
  eth('IGMP membership report', [
    ether,
    layer('ipv4', {
      ...v4,
      destination: '224.0.0.251',
      timeToLive: 1,
      options: [{ kind: 148, data: bytes('0000') }],
    }),
    layer('igmp', { type: 0x16, group: '224.0.0.251' }),
  ]),
  eth(
    'IGMP version 3 report',
    [ether, ip, layer('igmp', { type: 0x22, recordCount: 1 })],
    bytes('04 00 0000 e00000fb'),
  ),
  eth('GRE', [ether, ip, layer('gre'), ...inner], count(5)),
  eth('GRE with checksum, key and sequence number', [
    ether,
    ip,
    layer('gre', { checksumPresent: 1, key: 0xabcd1234, sequenceNumber: 42 }),
    ...inner,
  ]),
  eth('GRE, version 1', [
    ether,
    ip,
    layer('gre', { version: 1, key: 0x00200007, sequenceNumber: 5, acknowledgmentNumber: 4 }),
    layer('ppp', { address: 0xff }),
    ...inner,
  ]),
  eth('Ethernet in GRE', [ether, ip, layer('gre'), ether, ...inner], count(20)),
  eth('IP in IP', [ether, ip, ...inner], count(5)),
  eth('IPv6 in IPv4', [ether, ip, ip6, udp(5000, 5001)], count(5)),
  eth(
    'MPLS',
    [
      ether,
      layer('mpls', { label: 16001, trafficClass: 5, timeToLive: 60 }),
      layer('mpls', { label: 3000, timeToLive: 59 }),
      ...inner,
    ],
    count(20),
  ),
  eth('PPPoE', [ether, layer('pppoe', { sessionId: 0x11 }), layer('ppp'), ...inner], count(20)),
  eth(
    'PPPoE discovery',
    [
      layer('ethernet', { source: A, destination: 'ff:ff:ff:ff:ff:ff', etherType: 0x8863 }),
      layer('pppoe', { code: 9 }),
    ],
    bytes('0101 0000'),
  ),
  eth(
    'VXLAN',
    [ether, ip, udp(54321, 4789), layer('vxlan', { networkIdentifier: 4660 }), ether, ...inner],
    count(20),
  ),
  eth(
    'Geneve',
    [
      ether,
      ip,
      udp(54321, 6081),
      layer('geneve', { networkIdentifier: 77, critical: 1, options: bytes('0102 80 01 deadbeef') }),
      ether,
      ...inner,
    ],
    count(20),
  ),
  eth(
    'GTP-U',
    [ether, ip, udp(2152, 2152), layer('gtpu', { tunnelEndpointIdentifier: 0xcafe }), ...inner],
    count(20),
  ),
  eth(
    'GTP-U with sequence number and extension',
    [
      ether,
      ip,
      udp(2152, 2152),
      layer('gtpu', {
        tunnelEndpointIdentifier: 1,
        sequenceNumber: 9,
        nextExtension: 0x85,
        extensions: bytes('01 0009 00'),
      }),
      ...inner,
    ],
    count(20),
  ),
  eth(
    'IPv6 extension headers',
    [
      ether,
      ip6,
      layer('ipv6_hop_by_hop', { options: [{ kind: 1, data: bytes('00000000') }] }),
      layer('ipv6_destination', { options: [{ kind: 4, data: bytes('03') }] }),
      layer('ipv6_routing', { routingType: 4, segmentsLeft: 0, data: routingData(0, ['2001:db8:0:1::2']) }),
      udp(5000, 5001),
    ],
    count(5),
  ),
  eth(
    'IPv6 fragment',
    [
      ether,
      ip6,
      layer('ipv6_fragment', {
        nextHeader: 17,
        fragmentOffset: 181,
        moreFragments: 1,
        identification: 0xdeadbeef,
      }),
    ],
    count(16),
  ),
  eth(
    'authentication header',
    [
      ether,
      ip,
      layer('ah', { securityParametersIndex: 0x1001, sequenceNumber: 12, integrityCheckValue: count(12) }),
      udp(5000, 5001),
    ],
    count(5),
  ),
  eth(
    'ESP',
    [
      ether,
      layer('ipv4', { ...v4, protocol: 50 }),
      layer('esp', { securityParametersIndex: 0x2002, sequenceNumber: 13 }),
    ],
    count(32),
  ),
  // An INIT ACK with nothing but its fixed part would be refused; a COOKIE ACK is four bytes.
  eth(
    'SCTP',
    [ether, ip, layer('sctp', { sourcePort: 36412, destinationPort: 36413, verificationTag: 0xfeedface })],
    bytes('0b 00 0004'),
  ),
  eth('DNS query', [
    ether,
    ip,
    udp(40000, 53),
    layer('dns', { id: 0xbeef, recursionDesired: 1, ...names(['www.example.org', 28]) }),
  ]),
  eth(
    'DNS response',
    [
      ether,
      ip,
      udp(53, 40000),
      layer('dns', {
        id: 0xbeef,
        response: 1,
        authoritativeAnswer: 1,
        recursionDesired: 1,
        recursionAvailable: 1,
        answerCount: 1,
        ...names(['example.org', 1]),
      }),
    ],
    bytes('c00c 0001 0001 00000e10 0004 c0000205'),
  ),
  eth('multicast DNS, two questions, the second compressed', [
    ether,
    layer('ipv4', { ...v4, destination: '224.0.0.251' }),
    udp(5353, 5353),
    layer('dns', {
      questionCount: 2,
      questions: [
        { name: '_http._tcp.local', type: 12, class: 1 },
        { name: '_ipp._tcp.local', type: 12, class: 0x8001, nameBytes: bytes('04 5f697070 c012') },
      ],
    }),
  ]),
  eth('DNS over TCP', [ether, ip, tcp(40000, 53), layer('dns', { id: 7, ...names(['example.org', 6]) })]),
  eth('DHCP discover', [
    ether,
    layer('ipv4', { source: '0.0.0.0', destination: '255.255.255.255' }),
    udp(68, 67),
    layer('dhcp', {
      operation: 1,
      transactionId: 0x3903f326,
      seconds: 2,
      flags: 0x8000,
      clientHardwareAddress: '00005e00530100000000000000000000',
      options: [
        { kind: 53, data: bytes('01') },
        { kind: 12, data: new TextEncoder().encode('host') },
        { kind: 255, data: bytes('') },
      ],
    }),
  ]),
  eth(
    'QUIC Initial',
    [
      ether,
      ip,
      udp(50000, 443),
      layer('quic', {
        version: 1,
        destinationConnectionId: '0102030405060708',
        sourceConnectionId: 'aabbcc',
      }),
    ],
    bytes(`00 4020 ${'55'.repeat(32)}`),
  ),
  eth(
    'QUIC version negotiation',
    [
      ether,
      ip,
      udp(443, 50000),
      layer('quic', {
        version: 0,
        destinationConnectionId: 'aabbcc',
        sourceConnectionId: '0102030405060708',
      }),
    ],
    bytes('00000001 6b3343cf'),
  ),
  eth(
    'RTP',
    [
      ether,
      ip,
      udp(16384, 16386),
      layer('rtp', { payloadType: 0, marker: 1, sequenceNumber: 4711, timestamp: 160, ssrc: 0x1234abcd }),
    ],
    count(160),
  ),
  eth(
    'RTP with header extension',
    [
      ether,
      ip,
      udp(16384, 16386),
      layer('rtp', {
        payloadType: 111,
        sequenceNumber: 4712,
        timestamp: 960,
        ssrc: 0x1234abcd,
        extensionProfile: 0xbede,
        extensionData: bytes('10ff0000'),
      }),
    ],
    count(40),
  ),
  eth(
    'RTCP receiver report',
    [ether, ip, udp(16385, 16387), layer('rtcp', { count: 1, packetType: 201, ssrc: 0x1234abcd })],
    bytes('1234abce 00000000 00001268 00000005 00000000 00000000'),
  ),
  eth(
    'STUN binding request',
    [
      ether,
      ip,
      udp(50000, 3478),
      layer('stun', { messageType: 1, transactionId: '000102030405060708090a0b' }),
    ],
    bytes('8022 0004 74657374'),
  ),
  eth(
    'DTLS',
    [ether, ip, udp(50000, 50002), layer('dtls', { contentType: 23, epoch: 1, sequenceLow: 5 })],
    count(32),
  ),
  eth(
    'TLS client hello',
    [ether, ip, tcp(50000, 443), layer('tls', { version: 0x0301 }), layer('tls_handshake')],
    clientHello,
  ),
  eth('TLS application data', [ether, ip6, tcp(443, 50000), layer('tls', { contentType: 23 })], count(40)),
  on(0)('loopback', [layer('loopback'), ...inner], count(5)),
  on(108)('OpenBSD loopback', [layer('loopback', { byteOrder: 'big' }), ip6, udp(1, 2)], count(5)),
  on(9)('PPP', [layer('ppp'), ...inner], count(5)),
  on(50)('PPP in HDLC framing, IPv6', [layer('ppp', { address: 0xff }), ip6, udp(1, 2)], count(5)),
  on(104)('Cisco HDLC', [layer('cisco_hdlc'), ...inner], count(5)),
  on(10)(
    'FDDI',
    [
      layer('fddi', { source: A, destination: B }),
      layer('llc', { organization: 0, etherType: 0x0800 }),
      ...inner,
    ],
    count(5),
  ),
  on(239)('NFLOG', [layer('nflog', { resourceId: 5 }), ...inner], count(5)),
  on(113)('Linux cooked', [layer('linux_sll', { address: '00005e0053010000' }), ...inner], count(5)),
  on(276)(
    'Linux cooked, version 2',
    [layer('linux_sll2', { interfaceIndex: 3, packetType: 4, address: '00005e0053010000' }), ...inner],
    count(5),
  ),
  on(101)('raw IPv6', [ip6, udp(1, 2)], count(5)),
  on(105)(
    '802.11 data',
    [
      layer('ieee80211', {
        type: 2,
        subtype: 8,
        flags: 1,
        duration: 44,
        address1: B,
        address2: A,
        address3: '00:00:5e:00:53:03',
        sequenceNumber: 100,
        fragmentNumber: 0,
        qosControl: 5,
      }),
      layer('llc', { organization: 0, etherType: 0x0800 }),
      ...inner,
    ],
    count(5),
  ),
  on(105)('802.11 acknowledgement', [layer('ieee80211', { type: 1, subtype: 13, address1: A })]),
  // Flags: the frame ends with its check sequence.
  on(127)(
    '802.11 beacon under radiotap, with check sequence',
    [
      layer('radiotap', { present: 2, data: bytes('10') }),
      layer('ieee80211', {
        type: 0,
        subtype: 8,
        address1: 'ff:ff:ff:ff:ff:ff',
        address2: A,
        address3: A,
        sequenceNumber: 2000,
      }),
    ],
    bytes('0102030405060708 6400 0000 0004 74657374 00000000'),
  ),
];
