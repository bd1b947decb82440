import type { Frame } from '../../src/capture';
import { encodePacket, layer, type EncodeLayer, type Ipv4Fields, type TcpFields } from '../../src/packets';

/**
 * Made-up packets (documentation addresses) that between them use every header and option. What tshark and tcpdump
 * make of them is in test/fixtures/capture-samples.*; test/fixtures/capture-samples.md says how that was made.
 */
const A = '00:00:5e:00:53:01';
const B = '00:00:5e:00:53:02';
const TEXT = new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n');

const ether = layer('ethernet', { source: A, destination: B });
const ip = (fields: Partial<Ipv4Fields> = {}) =>
  layer('ipv4', {
    source: '192.0.2.1',
    destination: '198.51.100.2',
    flags: 2,
    identification: 0x1234,
    ...fields,
  });
const ip6 = layer('ipv6', {
  source: '2001:db8::1',
  destination: '2001:db8:0:1::2',
  flowLabel: 0xabcde,
  hopLimit: 57,
});
const tcp = (fields: Partial<TcpFields>) =>
  layer('tcp', { sourcePort: 51000, destinationPort: 443, ...fields });

const times = { kind: 'timestamps', value: 305419896, echoReply: 4275878552 } as const;

const packets: [EncodeLayer[], Uint8Array?][] = [
  [
    [
      ether,
      ip(),
      tcp({
        sequenceNumber: 1000,
        flags: 0x02,
        window: 64240,
        options: [
          { kind: 'mss', value: 1460 },
          { kind: 'sackPermitted' },
          times,
          { kind: 'nop' },
          { kind: 'windowScale', shift: 7 },
        ],
      }),
    ],
  ],
  [
    [
      ether,
      ip({ source: '198.51.100.2', destination: '192.0.2.1', ecn: 2, dscp: 46 }),
      tcp({
        sourcePort: 443,
        destinationPort: 51000,
        sequenceNumber: 4294967295,
        acknowledgmentNumber: 1001,
        flags: 0xd2,
        window: 65160,
        options: [
          { kind: 'mss', value: 1400 },
          { kind: 'fastOpen', cookie: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
          { kind: 'nop' },
          { kind: 'nop' },
        ],
      }),
    ],
  ],
  // An ACK padded to the least Ethernet frame.
  [
    [ether, ip({ totalLength: 40 }), tcp({ flags: 0x10, checksum: 0xfaa2, acknowledgmentNumber: 7 })],
    new Uint8Array(6),
  ],
  [
    [
      ether,
      ip(),
      tcp({ flags: 0x18, sequenceNumber: 1001, options: [{ kind: 'nop' }, { kind: 'nop' }, times] }),
    ],
    TEXT,
  ],
  [
    [
      ether,
      ip(),
      tcp({
        flags: 0x10,
        options: [
          { kind: 'nop' },
          { kind: 'nop' },
          {
            kind: 'sack',
            blocks: [
              [100, 200],
              [4294967290, 10],
            ],
          },
        ],
      }),
    ],
  ],
  [[ether, ip(), tcp({ flags: 0x11, sequenceNumber: 5, acknowledgmentNumber: 6 })]],
  [[ether, ip(), tcp({ flags: 0x14, sequenceNumber: 5, acknowledgmentNumber: 6, window: 0 })]],
  [[ether, ip(), tcp({ flags: 0x38, urgentPointer: 3, sequenceNumber: 9 })], TEXT],
  [
    [
      ether,
      ip(),
      tcp({
        flags: 0x10,
        options: [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'md5', digest: new Uint8Array(16).fill(0xab) }],
      }),
    ],
  ],
  [
    [
      ether,
      ip(),
      tcp({
        flags: 0x10,
        options: [
          { kind: 'mptcp', data: Uint8Array.of(0x20, 1, 1, 2, 3, 4) },
          { kind: 'other', number: 253, data: Uint8Array.of(0xf9, 0x89) },
          { kind: 'eol', padding: Uint8Array.of(0, 0, 0) },
        ],
      }),
    ],
  ],
  // A wrong checksum.
  [[ether, ip(), tcp({ flags: 0x18, checksum: 0xdead })], TEXT],
  [
    [
      ether,
      layer('vlan', { identifier: 100, priority: 5 }),
      ip(),
      layer('udp', { sourcePort: 5000, destinationPort: 5001 }),
    ],
    TEXT,
  ],
  [
    [
      layer('ethernet', { source: A, destination: B, etherType: 0x88a8 }),
      layer('vlan', { identifier: 4095, dropEligible: 1 }),
      layer('vlan', { identifier: 1 }),
      ip6,
      tcp({ flags: 0x02, sequenceNumber: 77 }),
    ],
  ],
  [[ether, ip6, layer('udp', { sourcePort: 5000, destinationPort: 5001 })], TEXT],
  // A router alert, and a UDP datagram without checksum.
  [
    [
      ether,
      ip({ options: [{ kind: 148, data: Uint8Array.of(0, 0) }], timeToLive: 1 }),
      layer('udp', { sourcePort: 5000, destinationPort: 5001, checksum: 0 }),
    ],
    Uint8Array.of(1, 2, 3),
  ],
  // The first fragment and the last.
  [
    [ether, ip({ flags: 1 }), layer('udp', { sourcePort: 5000, destinationPort: 5001, length: 40 })],
    new Uint8Array(16),
  ],
  [[ether, ip({ flags: 0, fragmentOffset: 3, protocol: 17 })], new Uint8Array(16)],
  // 802.3 with SNAP.
  [[ether, layer('llc', { organization: 0, etherType: 0x0800 }), ip(), tcp({ flags: 0x10 })]],
];

/** The packets as frames of a capture: Ethernet, a millisecond apart. */
export const samples: Frame[] = packets.map(([layers, payload], i) => {
  const data = encodePacket(layers, payload);
  return {
    data,
    wireLen: data.length,
    tsMicros: 1_700_000_000_000_000 + i * 1000,
    tsNanos: 0,
    linkType: 1,
    interfaceId: 0,
  };
});
