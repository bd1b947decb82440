import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import {
  decodeFrame,
  encodePacket,
  findLayer,
  layer,
  payloadLength,
  Reassembler,
  type EncodeLayer,
} from '../../src/packets';
import { projectRoot, Rng } from '../../src/util';

const robustness = join(projectRoot, '..', 'shared', 'data', 'robustness');
const ETHER = layer('ethernet', { source: '00:00:5e:00:53:01', destination: '00:00:5e:00:53:02' });
const V4 = { source: '192.0.2.1', destination: '198.51.100.2', identification: 77 };
const V6 = { source: '2001:db8::1', destination: '2001:db8::2' };
const UDP = layer('udp', { sourcePort: 5000, destinationPort: 5001 });

const frameOf = (data: Uint8Array, tsMicros = 1, linkType = 1): Frame => ({
  data,
  wireLen: data.length,
  tsMicros,
  tsNanos: 0,
  linkType,
  interfaceId: 0,
});

/** The IPv4 fragments [start, end) of a datagram's data, as frames. */
function fragments4(data: Uint8Array, cuts: number[], fields: Partial<typeof V4> = {}): Frame[] {
  return cuts.slice(1).map((end, i) => {
    const start = cuts[i];
    const flags = end < data.length ? 1 : 0;
    const ip = layer('ipv4', { ...V4, ...fields, flags, fragmentOffset: start / 8, protocol: 17 });
    return frameOf(encodePacket([ETHER, ip], data.subarray(start, end)), 1 + i);
  });
}

/** A UDP datagram with its checksum, as the data of `ip`. */
function datagram(ip: EncodeLayer, size: number): Uint8Array {
  const payload = Uint8Array.from({ length: size }, (_, i) => i & 255);
  return encodePacket([ip, UDP], payload).subarray(ip.protocol === 'ipv4' ? 20 : 40);
}

const shuffled = <T>(items: readonly T[], rng: Rng): T[] => {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
};

describe('Reassembler', () => {
  const data4 = datagram(layer('ipv4', V4), 992);

  it('puts IPv4 fragments together in any order; the result decodes with its checksums right', () => {
    const rng = new Rng(4);
    for (let round = 0; round < 20; round++) {
      const reassembler = new Reassembler();
      const frames = shuffled(fragments4(data4, [0, 8, 104, 480, 1000]), rng);
      const answers = frames.map((frame) => reassembler.add(frame));
      expect(answers.slice(0, 3)).toEqual(['pending', 'pending', 'pending']);
      const whole = answers[3] as Frame;
      const packet = decodeFrame(whole);
      expect(packet.problems).toEqual([]);
      expect(packet.layers.map((l) => l.protocol)).toEqual(['ethernet', 'ipv4', 'udp']);
      expect(findLayer(packet, 'ipv4')!.fields).toMatchObject({
        totalLength: 1020,
        flags: 0,
        fragmentOffset: 0,
      });
      expect([payloadLength(packet), whole.wireLen, whole.data.length]).toEqual([992, 1034, 1034]);
      expect(whole.data.subarray(34)).toEqual(data4);
      expect(whole.tsMicros).toBe(frames[3].tsMicros);
      expect(reassembler.counts).toMatchObject({ fragments: 4, completed: 1 });
      expect(reassembler.pending).toBe(0);
    }
  });

  it('puts IPv6 fragments together, behind extension headers too', () => {
    const ip = layer('ipv6', V6);
    const data = datagram(ip, 992);
    for (const before of [
      [],
      [layer('ipv6_hop_by_hop', { options: [{ kind: 5, data: new Uint8Array(2) }] })],
    ]) {
      const reassembler = new Reassembler();
      const answers = [
        [600, 1000],
        [0, 600],
      ].map(([start, end]) => {
        const fragment = layer('ipv6_fragment', {
          nextHeader: 17,
          fragmentOffset: start / 8,
          moreFragments: end < 1000 ? 1 : 0,
          identification: 0xdeadbeef,
        });
        const bytes = encodePacket([ETHER, ip, ...before, fragment], data.subarray(start, end));
        return reassembler.add(frameOf(bytes));
      });
      expect(answers[0]).toBe('pending');
      const packet = decodeFrame(answers[1] as Frame);
      expect(packet.problems).toEqual([]);
      const names = packet.layers.map((l) => l.protocol);
      expect(names).toEqual(['ethernet', 'ipv6', ...before.map((l) => l.protocol), 'udp']);
      expect(findLayer(packet, 'ipv6')!.fields.payloadLength).toBe(1000 + 8 * before.length);
    }
  });

  it('lets whole packets pass, atomic fragments among them', () => {
    const reassembler = new Reassembler();
    const tcp = encodePacket([ETHER, layer('ipv4', V4), layer('tcp')]);
    const atomic = encodePacket([ETHER, layer('ipv6', V6), layer('ipv6_fragment'), layer('udp')]);
    for (const bytes of [tcp, atomic, encodePacket([ETHER, layer('ipv4', V4), UDP]), new Uint8Array(3)]) {
      expect(reassembler.add(frameOf(bytes))).toBe(undefined);
    }
    expect(reassembler.counts.fragments).toBe(0);
  });

  it('leaves duplicates out and discards what overlaps otherwise', () => {
    const [a, b, c] = fragments4(data4, [0, 400, 800, 1000]);
    const same = new Reassembler();
    expect([a, a, b, b, c].map((f) => typeof same.add(f))).toEqual([
      ...Array<string>(4).fill('string'),
      'object',
    ]);
    expect(same.counts).toMatchObject({ duplicates: 2, completed: 1, overlapping: 0 });

    const odd = new Reassembler();
    const [, wide] = fragments4(data4, [0, 392, 800, 1000]);
    expect([a, wide, b, c].map((f) => odd.add(f))).toEqual(Array<string>(4).fill('pending'));
    expect(odd.counts).toMatchObject({ overlapping: 1, completed: 0, fragments: 4 });
    // The time over, the identification may be used again.
    const later = fragments4(data4, [0, 400, 800, 1000]).map((f) => ({ ...f, tsMicros: f.tsMicros + 31e6 }));
    expect(later.map((f) => typeof odd.add(f))).toEqual(['string', 'string', 'object']);
  });

  it('counts fragments that cannot be', () => {
    const reassembler = new Reassembler();
    const fragment = (fragmentOffset: number, flags: number, size: number) =>
      frameOf(encodePacket([ETHER, layer('ipv4', { ...V4, fragmentOffset, flags })], new Uint8Array(size)));
    // Not a multiple of 8; beyond 65,535 (the ping of death); the header counts as well.
    for (const frame of [fragment(0, 1, 12), fragment(8189, 0, 100), fragment(8189, 0, 8)]) {
      expect(reassembler.add(frame)).toBe('pending');
    }
    expect(reassembler.counts).toMatchObject({ malformed: 3, fragments: 3 });
    // Beyond the last one, and a second end.
    reassembler.add(fragment(2, 0, 8));
    expect(reassembler.add(fragment(4, 1, 8))).toBe('pending');
    expect(reassembler.counts.malformed).toBe(4);
  });

  it('gives up by time, number and bytes, and counts it', () => {
    const many = (options: ConstructorParameters<typeof Reassembler>[0], n: number) => {
      const reassembler = new Reassembler(options);
      for (let i = 0; i < n; i++) {
        const [first] = fragments4(data4, [0, 800, 1000], { identification: i });
        reassembler.add({ ...first, tsMicros: i * 1e6 });
      }
      return reassembler;
    };
    const byTime = many({ timeoutMicros: 10e6 }, 100);
    expect([byTime.pending, byTime.counts.timedOut]).toEqual([11, 89]);
    const byNumber = many({ maxDatagrams: 5 }, 25);
    expect([byNumber.pending, byNumber.counts.evicted]).toEqual([5, 20]);
    const byBytes = many({ maxBytes: 10_000 }, 25);
    expect(byBytes.pending).toBe(7);
    expect(byBytes.counts.evicted).toBe(18);
    expect([byBytes.finish(), byBytes.pending]).toEqual([7, 0]);
  });

  it('gives the bytes up to the first gap where the capture cut a fragment', () => {
    const [a, b] = fragments4(data4, [0, 800, 1000]);
    const reassembler = new Reassembler();
    reassembler.add({ ...a, data: a.data.subarray(0, 134) });
    const whole = reassembler.add(b) as Frame;
    expect([whole.data.length, whole.wireLen]).toEqual([134, 1034]);
    expect(decodeFrame(whole).problems).toEqual([]);
    expect(payloadLength(decodeFrame(whole))).toBe(992);
  });

  it('never throws, and holds no more than it may', () => {
    const rng = new Rng(9);
    const reassembler = new Reassembler({ maxDatagrams: 20, maxBytes: 20_000 });
    const frames = fragments4(data4, [0, 8, 104, 480, 1000]);
    let completed = 0;
    for (let i = 0; i < 20_000; i++) {
      const data = frames[rng.int(4)].data.slice();
      if (rng.int(2) === 0) data[18 + rng.int(8)] = rng.int(256);
      const answer = reassembler.add({ ...frames[0], data, wireLen: data.length, tsMicros: i * 1000 });
      if (typeof answer === 'object') completed++;
      expect(reassembler.pending).toBeLessThanOrEqual(20);
    }
    expect(completed).toBe(reassembler.counts.completed);
    expect(completed).toBeGreaterThan(50);
  });
});

describe.skipIf(!existsSync(robustness))('real fragments (skipped where ../shared/data is absent)', () => {
  // As many as tshark reassembles.
  it.each([
    ['ipv4-fragmented-syn.pcap', 1],
    ['ipv4-fragments.pcap', 6],
    ['dns-fragmented.pcap', 7],
    ['ipv6-fragmented-dns.pcap', 1],
  ])('%s', async (file, datagrams) => {
    const { frames } = await readCapture(join(robustness, 'valid', file));
    const reassembler = new Reassembler();
    const whole = frames
      .map((frame) => reassembler.add(frame))
      .filter((answer) => typeof answer === 'object');
    expect(whole.length).toBe(datagrams);
    expect(whole.flatMap((frame) => decodeFrame(frame).problems)).toEqual([]);
  });
});
