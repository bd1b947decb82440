import { describe, expect, it } from 'vitest';
import type { Frame } from '../../src/capture';
import {
  fiveTuple,
  flowFrames,
  FlowTable,
  notBefore,
  splitFlows,
  TcpTracker,
  toSession,
  type Flow,
} from '../../src/flows';
import { decodePacket, encodePacket, layer, TcpFlag, type EncodeLayer } from '../../src/packets';

const { SYN, ACK, FIN, RST, PSH } = TcpFlag;
const CLIENT = '192.0.2.1';
const SERVER = '198.51.100.2';

let clock = 1_700_000_000_000_000;

function frameOf(layers: EncodeLayer[], payload = 0, seconds?: number): Frame {
  const data = encodePacket(layers, new Uint8Array(payload));
  clock += 1000;
  const tsMicros = seconds === undefined ? clock : seconds * 1e6;
  return { data, wireLen: data.length, tsMicros, tsNanos: 0, linkType: 101, interfaceId: 0 };
}

interface Segment {
  from?: 'client' | 'server';
  flags: number;
  seq?: number;
  ack?: number;
  payload?: number;
  port?: number;
  seconds?: number;
}

function tcp({
  from = 'client',
  flags,
  seq = 0,
  ack = 0,
  payload = 0,
  port = 51000,
  seconds,
}: Segment): Frame {
  const up = from === 'client';
  return frameOf(
    [
      layer('ipv4', up ? { source: CLIENT, destination: SERVER } : { source: SERVER, destination: CLIENT }),
      layer('tcp', {
        sourcePort: up ? port : 443,
        destinationPort: up ? 443 : port,
        sequenceNumber: seq,
        acknowledgmentNumber: ack,
        flags,
      }),
    ],
    payload,
    seconds,
  );
}

const udp = (
  source: string,
  sourcePort: number,
  destination: string,
  destinationPort: number,
  seconds?: number,
) =>
  frameOf(
    [layer('ipv4', { source, destination }), layer('udp', { sourcePort, destinationPort })],
    4,
    seconds,
  );

/** Handshake, one request, one answer, FIN from both sides. */
const connection = (isn = 100, port = 51000): Frame[] => [
  tcp({ flags: SYN, seq: isn, port }),
  tcp({ from: 'server', flags: SYN | ACK, seq: 900, ack: isn + 1, port }),
  tcp({ flags: ACK, seq: isn + 1, ack: 901, port }),
  tcp({ flags: PSH | ACK, seq: isn + 1, ack: 901, payload: 10, port }),
  tcp({ from: 'server', flags: ACK, seq: 901, ack: isn + 11, port }),
  tcp({ from: 'server', flags: PSH | ACK, seq: 901, ack: isn + 11, payload: 20, port }),
  tcp({ flags: FIN | ACK, seq: isn + 11, ack: 921, port }),
  tcp({ from: 'server', flags: FIN | ACK, seq: 921, ack: isn + 12, port }),
  tcp({ flags: ACK, seq: isn + 12, ack: 922, port }),
];

const outline = (flows: Flow[]) =>
  flows.map((f) => [f.frames.length, f.tcp?.handshake ?? null, f.tcp?.closed ?? null].join(' '));

describe('fiveTuple', () => {
  it('has one key for both directions, and says which', () => {
    const up = fiveTuple(decodePacket(tcp({ flags: SYN }).data, 101))!;
    const down = fiveTuple(decodePacket(tcp({ from: 'server', flags: SYN | ACK }).data, 101))!;
    expect(up.key).toBe('tcp 192.0.2.1 51000 198.51.100.2 443');
    expect(down.key).toBe(up.key);
    expect([up.direction, down.direction]).toEqual(['forward', 'backward']);
    expect([up.source, down.source]).toEqual([
      { address: CLIENT, port: 51000 },
      { address: SERVER, port: 443 },
    ]);
  });

  it('keeps protocols and versions apart, and is undefined without ports', () => {
    const v6 = encodePacket([layer('ipv6', { source: '2001:db8::1' }), layer('udp', { sourcePort: 5 })]);
    expect(fiveTuple(decodePacket(v6, 101))!.key).toBe('udp 2001:db8::1 5 :: 0');
    const fragment = encodePacket([layer('ipv4', { fragmentOffset: 2, protocol: 6 })], new Uint8Array(40));
    expect(fiveTuple(decodePacket(fragment, 101))).toBeUndefined();
    expect(fiveTuple(decodePacket(Uint8Array.of(1, 2), 1))).toBeUndefined();
  });

  it('orders ends of one address by port', () => {
    const a = fiveTuple(decodePacket(udp('10.0.0.1', 9, '10.0.0.1', 7).data, 101))!;
    const b = fiveTuple(decodePacket(udp('10.0.0.1', 7, '10.0.0.1', 9).data, 101))!;
    expect([a.key, b.key]).toEqual(['udp 10.0.0.1 7 10.0.0.1 9', 'udp 10.0.0.1 7 10.0.0.1 9']);
    expect([a.direction, b.direction]).toEqual(['backward', 'forward']);
  });
});

describe('splitFlows', () => {
  it('follows a connection from its SYN to both FINs', () => {
    const frames = connection();
    const [flow] = splitFlows(frames);
    expect(flow.frames).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(flow.fromClient).toEqual([true, false, true, true, false, false, true, false, true]);
    expect([flow.client, flow.server]).toEqual([
      { address: CLIENT, port: 51000 },
      { address: SERVER, port: 443 },
    ]);
    expect(flow.tcp).toEqual({
      handshake: true,
      closed: 'fin',
      phases: [
        'handshake',
        'handshake',
        'handshake',
        'data',
        'data',
        'data',
        'teardown',
        'teardown',
        'teardown',
      ],
    });
    expect([flow.startMicros, flow.endMicros]).toEqual([frames[0].tsMicros, frames[8].tsMicros]);
    expect(flow.wireBytes).toBe(9 * 40 + 30);
    expect(flowFrames(frames, flow)).toEqual(frames);
  });

  it('opens a new flow for a SYN with another initial sequence number, and not for a repeated one', () => {
    const reused = [...connection(100), ...connection(5000)];
    expect(outline(splitFlows(reused))).toEqual(['9 true fin', '9 true fin']);
    const halfOpen = [...connection(100).slice(0, 5), ...connection(5000)];
    expect(outline(splitFlows(halfOpen))).toEqual(['5 true none', '9 true fin']);
    const repeated = [tcp({ flags: SYN, seq: 100 }), tcp({ flags: SYN, seq: 100 }), ...connection(100)];
    expect(outline(splitFlows(repeated))).toEqual(['11 true fin']);
    const retried = [tcp({ flags: SYN, seq: 99 }), ...connection(100)];
    expect(outline(splitFlows(retried))).toEqual(['1 false none', '9 true fin']);
  });

  it('wants all three packets of a handshake', () => {
    const all = connection();
    expect(outline(splitFlows(all.slice(0, 2)))).toEqual(['2 false none']);
    expect(outline(splitFlows(all.slice(1)))).toEqual(['8 false fin']);
    expect(outline(splitFlows([all[0], ...all.slice(2)]))).toEqual(['8 false fin']);
    expect(outline(splitFlows([all[0], all[1], ...all.slice(4, 6)]))).toEqual(['4 false none']);
  });

  it('names the receiver of a SYN-ACK the client, and else the first sender', () => {
    expect(splitFlows(connection().slice(1))[0].client.address).toBe(CLIENT);
    expect(splitFlows(connection().slice(4))[0].client.address).toBe(SERVER);
  });

  it('sees resets, and what follows them', () => {
    const frames = [
      ...connection().slice(0, 4),
      tcp({ from: 'server', flags: RST, seq: 901 }),
      ...connection(7),
    ];
    expect(outline(splitFlows(frames))).toEqual(['5 true rst', '9 true fin']);
    const afterFin = [...connection(), tcp({ flags: RST, seq: 112 })];
    expect(outline(splitFlows(afterFin))).toEqual(['10 true fin']);
  });

  it('keeps interleaved flows apart, in order of their first packets', () => {
    const a = connection(1, 1111);
    const b = connection(2, 2222);
    const frames = a.flatMap((frame, i) => [frame, b[i], udp('10.0.0.1', 53, '10.0.0.2', 4000 + i)]);
    const flows = splitFlows(frames);
    expect(flows.length).toBe(2 + 9);
    expect([flows[0].client.port, flows[1].client.port, flows[2].protocol]).toEqual([1111, 2222, 'udp']);
    expect(flows[1].frames).toEqual(b.map((_, i) => 3 * i + 1));
    expect(flows.slice(2).every((flow) => flow.tcp === undefined && flow.frames.length === 1)).toBe(true);
  });
});

describe('FlowTable', () => {
  it('ends flows that were silent too long', () => {
    const frames = [0, 10, 20, 100, 105].map((s) => udp('10.0.0.1', 1, '10.0.0.2', 2, s));
    frames.splice(3, 0, udp('10.0.0.1', 1, '10.0.0.3', 2, 95));
    const table = new FlowTable({ idleTimeoutSeconds: 60 });
    frames.forEach((frame, i) => table.add(frame, i));
    expect(table.timedOut).toBe(1);
    expect(table.finish().map((flow) => flow.frames)).toEqual([[0, 1, 2], [3], [4, 5]]);
  });

  it('holds no more flows than it may, and gives out the one silent for longest', () => {
    const out: number[] = [];
    const table = new FlowTable({ maxFlows: 3, onFlow: (flow) => out.push(flow.client.port) });
    let most = 0;
    for (const [i, port] of [1, 2, 3, 1, 4, 5, 1].entries()) {
      table.add(udp('10.0.0.1', port, '10.0.0.2', 99), i);
      most = Math.max(most, table.size);
    }
    expect([most, table.evicted, out]).toEqual([3, 2, [2, 3]]);
    expect(table.finish()).toEqual([]);
    expect(out).toEqual([2, 3, 4, 5, 1]);
  });

  it('counts packets without a five-tuple', () => {
    const arp: Frame = { ...udp('10.0.0.1', 1, '10.0.0.2', 2), data: Uint8Array.of(1) };
    const session = toSession(
      'name',
      [udp('10.0.0.1', 1, '10.0.0.2', 2, 5), arp, udp('10.0.0.1', 1, '10.0.0.2', 2, 7.5)].map((f, i) => ({
        ...f,
        tsMicros: 5e6 + i * 1.25e6,
      })),
    );
    expect([session.withoutTuple, session.flows.length, session.durationSeconds]).toEqual([1, 1, 2.5]);
    expect(toSession('nothing', []).durationSeconds).toBe(0);
  });

  it('passes 50,000 packets of 25,000 flows in bounded memory', () => {
    let flows = 0;
    let packets = 0;
    const table = new FlowTable({
      maxFlows: 100,
      onFlow: (flow) => {
        flows++;
        packets += flow.frames.length;
      },
    });
    const data = udp('10.0.0.1', 1, '10.0.0.2', 99);
    for (let i = 0; i < 50_000; i++) {
      const bytes = data.data.slice();
      const port = i >> 1;
      bytes.set([port >> 8, port & 0xff], 20);
      table.add({ ...data, data: bytes }, i);
      if (table.size > 100) throw new Error(`${table.size} flows are held`);
    }
    table.finish();
    expect([flows, packets]).toEqual([25_000, 50_000]);
  });
});

describe('TcpTracker', () => {
  it('wants numbers that fit: a SYN-ACK of this SYN, and an ACK of that SYN-ACK', () => {
    const handshake = (synAck: number, ack: number) => {
      const tracker = new TcpTracker();
      tracker.add({ flags: SYN, sequenceNumber: 100, acknowledgmentNumber: 0, length: 0 }, true);
      tracker.add({ flags: SYN | ACK, sequenceNumber: 900, acknowledgmentNumber: synAck, length: 0 }, false);
      tracker.add({ flags: ACK, sequenceNumber: 101, acknowledgmentNumber: ack, length: 0 }, true);
      return tracker.handshake;
    };
    expect(handshake(101, 901)).toBe(true);
    // Data may have been acknowledged with either (fast open; a lost ACK).
    expect(handshake(150, 1400)).toBe(true);
    expect(handshake(100, 901)).toBe(false);
    expect(handshake(5, 901)).toBe(false);
    expect(handshake(101, 900)).toBe(false);
    expect(handshake(101, 77)).toBe(false);
  });

  it('knows a finished connection from one half closed', () => {
    const tracker = new TcpTracker();
    const add = (flags: number, fromClient: boolean, seq: number, ack: number, length = 0) =>
      tracker.add({ flags, sequenceNumber: seq, acknowledgmentNumber: ack, length }, fromClient);
    add(SYN, true, 4294967290, 0);
    add(SYN | ACK, false, 50, 4294967291);
    add(ACK, true, 4294967291, 51);
    expect([tracker.handshake, tracker.closed, tracker.finished]).toEqual([true, 'none', false]);
    // The sequence numbers wrap around inside this segment.
    expect(add(FIN | ACK, true, 4294967291, 51, 10)).toBe('teardown');
    expect(add(ACK, false, 51, 6)).toBe('teardown');
    expect(tracker.closed).toBe('none');
    expect(add(PSH | ACK, false, 51, 6, 100)).toBe('data');
    expect(add(FIN | ACK, false, 151, 6)).toBe('teardown');
    expect([tracker.closed, tracker.finished]).toEqual(['fin', false]);
    expect(add(ACK, true, 6, 152)).toBe('teardown');
    expect([tracker.closed, tracker.finished]).toEqual(['fin', true]);
  });

  it('compares sequence numbers around the circle', () => {
    expect(notBefore(5, 5)).toBe(true);
    expect(notBefore(6, 5)).toBe(true);
    expect(notBefore(4, 5)).toBe(false);
    expect(notBefore(2, 4294967290)).toBe(true);
    expect(notBefore(4294967290, 2)).toBe(false);
  });
});
