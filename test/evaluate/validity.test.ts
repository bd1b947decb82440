import { describe, expect, it } from 'vitest';
import {
  NO_TCP,
  poolValidity,
  TcpCounter,
  traceOfFrames,
  validityRow,
  type TcpSegment,
} from '../../src/evaluate';
import type { Frame } from '../../src/capture';
import { connection, frame } from './frames';

const judge = (frames: Frame[]) => validityRow('s', 'a', [traceOfFrames('a', frames, 'x')]);
const changed = (f: Frame, change: (data: Uint8Array) => void, more: Partial<Frame> = {}): Frame => {
  const data = f.data.slice();
  change(data);
  return { ...f, data, ...more };
};

describe('packet checks', () => {
  it('pass for a whole connection', () => {
    const row = judge(connection(40000));
    expect(row.packets).toBe(9);
    expect(row.allChecks).toEqual({ checked: 9, ok: 9 });
    expect(row.problems).toEqual({});
  });
  it('find a wrong IP length, and what follows from it', () => {
    const { checks } = judge([changed(frame(), (d) => (d[17] = 30))]);
    expect([checks.ipLength.ok, checks.wireLength.ok, checks.ipChecksum.ok, checks.decodes.ok]).toEqual([
      0, 0, 0, 1,
    ]);
  });
  it('accept padding to the Ethernet minimum', () => {
    expect(judge([{ ...frame(), wireLen: 60 }]).checks.wireLength.ok).toBe(1);
    expect(judge([{ ...frame(), wireLen: 90 }]).checks.wireLength.ok).toBe(0);
  });
  it('find headers that are not there, and a data offset below 5', () => {
    const cut = judge([changed(frame(), () => {}, { data: frame().data.slice(0, 50) })]);
    expect(cut.checks.headersComplete).toEqual({ checked: 1, ok: 0 });
    const offset = judge([changed(frame(), (d) => (d[46] = 0x40))]);
    expect(offset.checks.tcpHeader).toEqual({ checked: 1, ok: 0 });
    expect(offset.problems.tcp_data_offset).toBe(1);
    expect(offset.checks.noProblems.ok).toBe(0);
  });
  it('count what is no packet, and check nothing else of it', () => {
    const row = judge([changed(frame(), (d) => (d[12] = 0x99))]);
    expect(row.checks.decodes).toEqual({ checked: 1, ok: 0 });
    expect(row.checks.ipLength.checked).toBe(0);
    expect(row.allChecks).toEqual({ checked: 1, ok: 0 });
  });
  it('do not hold a wrong transport checksum against a packet, but count it', () => {
    const row = judge([changed(frame(), (d) => (d[51] ^= 1))]);
    expect(row.problems).toEqual({ tcp_checksum_wrong: 1 });
    expect(row.checks.noProblems.ok).toBe(1);
  });
  it('a sound structure: versions, lengths, offsets and options, but no checksum', () => {
    const broken = {
      'nothing wrong': () => {},
      'IPv4 checksum': (d: Uint8Array) => (d[24] ^= 1),
      'TCP checksum': (d: Uint8Array) => (d[51] ^= 1),
      'IP version': (d: Uint8Array) => (d[14] = 0x65),
      'IP length': (d: Uint8Array) => (d[17] = 30),
      'data offset': (d: Uint8Array) => (d[46] = 0x40),
      'options beyond the packet': (d: Uint8Array) => (d[46] = 0x70),
    };
    const ok = Object.values(broken).map((change) => judge([changed(frame(), change)]).structure.ok);
    expect(ok).toEqual([1, 1, 1, 0, 0, 0, 0]);
    const sum = poolValidity([judge([frame()]), judge([changed(frame(), broken['data offset'])])]);
    expect(sum.structure).toEqual({ checked: 2, ok: 1 });
  });
  it('add up over labels', () => {
    const sum = poolValidity([judge(connection(40000)), judge(connection(40001))]);
    expect([sum.label, sum.packets, sum.captures, sum.tcp.handshakes]).toEqual(['pooled', 18, 2, 2]);
  });
});

describe('TCP counts', () => {
  it('follow a whole connection', () => {
    expect(judge(connection(40000)).tcp).toEqual({
      flows: 1,
      withSyn: 1,
      withSynAck: 1,
      handshakes: 1,
      closedByFin: 1,
      closedByRst: 0,
      seqChecked: 7,
      seqExpected: 7,
      seqRepeated: 0,
      ackChecked: 8,
      ackValid: 8,
    });
  });
  it('hold across the wrap of sequence numbers', () => {
    const tcp = judge(connection(40000, 0xffffffc0)).tcp;
    expect([tcp.handshakes, tcp.seqExpected, tcp.ackValid]).toEqual([1, 7, 8]);
  });
  it('count a second connection on the same ports', () => {
    const tcp = judge([...connection(40000, 1000), ...connection(40000, 900_000)]).tcp;
    expect([tcp.flows, tcp.handshakes, tcp.closedByFin]).toEqual([2, 2, 2]);
  });

  const run = (segments: Partial<TcpSegment>[]) => {
    const counts = { ...NO_TCP };
    const counter = new TcpCounter(counts);
    for (const s of segments) counter.add({ up: true, seq: 0, ack: 0, flags: 16, payload: 0, ...s });
    return counts;
  };
  it('do not take a SYN-ACK that acknowledges something else for an answer', () => {
    const c = run([
      { flags: 2, seq: 5 },
      { up: false, flags: 18, seq: 9, ack: 7 },
      { seq: 6, ack: 10 },
    ]);
    expect([c.withSyn, c.withSynAck, c.handshakes]).toEqual([1, 0, 0]);
  });
  it('tell expected, repeated and wrong sequence numbers', () => {
    const c = run([
      { seq: 100, payload: 10 },
      { seq: 110, payload: 10 },
      { seq: 110, payload: 10 },
      { seq: 5_000_000 },
      { seq: 5_000_000 },
    ]);
    expect([c.seqChecked, c.seqExpected, c.seqRepeated]).toEqual([4, 2, 1]);
  });
  it('judge acknowledgements by what the peer has sent', () => {
    const c = run([
      { seq: 100, payload: 10 },
      { up: false, ack: 110 },
      { up: false, ack: 111 },
      { up: false, ack: 99 },
    ]);
    expect([c.ackChecked, c.ackValid]).toEqual([3, 1]);
  });
});
