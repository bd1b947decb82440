import { describe, expect, it } from 'vitest';
import {
  fieldValues,
  flagNames,
  NprintCounts,
  nprintRow,
  optionKinds,
  traceOfFrames,
} from '../../src/evaluate';
import { connection, frame, tcpFrame } from './frames';

describe('nprintRow', () => {
  const row = new Int8Array(1024);
  it('places IPv4, TCP and UDP bits, absent ones as -1', () => {
    expect(nprintRow(tcpFrame({ sport: 0x8001 }), 1, row)).toEqual(['ipv4', 'tcp']);
    // Version 4, header length 5.
    expect([...row.subarray(0, 8)]).toEqual([0, 1, 0, 0, 0, 1, 0, 1]);
    // No IPv4 options: 160 bits are there, 320 are not.
    expect(row.subarray(160, 480).every((v) => v === -1)).toBe(true);
    expect([...row.subarray(480, 496)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(row.subarray(480, 640).filter((v) => v === -1).length).toBe(0);
    expect(row.subarray(640).every((v) => v === -1)).toBe(true);
  });
  it('gives a row of -1 for what is not TCP or UDP, and for bytes that are not there', () => {
    expect(nprintRow(new Uint8Array(60), 1, row)).toEqual([]);
    expect(row.every((v) => v === -1)).toBe(true);
    expect(nprintRow(tcpFrame().subarray(0, 40), 1, row)).toEqual(['ipv4', 'tcp']);
    expect(row.subarray(480, 528).filter((v) => v === -1).length).toBe(0);
    expect(row[528]).toBe(-1);
  });
  it('counts marginals over the packets that have the section', () => {
    const counts = new NprintCounts();
    counts.add(tcpFrame({ sport: 0x8000 }), 1);
    counts.add(tcpFrame({ sport: 0 }), 1);
    counts.add(tcpFrame({ sport: 0 }).subarray(0, 34), 1);
    expect(counts.marginal(480)).toEqual([1, 1, 1]);
    expect(counts.packets).toEqual({ ipv4: 3, tcp: 3, udp: 0 });
  });
});

describe('fields and roles', () => {
  it('reads the fields of a packet by role', () => {
    const trace = traceOfFrames('a', connection(40000, 1000, 500), 'x');
    expect(trace.packets.map((p) => p.role?.up)).toEqual([
      true,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      true,
    ]);
    expect(fieldValues(trace.packets[4])).toEqual({
      'wire.len': 544 - (544 % 64),
      direction: 'down',
      'ip.proto': 'tcp',
      'ip.len': 512,
      'ip.ttl': 64,
      'ip.id': 0,
      'port.service': 80,
      'port.client': 39,
      'tcp.flags': 'PSH+ACK',
      'tcp.window': 960,
      'tcp.options': 'none',
    });
  });
  it('takes the larger port for the client where the handshake was not seen', () => {
    const [packet] = traceOfFrames('a', [frame({ down: true, dport: 443, sport: 50000 })], 'x').packets;
    expect(packet.role).toEqual({ flow: 0, up: false, clientPort: 50000, serverPort: 443 });
  });
  it('names flags and options', () => {
    expect([0, 0x12, 0xff].map(flagNames)).toEqual(['none', 'SYN+ACK', 'FIN+SYN+RST+PSH+ACK+URG+ECE+CWR']);
    const kinds = (...bytes: number[]): string => optionKinds(Uint8Array.from(bytes), 0, bytes.length);
    expect(kinds(2, 4, 5, 180, 1, 3, 3, 7)).toBe('MSS NOP WS');
    expect(kinds(1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0)).toBe('NOP NOP TS');
    expect(kinds(4, 2, 0, 0)).toBe('SACK-OK');
    expect(kinds(1, 8, 10, 0)).toBe('NOP malformed');
    expect(kinds(5, 0, 0, 0)).toBe('malformed');
  });
});
