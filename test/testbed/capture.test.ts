/** Packets, sections, flows, segments. */
import { describe, expect, it } from 'vitest';
import { openCapture } from '../../src/capture';
import { findFlows } from '../../data/testbed/src/capture/flows';
import { headerEnd, pcapngSection, readPcap, type Packet } from '../../data/testbed/src/capture/pcap';
import { checkLengths } from '../../data/testbed/src/capture/verify';
import { f1, scoreSegments, SegmentFinder } from '../../data/testbed/src/validate/segments';
import { shareInCommon } from '../../data/testbed/src/validate/compare';
import { median, quantile, table } from '../../data/testbed/src/validate/numbers';
import type { Row } from '../../data/testbed/src/validate/rows';

const CLIENT = '10.0.0.2';
const SERVER = '192.0.2.9';
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];

interface Shape {
  up: boolean;
  flags?: number;
  payload?: number;
  udp?: boolean;
  port?: number;
  options?: number;
  atSeconds?: number;
}

/** An Ethernet frame as the client's tcpdump sees it. */
function packet({
  up,
  flags = ACK,
  payload = 0,
  udp,
  port = 40000,
  options = 0,
  atSeconds = 0,
}: Shape): Packet {
  const header = udp ? 8 : 20 + options;
  const bytes = Buffer.alloc(14 + 20 + header + payload, 0x55);
  bytes.writeUInt16BE(0x0800, 12);
  bytes[14] = 0x45;
  bytes.writeUInt16BE(20 + header + payload, 16);
  bytes[23] = udp ? 17 : 6;
  const [from, to] = up ? [CLIENT, SERVER] : [SERVER, CLIENT];
  from.split('.').forEach((part, i) => (bytes[26 + i] = Number(part)));
  to.split('.').forEach((part, i) => (bytes[30 + i] = Number(part)));
  bytes.writeUInt16BE(up ? port : 443, 34);
  bytes.writeUInt16BE(up ? 443 : port, 36);
  if (!udp) {
    bytes[46] = (header / 4) << 4;
    bytes[47] = flags;
  } else bytes.writeUInt16BE(8 + payload, 38);
  return { tsMicros: 1_700_000_000_123_456 + atSeconds * 1e6, wireLen: bytes.length, bytes };
}

describe('pcapngSection', () => {
  it('keeps headers, 12 bytes of UDP payloads and original lengths; sections behind one another are one file', async () => {
    const first = [
      packet({ up: true, payload: 1000, options: 12 }),
      packet({ up: false, udp: true, payload: 200, atSeconds: 2 }),
    ];
    const second = [packet({ up: true, udp: true, payload: 5, atSeconds: 9 })];
    expect([...first, ...second].map(headerEnd)).toEqual([14 + 20 + 32, 14 + 20 + 8 + 12, 14 + 20 + 8 + 5]);
    const file = Buffer.concat([pcapngSection(first, 'a-train-001'), pcapngSection(second, 'a-train-002')]);
    const capture = await openCapture(file);
    const frames = [];
    for await (const frame of capture) frames.push(frame);
    expect(frames.map((f) => f.data.length)).toEqual([66, 54, 47]);
    expect(frames.map((f) => f.wireLen)).toEqual([1066, 242, 47]);
    expect(frames.map((f) => Number(f.tsMicros))).toEqual([...first, ...second].map((p) => p.tsMicros));
    expect(file.includes('a-train-001') && file.includes('a-train-002')).toBe(true);
  });

  it('does not take the padding of a short Ethernet frame for payload', () => {
    const short = packet({ up: true, udp: true, payload: 3 });
    const padded = {
      ...short,
      bytes: Buffer.concat([short.bytes, Buffer.alloc(20)]),
      wireLen: short.wireLen + 20,
    };
    expect(headerEnd(padded)).toBe(14 + 20 + 8 + 3);
  });

  it('reads what tcpdump writes and refuses other files', () => {
    const one = packet({ up: true });
    const head = Buffer.alloc(24);
    head.writeUInt32LE(0xa1b2c3d4, 0);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000, 0);
    record.writeUInt32LE(123_456, 4);
    record.writeUInt32LE(one.bytes.length, 8);
    record.writeUInt32LE(one.wireLen, 12);
    const whole = Buffer.concat([head, record, one.bytes, record]); // a cut second packet
    expect(readPcap(whole)).toEqual([one]);
    expect(() => readPcap(Buffer.from('not a capture, really not'))).toThrow(
      'not a little-endian microsecond pcap',
    );
  });

  it('finds packets above the MTU, and cut ones', () => {
    const whole = packet({ up: true, payload: 1460 });
    expect(() => checkLengths([whole], 1500)).not.toThrow();
    expect(() => checkLengths([whole], 1400)).toThrow('1 packets above the MTU of 1400');
    expect(() =>
      checkLengths([{ ...whole, wireLen: 1513, bytes: whole.bytes.subarray(0, 100) }], 1500),
    ).toThrow('not captured whole');
  });
});

describe('findFlows', () => {
  const handshake = (port: number): Packet[] => [
    packet({ up: true, flags: SYN, port }),
    packet({ up: false, flags: SYN | ACK, port, atSeconds: 0.1 }),
    packet({ up: true, flags: ACK, port, atSeconds: 0.2 }),
  ];

  it('counts payload by direction and sees handshakes and ends', () => {
    const flows = findFlows(
      [
        ...handshake(1),
        packet({ up: true, flags: PSH | ACK, payload: 100, port: 1, atSeconds: 0.3 }),
        packet({ up: false, flags: ACK, payload: 900, port: 1, atSeconds: 0.4 }),
        packet({ up: true, flags: FIN | ACK, port: 1, atSeconds: 0.5 }),
        packet({ up: false, flags: FIN | ACK, port: 1, atSeconds: 0.75 }),
        ...handshake(2),
        packet({ up: true, flags: FIN | ACK, port: 2 }),
        packet({ up: false, payload: 10, port: 3 }),
        packet({ up: true, flags: RST, port: 3 }),
        packet({ up: true, udp: true, payload: 40, port: 1 }),
      ],
      CLIENT,
    );
    expect(flows.map((f) => [f.protocol, f.clientPort, f.handshake, f.end])).toEqual([
      ['tcp', 1, true, 'fin'],
      ['tcp', 2, true, 'open'],
      ['tcp', 3, false, 'rst'],
      ['udp', 1, undefined, undefined],
    ]);
    expect(flows[0]).toMatchObject({
      client: CLIENT, server: SERVER, serverPort: 443, seconds: 0.75,
      packetsUp: 4, packetsDown: 3, bytesUp: 100, bytesDown: 900,
    }); // prettier-ignore
  });

  it('forgives a repeated SYN, not a missing one', () => {
    const [syn, synAck, ack] = handshake(7);
    expect(findFlows([syn, syn, synAck, synAck, ack], CLIENT)[0].handshake).toBe(true);
    expect(findFlows([synAck, ack], CLIENT)[0].handshake).toBe(false);
  });
});

describe('segments', () => {
  const row = (up: boolean, time: number, payload: number): Row => ({
    time, payload, length: payload + 66, protocol: 6, flags: ACK,
    source: up ? CLIENT : SERVER, target: up ? SERVER : CLIENT, sourcePort: up ? 5000 : 443, targetPort: up ? 443 : 5000,
  }); // prettier-ignore
  const object = (at: number, bytes: number) => ({
    at, bytes, seconds: 1, kind: 'video', name: 's', server: SERVER, clientPort: 5000,
  }); // prettier-ignore

  it('begin at each request and end at the next', () => {
    const finder = new SegmentFinder(CLIENT, new Set([SERVER]));
    for (const r of [
      row(true, 10, 300),
      row(false, 10.1, 1400),
      row(true, 10.15, 0),
      row(false, 10.2, 600),
      row(true, 12, 310),
      row(false, 12.2, 50),
    ])
      finder.add(r);
    finder.add({ ...row(true, 13, 99), target: '192.0.2.77' }); // another server
    expect(finder.segments.map((s) => [s.at, s.bytes])).toEqual([[10, 2000], [12, 50]]); // prettier-ignore
  });

  it('match what was served on the same connection, at that time, of that size', () => {
    const flow = `${SERVER} 5000`;
    const found = [
      { flow, at: 100.05, bytes: 50_500 },
      { flow, at: 102, bytes: 9000 }, // served 5 s later
      { flow, at: 104, bytes: 30_000 }, // twice too long
      { flow, at: 105, bytes: 500 }, // below the least
    ];
    const served = [object(0, 50_000), object(7, 9000), object(4, 15_000)];
    expect(scoreSegments(found, served, 100)).toEqual({ found: 3, served: 3, matched: 1 });
    expect(f1({ found: 3, served: 3, matched: 1 })).toBeCloseTo(1 / 3, 12);
    expect(scoreSegments(found, served, 100, 0).found).toBe(4);
    expect(f1({ found: 3, served: 0, matched: 0 })).toBe(0);
  });
});

describe('numbers', () => {
  it('quantiles, tables, what two lists have in common', () => {
    expect(median([4, 1, 3])).toBe(3);
    expect(quantile([0, 10], 0.9)).toBe(9);
    expect(table(['a', 'b'], [['x', 1]])).toBe('| a | b |\n| --- | --: |\n| x | 1 |');
    expect(shareInCommon(['a', 'b', 'b'], ['b', 'a', 'c', 'b'])).toBe(0.75);
    expect(shareInCommon([], [])).toBe(1);
  });
});
