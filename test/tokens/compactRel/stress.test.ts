import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Frame } from '../../../src/capture';
import { locateHeaders } from '../../../src/packets';
import { getLayout } from '../../../src/tokens';
import { projectRoot, Rng } from '../../../src/util';
import { frame, SYN, UDP6 } from '../frames';
import { cutTo, framesOf, inSegments, roundTrip, tcpFrame, wrapping } from './sequences';
import type { RoundTrip } from './sequences';

const own = join(projectRoot, 'data', 'captures');
const shared = join(projectRoot, '..', 'shared', 'data', 'pcaps');

/** A few thousand packets: the first of each bundled application, and of real captures where they are. */
async function sample(): Promise<Frame[][]> {
  const labels = readdirSync(own, { withFileTypes: true }).filter((d) => d.isDirectory());
  const paths = labels.map((d) => join(own, d.name, readdirSync(join(own, d.name)).sort()[0]));
  if (existsSync(shared))
    paths.push(
      ...[
        'reddit/but-android71-reddit_cache00.pcap',
        'zoom/ndpi-zoom.pcap',
        'pinterest/ndpi-pinterest-no-facebook.pcap',
      ].map((p) => join(shared, p)),
    );
  return Promise.all(paths.map((p) => framesOf(p, 500)));
}

let captures: Frame[][] = [];
beforeAll(async () => {
  captures = await sample();
});

const total = (trips: readonly RoundTrip[]) => ({
  packets: trips.reduce((n, t) => n + t.packets, 0),
  tokensPerPacket: trips.reduce((n, t) => n + t.tokens, 0) / trips.reduce((n, t) => n + t.packets, 0),
  wrong: trips.flatMap((t) => t.wrong),
});

describe.each(['keep', 'drop'] as const)('exact under stress, checksums %s', (checksums) => {
  const check = (sequences: readonly (readonly Frame[])[]) => {
    const result = total(sequences.map((frames) => roundTrip(frames, checksums)));
    expect(result.wrong).toEqual([]);
    return result;
  };

  it('whole captures, and segments of 25 to 943 packets; shorter ones cost more', () => {
    const lengths = [Infinity, 943, 200, 100, 50, 25];
    const costs = lengths.map((n) =>
      check(n === Infinity ? captures : captures.flatMap((frames) => inSegments(frames, n))),
    );
    expect(new Set(costs.map((c) => c.packets)).size).toBe(1);
    expect(costs[0].packets).toBeGreaterThan(1800);
    expect(costs.at(-1)!.tokensPerPacket).toBeGreaterThan(costs[0].tokensPerPacket + 2);
    expect(costs.at(-1)!.tokensPerPacket).toBeLessThan(22);
  });

  it('a tenth of the packets lost, a tenth swapped', () => {
    const rng = new Rng('stress');
    check(captures.map((frames) => frames.filter(() => rng.uniform() >= 0.1)));
    check(
      captures.map((frames) => {
        const out = frames.slice();
        for (let i = 1; i < out.length; i++)
          if (rng.uniform() < 0.1) [out[i - 1], out[i]] = [out[i], out[i - 1]];
        return out;
      }),
    );
  });

  it('one direction only', () => {
    const up = (f: Frame) => {
      const at = locateHeaders(f.data, f.linkType);
      if (!at.ok || f.data.length < at.ipEnd + 4) return false;
      const port = (k: number) => (f.data[at.ipEnd + k] << 8) | f.data[at.ipEnd + k + 1];
      return port(0) > port(2);
    };
    check(captures.map((frames) => frames.filter(up)));
    check(captures.map((frames) => frames.filter((f) => !up(f))));
  });

  it('sequence numbers that wrap around cost nothing', () => {
    const before = check(captures);
    const after = check(captures.map((frames) => wrapping(frames, 3000)));
    expect(after.packets).toBe(before.packets);
    // Transport checksums are wrong now, which costs tokens where they are kept.
    if (checksums === 'drop') expect(after.tokensPerPacket).toBeCloseTo(before.tokensPerPacket, 1);
  });

  it('snaplen 54 to 68', () => {
    for (let snapLen = 54; snapLen <= 68; snapLen += 2)
      check(captures.map((frames) => cutTo(frames.slice(0, 150), snapLen)));
  });

  it('1,000 interleaved flows of 6 packets, more than any list holds', () => {
    const frames: Frame[] = [];
    for (let round = 0; round < 6; round++)
      for (let flow = 0; flow < 1000; flow++) {
        const up = round % 2 === 0;
        const [client, server] = [0x0a000000 + (flow % 300), 0xc0a80000 + (flow % 7)];
        frames.push(
          tcpFrame({
            from: up ? client : server,
            to: up ? server : client,
            sourcePort: up ? 40000 + flow : 443,
            destinationPort: up ? 443 : 40000 + flow,
            seq: flow * 1e6 + round * 1000,
            ack: round === 0 ? 0 : flow * 1e6 + (round - 1) * 1000 + 1,
            flags: round === 0 ? 2 : round === 1 ? 18 : 16,
            length: round < 2 ? 0 : 500,
            id: (flow * 77 + round) & 0xffff,
          }),
        );
      }
    const { packets, tokensPerPacket } = check([frames]);
    expect(packets).toBe(6000);
    // Nearly every packet opens its flow again (42.3 in the study, with other packets).
    expect(tokensPerPacket).toBeGreaterThan(30);
    expect(tokensPerPacket).toBeLessThan(50);
  });

  it('one host talking to itself, on one port', () => {
    const self = { from: 0x7f000001, to: 0x7f000001, sourcePort: 7, destinationPort: 7 };
    check([[1, 2, 3].map((k) => tcpFrame({ ...self, seq: k * 100, ack: 5, flags: 16, length: 100 }))]);
  });
});

describe('other link types', () => {
  const bare = [SYN, SYN, UDP6].map((d) => d.subarray(14));
  const behind = (link: (version: number) => number[], linkType: number): Frame[] =>
    bare.map((ip) => ({ ...frame(Uint8Array.from([...link(ip[0] >> 4), ...ip])), linkType }));
  const type = (version: number) => (version === 4 ? [8, 0] : [0x86, 0xdd]);
  it.each([
    ['raw IP, 12', 12, () => []],
    ['raw IP, 101', 101, () => []],
    ['null, little-endian', 0, (v: number) => [v === 4 ? 2 : 30, 0, 0, 0]],
    ['null, big-endian', 0, (v: number) => [0, 0, 0, v === 4 ? 2 : 28]],
    ['loop', 108, (v: number) => [0, 0, 0, v === 4 ? 2 : 24]],
    ['cooked v1', 113, (v: number) => [0, 4, 0, 1, 0, 6, 2, 1, 2, 3, 4, 5, 0, 0, ...type(v)]],
    ['cooked v2', 276, (v: number) => [...type(v), 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 1, 2, 3, 4, 5, 0, 0]],
  ])('%s', (_, linkType, link) => {
    const frames = behind(link as (version: number) => number[], linkType);
    expect(roundTrip(frames, 'keep')).toMatchObject({ packets: 3, raw: 0, wrong: [], refused: {} });
    const layout = getLayout('compact-rel');
    const first = layout.encoder({ linkType }).encode(frames[0]);
    if (!first.ok) throw new Error(first.refusal.code);
    const decoded = layout.decoder({ linkType }).decode(first.bytes);
    expect(decoded).toMatchObject({
      ok: true,
      packet: { linkType, data: frames[0].data, wireLen: frames[0].data.length },
    });
  });

  it('the unused bytes of a Linux cooked address are zero, whatever they were', () => {
    const frames = behind((v) => [0, 4, 0, 1, 0, 6, 2, 1, 2, 3, 4, 5, 0xab, 0xcd, ...type(v)], 113);
    const layout = getLayout('compact-rel', { checksums: 'keep' });
    const encoder = layout.encoder({ linkType: 113 });
    const decoder = layout.decoder({ linkType: 113 });
    for (const f of frames) {
      const encoded = encoder.encode(f);
      const decoded = encoded.ok ? decoder.decode(encoded.bytes) : encoded;
      if (!decoded.ok) throw new Error(decoded.refusal.code);
      const expected = f.data.slice();
      expected.fill(0, 12, 14);
      expect(decoded.packet.data).toEqual(expected);
    }
    expect(frames[0].data[12]).toBe(0xab);
  });
});

describe('withoutTcpOptions', () => {
  it('writes TCP packets as if they had no options, with the length of their payload', () => {
    const layout = getLayout('compact-rel');
    const options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    const there = { from: 1, to: 2, sourcePort: 5000, destinationPort: 80, ack: 9, flags: 16 };
    const cut = tcpFrame({ ...there, seq: 7, length: 100, options });
    const encoder = layout.encoder({ withoutTcpOptions: true });
    for (const data of [cut.data, cut.data.subarray(0, 60), cut.data.subarray(0, 54)]) {
      const encoded = layout.encoder({ withoutTcpOptions: true }).encode({ ...cut, data });
      const plain = layout.encoder().encode(tcpFrame({ ...there, seq: 7, length: 100 }));
      expect(encoded).toEqual(plain);
    }
    expect(encoder.encode({ ...cut, data: cut.data.subarray(0, 53) })).toMatchObject({
      refusal: { code: 'transport_cut' },
    });
  });
});
