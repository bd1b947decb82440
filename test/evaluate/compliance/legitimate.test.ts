import { describe, expect, test } from 'vitest';
import { checkFrames, type ComplianceReport, type SegmentKind } from '../../../src/evaluate/compliance';
import type { Frame } from '../../../src/capture';
import {
  ACK,
  at,
  build,
  CWR,
  ECE,
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

const rules = (report: ComplianceReport) => report.rules.map(({ rule }) => rule);

function kinds(captured: Frame[]): SegmentKind[] {
  const list: SegmentKind[] = [];
  checkFrames(captured, { onSegment: (_packet, kind) => list.push(kind) });
  return list;
}

const reply = { down: true } as const;
const close = (client: number, server: number) => [
  at(client, 0, { flags: FIN | ACK, acknowledgmentNumber: 9001 + server }),
  at(server, 0, { ...reply, flags: FIN | ACK, acknowledgmentNumber: 1002 + client }),
  at(client + 1, 0, { acknowledgmentNumber: 9002 + server }),
];

describe('what is legitimate breaks no rule', () => {
  test('a whole connection, and what is counted of it', () => {
    const report = checkFrames(
      build([
        ...open({
          client: [MSS, SACK_OK, scale(7), stamps(10, 0)],
          server: [MSS, SACK_OK, scale(2), stamps(20, 10)],
        }),
        at(0, 100, { flags: PSH | ACK, options: [stamps(12, 20)] }),
        at(0, 500, { ...reply, acknowledgmentNumber: 1101, options: [stamps(22, 12)] }),
        ...close(100, 500).map((segment, i) => ({
          ...segment,
          options: [stamps(30 + i, i === 1 ? 30 : 22)],
        })),
      ]),
    );
    expect(report.rules).toEqual([]);
    expect(report.flows).toEqual({ all: 1, tcp: 1, violating: 0, odd: 0, tcpViolating: 0 });
    expect(report.checksums.tcp).toEqual({ right: 8, wrong: 0, offloaded: 0, absent: 0, notCheckable: 0 });
    expect(report.tcp).toMatchObject({
      flows: 1,
      withSyn: 1,
      handshakes: 1,
      closedByFin: 1,
      closedByRst: 0,
      handshakesClosed: 1,
      withFin: 1,
      finAcknowledged: 1,
      segments: 8,
      seqChecked: 6,
      seqContinuous: 6,
      seqProgress: 6,
      ackChecked: 7,
      ackContinuous: 7,
      finAfterOpening: 2,
      synAfterOpening: 0,
    });
  });

  test('a flow met in the middle: nothing about its opening is judged', () => {
    const middle = build([
      at(5_000, 1460),
      at(8_000, 0, { ...reply, window: 3, acknowledgmentNumber: 7461 }),
      at(6_460, 1460, { options: [stamps(5, 6)], acknowledgmentNumber: 17_001 }),
      at(7_920, 1460, { flags: ACK | ECE | CWR, acknowledgmentNumber: 17_001 }),
    ]);
    expect(rules(checkFrames(middle))).toEqual([]);
  });

  test('header-only captures: checksums of transports are not checkable, lengths come from IP', () => {
    const whole = build([...open(), at(0, 1000), at(1000, 1000)]);
    const cut = whole.map((frame) => ({ ...frame, data: frame.data.slice(0, 54) }));
    const report = checkFrames(cut);
    expect(report.checksums.tcp).toEqual({ right: 1, wrong: 0, offloaded: 0, absent: 0, notCheckable: 4 });
    expect(report.tcp.kinds).toMatchObject({ new: 2, ack: 1, headerCut: 2 });
    expect(rules(report)).toEqual([]);
  });

  test('retransmission, spurious retransmission, reordering, keep-alive and window probe are told apart', () => {
    const captured = build(
      [
        ...open(), // round trip 2 ms
        at(0, 100),
        at(200, 100), // 100 to 199 come later
        at(100, 100),
        at(300, 100),
        at(300, 100), // again, 300 ms later
        at(0, 0, { ...reply, acknowledgmentNumber: 1401 }),
        at(300, 100), // acknowledged already
        at(399, 1), // keep-alive
        at(0, 0, { ...reply, acknowledgmentNumber: 1401, window: 0 }),
        at(400, 1), // probe of the closed window
      ],
      [0, 1, 2, 3, 4, 5, 6, 306, 307, 900, 5000, 5001, 6000],
    );
    expect(kinds(captured).slice(3)).toEqual([
      'new',
      'gap',
      'outOfOrder',
      'new',
      'retransmission',
      'ack',
      'spuriousRetransmission',
      'keepAlive',
      'ack',
      'windowProbe',
    ]);
    expect(rules(checkFrames(captured))).toEqual(['tcp-seq-gap']);
  });

  test('fast retransmission: two repeated acknowledgments ask for it', () => {
    const captured = build(
      [
        ...open({ client: [MSS, SACK_OK], server: [MSS, SACK_OK] }),
        at(0, 100),
        at(200, 100),
        ...[0, 1, 2].map(() => at(0, 0, { ...reply, acknowledgmentNumber: 1101 })),
        at(100, 100),
      ],
      [0, 1, 2, 3, 4, 30, 31, 32, 40],
    );
    expect(kinds(captured).at(-1)).toBe('fastRetransmission');
    expect(checkFrames(captured).tcp.duplicateAcks).toBe(2);
  });

  test('sequence numbers wrap', () => {
    const isn = 0xffffffff - 49;
    const captured = build([
      { flags: SYN, sequenceNumber: isn, options: [MSS] },
      { ...reply, flags: SYN | ACK, sequenceNumber: 9000, acknowledgmentNumber: isn + 1, options: [MSS] },
      { sequenceNumber: isn + 1, acknowledgmentNumber: 9001 },
      { sequenceNumber: isn + 1, acknowledgmentNumber: 9001, data: 100 },
      { ...reply, sequenceNumber: 9001, acknowledgmentNumber: (isn + 101) >>> 0 },
      { sequenceNumber: (isn + 101) >>> 0, acknowledgmentNumber: 9001, data: 100 },
    ]);
    const report = checkFrames(captured);
    expect(rules(report)).toEqual([]);
    expect(report.tcp.seqContinuous).toBe(4);
  });

  test('a refused connection, an aborted one, a reopened one', () => {
    const refused = build([
      { flags: SYN, sequenceNumber: 1000 },
      { ...reply, flags: RST | ACK, sequenceNumber: 0, acknowledgmentNumber: 1001, window: 0 },
    ]);
    expect(rules(checkFrames(refused))).toEqual([]);
    const aborted = build([...open(), at(0, 10), at(10, 0, { flags: RST | ACK })]);
    const report = checkFrames(aborted);
    expect(rules(report)).toEqual([]);
    expect(report.tcp).toMatchObject({ closedByRst: 1, resetsEstablished: 1 });
    const again = open().map((segment, i) => ({
      ...segment,
      sequenceNumber: segment.sequenceNumber! + 50_000,
      ...(i > 0 && { acknowledgmentNumber: segment.acknowledgmentNumber! + 50_000 }),
    }));
    const reopened = checkFrames(build([...open(), ...close(0, 0), ...again]));
    expect(rules(reopened)).toEqual([]);
    expect(reopened.tcp.flows).toBe(2);
  });

  test('a port used again after two minutes of silence is no SYN into an open connection', () => {
    const captured = (millis: number) =>
      build([...open(), { flags: SYN, sequenceNumber: 99_000, options: [MSS] }], [0, 1, 2, millis]);
    expect(rules(checkFrames(captured(119_000)))).toEqual(['tcp-syn-established']);
    expect(rules(checkFrames(captured(123_000)))).toEqual([]);
  });

  test('fast open carries data in the SYN', () => {
    const captured = build([
      {
        flags: SYN,
        sequenceNumber: 1000,
        data: 100,
        options: [MSS, { kind: 'fastOpen', cookie: new Uint8Array(8) }],
      },
      { ...reply, flags: SYN | ACK, sequenceNumber: 9000, acknowledgmentNumber: 1101, options: [MSS] },
      { sequenceNumber: 1101, acknowledgmentNumber: 9001 },
    ]);
    expect(rules(checkFrames(captured))).toEqual([]);
  });

  test('ECN that was agreed on, and accurate ECN', () => {
    const ecn = { clientFlags: SYN | ECE | CWR, serverFlags: SYN | ACK | ECE };
    expect(rules(checkFrames(build([...open(ecn), at(0, 100, { flags: ACK | CWR })])))).toEqual([]);
    const accurate = build([
      { ...open()[0], flags: SYN | ECE | CWR, reserved: 1 },
      { ...open()[1], flags: SYN | ACK | CWR },
      open()[2],
      at(0, 100, { flags: ACK | ECE, reserved: 1 }),
    ]);
    expect(rules(checkFrames(accurate))).toEqual([]);
  });

  test('an ACK captured before the data it acknowledges, and one whose data the capture lacks', () => {
    const crossed = build([
      ...open(),
      at(0, 100),
      at(0, 0, { ...reply, acknowledgmentNumber: 1301 }),
      at(100, 200),
    ]);
    expect(rules(checkFrames(crossed))).toEqual(['tcp-ack-unseen']);
  });

  test('a window scale counts: the same flight is right with it, and wrong without', () => {
    const flight = (shift?: number) =>
      build([
        ...open({
          client: shift === undefined ? [MSS] : [MSS, scale(shift)],
          server: shift === undefined ? [MSS] : [MSS, scale(shift)],
          window: 2000,
        }),
        at(0, 0, { ...reply, window: 2000 }),
        ...[0, 1, 2, 3].map((i) => at(i * 1400, 1400)),
      ]);
    expect(rules(checkFrames(flight(3)))).toEqual([]);
    expect(checkFrames(flight()).rules).toMatchObject([{ rule: 'tcp-window-exceeded', packets: 3 }]);
  });

  test('a TCP header that is spread over fragments', () => {
    const whole = tcp({ sequenceNumber: 1, options: [MSS], data: 4, ip: { flags: 1 } });
    // 16 bytes of the TCP header in the first fragment.
    const first = whole.slice(0, 50);
    first[17] = 36;
    first[24] = first[25] = 0;
    const sum = [...Array(10).keys()].reduce((s, i) => s + (first[14 + 2 * i] << 8) + first[15 + 2 * i], 0);
    const folded = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
    first.set([folded >> 8, folded & 255], 24);
    expect(rules(checkFrames(frames([first])))).toEqual([]);
  });

  test('Ethernet padding is no trailer; zeros up to a fixed width are', () => {
    const ack = tcp({ sequenceNumber: 1, acknowledgmentNumber: 1 });
    const padded = (length: number) => Uint8Array.from({ length }, (_, i) => ack[i] ?? 0);
    expect(rules(checkFrames(frames([padded(60)])))).toEqual([]);
    expect(rules(checkFrames(frames([padded(94)])))).toEqual(['link-trailer']);
  });
});

describe('options', () => {
  test('prompt packets are followed, and not judged', () => {
    const captured = build([
      ...open(),
      at(0, 100, { flags: SYN | FIN | ACK }),
      at(0, 10, { acknowledgmentNumber: 4 }),
    ]);
    const report = checkFrames(captured, { promptPackets: 4 });
    expect(report).toMatchObject({ packets: 1, promptPackets: 4, violatingPackets: 1 });
    expect(rules(report)).toEqual(['tcp-ack-old']);
    expect(report.tcp.segments).toBe(1);
  });

  test('examples are bounded, counts are not', () => {
    const bad = build(Array.from({ length: 9 }, (_, i) => at(i, 0, { flags: 0, port: 1000 + i })));
    const [result] = checkFrames(bad, { examples: 2 }).rules.filter(({ rule }) => rule === 'tcp-ack-missing');
    expect(result).toMatchObject({ packets: 9, flows: 9 });
    expect(result.examples).toEqual([
      { packet: 1, flow: '10.0.0.2:1000 > 192.0.2.1:443', message: 'flags none' },
      { packet: 2, flow: '10.0.0.2:1001 > 192.0.2.1:443', message: 'flags none' },
    ]);
  });

  test('flows beyond the bound are given out early, and counted', () => {
    const many = build(Array.from({ length: 20 }, (_, i) => at(0, 10, { port: 2000 + i })));
    expect(checkFrames(many, { maxFlows: 5 })).toMatchObject({
      evictedFlows: 15,
      flows: { all: 20, tcp: 20 },
    });
  });
});
