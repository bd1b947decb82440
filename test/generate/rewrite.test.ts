import { describe, expect, it } from 'vitest';
import { parseSubnet, repairFrame, rewriteAddresses } from '../../src/generate';
import { frame, SYN, UDP6 } from '../tokens/frames';

/** A SYN between two IPv4 addresses, checksums right. */
function between(source: number[], target: number[]) {
  const data = SYN.slice();
  data.set(source, 26);
  data.set(target, 30);
  return { ...repairFrame(frame(data)).frame, wireLen: 74 };
}
const addresses = (data: Uint8Array) => [data.subarray(26, 30).join('.'), data.subarray(30, 34).join('.')];

describe('rewriteAddresses', () => {
  const frames = [
    between([10, 0, 0, 12], [203, 0, 113, 10]),
    between([203, 0, 113, 10], [10, 0, 0, 12]),
    between([10, 0, 0, 12], [10, 0, 0, 2]),
    between([203, 0, 113, 9], [10, 0, 0, 255]),
    between([10, 0, 0, 2], [224, 0, 0, 251]),
  ];

  it('maps one to one, in numerical order, networks to the subnets in turn', () => {
    const { frames: out, addresses: map } = rewriteAddresses(frames, ['192.168.7.0/24', '198.51.100.64/27']);
    expect(out.map((f) => addresses(f.data))).toEqual([
      ['192.168.7.2', '198.51.100.66'],
      ['198.51.100.66', '192.168.7.2'],
      ['192.168.7.2', '192.168.7.1'],
      ['198.51.100.65', '192.168.7.255'],
      ['192.168.7.1', '224.0.0.251'],
    ]);
    expect([...map].sort()).toEqual([
      ['10.0.0.12', '192.168.7.2'],
      ['10.0.0.2', '192.168.7.1'],
      ['10.0.0.255', '192.168.7.255'],
      ['203.0.113.10', '198.51.100.66'],
      ['203.0.113.9', '198.51.100.65'],
    ]);
  });

  it('keeps right checksums right, and touches nothing else', () => {
    const { frames: out } = rewriteAddresses(frames, ['172.16.0.0/12']);
    out.forEach((f, i) => {
      expect(repairFrame(f).changes).toEqual([]);
      const same = f.data.slice();
      for (const [from, to] of [
        [24, 34],
        [50, 52],
      ])
        same.set(frames[i].data.subarray(from, to), from);
      expect(same).toEqual(frames[i].data);
      expect(f.tsMicros).toBe(frames[i].tsMicros);
    });
    expect(addresses(frames[0].data)).toEqual(['10.0.0.12', '203.0.113.10']);
  });

  it('leaves the other IP version and what is no packet as they are', () => {
    const six = UDP6.slice();
    six.set([0x20, 0x01, 0x0d, 0xb8], 22);
    const mixed = [frame(six), frame(Uint8Array.of(1, 2))];
    expect(rewriteAddresses(mixed, ['192.168.7.0/24']).frames).toEqual(mixed);
    const { frames: out, addresses: map } = rewriteAddresses(mixed, ['fd00:1::/64']);
    expect([...map]).toEqual([['2001:db8::1', 'fd00:1::1']]);
    expect(out[0].data.subarray(38, 54)).toEqual(six.subarray(38, 54)); // link-local
  });

  it('says what is wrong with subnets', () => {
    for (const text of ['192.168.7.0', '192.168.7.0/33', '192.168.7.0/31', '1.2.3/8', 'x/24', 'fd00::/127'])
      expect(() => parseSubnet(text)).toThrow(`"${text}" is no subnet`);
    expect(() => rewriteAddresses(frames, ['192.168.7.0/30'])).toThrow(
      '192.168.7.0/30 has room for 2 hosts; the trace has 4',
    );
  });
});
