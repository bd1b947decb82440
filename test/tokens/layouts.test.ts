import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures, openCapture } from '../../src/capture';
import type { Frame } from '../../src/capture';
import { checksumOptions, defaultChecksums, getLayout, LAYOUT_NAMES } from '../../src/tokens';
import type { Layout } from '../../src/tokens';
import { projectRoot, Rng } from '../../src/util';
import { DNS, ETHERNET, frame, hex, SYN, tagged, UDP6 } from './frames';

const encode = (data: Uint8Array, name = 'compact', checksums: 'keep' | 'zero' = 'keep') => {
  const result = getLayout(name, { checksums }).encoder().encode(frame(data));
  if (!result.ok) throw new Error(result.refusal.code);
  return result.bytes;
};
const decode = (bytes: Uint8Array, name = 'compact', checksums: 'keep' | 'zero' = 'keep') =>
  getLayout(name, { checksums }).decoder().decode(bytes);
const problems = (bytes: Uint8Array, name = 'compact', checksums: 'keep' | 'zero' = 'keep') => {
  const result = decode(bytes, name, checksums);
  return result.ok ? result.packet.problems.map((p) => `${p.code}@${p.offset}`) : [`!${result.refusal.code}`];
};
const join2 = (...parts: (Uint8Array | number[])[]) => Uint8Array.from(parts.flatMap((p) => [...p]));

describe('compact', () => {
  it('keeps headers, no TCP payload, no Ethernet padding', () => {
    expect(encode(join2(SYN, [1, 2, 3]))).toEqual(SYN);
    expect(encode(UDP6)).toEqual(UDP6);
  });

  it('keeps at most 12 bytes of UDP payload, and no more than the UDP length tells of', () => {
    expect(encode(DNS)).toEqual(DNS.subarray(0, 54));
    const short = join2(DNS.subarray(0, 42), [7, 7, 7, 9, 9, 9]);
    short[39] = 8 + 3;
    expect(encode(short)).toEqual(short.subarray(0, 45));
  });

  it('decodes the length on the wire from the IP header', () => {
    const data = SYN.slice();
    data[16] = 5; // total length 0x053c = 1340
    expect(decode(encode(data))).toMatchObject({ ok: true, packet: { wireLen: 14 + 1340, problems: [] } });
    expect(decode(encode(UDP6))).toMatchObject({ ok: true, packet: { wireLen: 62 } });
    expect(decode(encode(tagged(SYN, '81 00 00 01')))).toMatchObject({ ok: true, packet: { wireLen: 78 } });
  });

  it('names what is odd and keeps the packet', () => {
    expect(problems(SYN)).toEqual([]);
    expect(problems(SYN.subarray(0, 60))).toEqual(['header_cut@60']);
    expect(problems(join2(SYN, [0]))).toEqual(['trailing_bytes@74']);
    expect(decode(join2(SYN, [0]))).toMatchObject({ packet: { data: SYN } });
    const bad = SYN.slice();
    bad[17] = 39;
    bad[46] = 0x42;
    expect(problems(bad.subarray(0, 54))).toEqual(['ip_total_length@16', 'tcp_data_offset@46']);
    const udp = DNS.slice(0, 54);
    udp[39] = 28;
    expect(problems(udp)).toEqual(['udp_length@38']);
  });

  it('refuses what is no TCP or UDP packet, with code, place and words', () => {
    expect(decode(hex('01 02 03'))).toEqual({
      ok: false,
      refusal: {
        code: 'ethernet_cut',
        layer: 'compact',
        offset: 3,
        message: '3 bytes end inside the Ethernet header',
      },
    });
    expect(problems(hex(`${ETHERNET} 08 06 00 01`))).toEqual(['!not_ip']);
  });
});

describe('paper-94', () => {
  it('pads with zeros to 94, and cuts to 94', () => {
    expect(encode(SYN, 'paper-94')).toEqual(join2(SYN, new Uint8Array(20)));
    const long = tagged(SYN, ...Array<string>(4).fill('81 00 00 01'));
    const full = join2(long, new Uint8Array(20).fill(1));
    full[14 + 16 + 20 + 12] = 0xf0; // 60 bytes of TCP header: 110 in all
    expect(encode(full, 'paper-94')).toEqual(full.subarray(0, 94));
    expect(problems(full.subarray(0, 94), 'paper-94')).toEqual(['header_cut@94', 'ip_total_length@32']);
  });

  it('trims to what the headers tell of', () => {
    expect(decode(encode(SYN, 'paper-94'), 'paper-94')).toMatchObject({ packet: { data: SYN, wireLen: 74 } });
    expect(decode(encode(DNS, 'paper-94'), 'paper-94')).toMatchObject({
      packet: { data: DNS.subarray(0, 54), wireLen: 61 },
    });
  });

  it('names runs of another length and padding that is not zero', () => {
    const bytes = encode(SYN, 'paper-94');
    expect(problems(bytes)).toEqual(['trailing_bytes@74']);
    expect(problems(bytes.subarray(0, 93), 'paper-94')).toEqual(['run_length@93']);
    bytes[80] = 1;
    expect(problems(bytes, 'paper-94')).toEqual(['padding_not_zero@74']);
  });
});

describe("checksums: 'zero'", () => {
  it('writes 0 into the tokens and the right sums into the packet', () => {
    const bytes = encode(SYN, 'compact', 'zero');
    expect([bytes[24], bytes[25], bytes[50], bytes[51]]).toEqual([0, 0, 0, 0]);
    expect(decode(bytes, 'compact', 'zero')).toMatchObject({ packet: { data: SYN, problems: [] } });
    expect(problems(SYN, 'compact', 'zero')).toEqual(['checksum_not_zero@24', 'checksum_not_zero@50']);
  });

  it('leaves a transport checksum 0 where the payload is not there', () => {
    const result = decode(encode(DNS, 'compact', 'zero'), 'compact', 'zero');
    if (!result.ok) throw new Error(result.refusal.code);
    expect([...result.packet.data.subarray(24, 26)]).toEqual([0x66, 0xbb]);
    expect([...result.packet.data.subarray(40, 42)]).toEqual([0, 0]);
  });

  it('computes UDP over IPv6', () => {
    const result = decode(encode(UDP6, 'compact', 'zero'), 'compact', 'zero');
    if (!result.ok) throw new Error(result.refusal.code);
    // fe80::1 + fe80::2 + 8 + 17 + ports + length = 0x1fd00 + 3 + 0x19 + 0xc036 + 8, folded and inverted.
    const sum = 0xfe80 * 2 + 1 + 2 + 8 + 17 + 0xc001 + 0x35 + 8;
    const expected = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    expect((result.packet.data[60] << 8) | result.packet.data[61]).toBe(expected);
  });
});

describe('paper-106 and release-128', () => {
  it.each([
    ['paper-106', 106],
    ['release-128', 128],
  ])('%s: %d bytes', (name, width) => {
    expect(encode(SYN, name)).toEqual(join2(SYN, new Uint8Array(width - 74)));
    expect(decode(encode(SYN, name), name)).toMatchObject({
      packet: { data: SYN, wireLen: 74, problems: [] },
    });
    const long = encode(tagged(SYN, ...Array<string>(4).fill('81 00 00 01')), name);
    expect(long).toHaveLength(width);
    // IPv6 and UDP with 12 bytes of payload: 74 bytes, held by both.
    expect(decode(encode(UDP6, name), name)).toMatchObject({ packet: { data: UDP6, problems: [] } });
    expect(problems(encode(SYN, name).subarray(1), name)).not.toEqual([]);
    expect(getLayout(name)).toMatchObject({ maxBytes: width, endOfText: false, stateful: false });
  });

  it('cut what exceeds them: IPv6 with 60 bytes of TCP header is 114', () => {
    const tcp6 = join2(UDP6.subarray(0, 54), SYN.subarray(34, 54), new Uint8Array(40).fill(1));
    tcp6[19] = 60;
    tcp6[20] = 6;
    tcp6[66] = 0xf0;
    expect(encode(tcp6, 'paper-106')).toEqual(tcp6.subarray(0, 106));
    expect(problems(encode(tcp6, 'paper-106'), 'paper-106')).toEqual(['header_cut@106']);
    expect(decode(encode(tcp6, 'release-128'), 'release-128')).toMatchObject({
      packet: { data: tcp6, problems: [] },
    });
  });
});

describe('getLayout', () => {
  it('knows which checksums belong to which layout', () => {
    expect(LAYOUT_NAMES).toEqual(['compact-rel', 'compact', 'paper-94', 'paper-106', 'release-128']);
    expect(getLayout()).toMatchObject({ name: 'compact-rel', checksums: 'drop', stateful: true });
    for (const name of LAYOUT_NAMES) {
      expect(defaultChecksums(name)).toBe(name === 'compact-rel' ? 'drop' : 'keep');
      for (const checksums of checksumOptions(name))
        expect(getLayout(name, { checksums }).checksums).toBe(checksums);
    }
    expect(() => getLayout('compact-rel', { checksums: 'zero' })).toThrow(
      'layout compact-rel takes checksums drop or keep, not "zero"',
    );
    expect(() => getLayout('compact', { checksums: 'drop' })).toThrow(
      'takes checksums keep or zero, not "drop"',
    );
    expect(() => getLayout('paper-95')).toThrow('unknown layout "paper-95"');
  });

  it('tells which first bytes should not be sampled', () => {
    const { forbiddenFirstBytes } = getLayout('compact-rel');
    expect(forbiddenFirstBytes).toHaveLength(31);
    expect([223, 224, 253, 254, 255].map((b) => forbiddenFirstBytes.includes(b))).toEqual([
      false,
      true,
      true,
      false,
      true,
    ]);
    expect(getLayout('compact').forbiddenFirstBytes).toEqual([]);
  });

  it('link types: all layouts hold Ethernet, ours the others too', () => {
    const raw = { data: SYN.subarray(14), wireLen: 60, linkType: 101 };
    const refused = { ok: false, refusal: { code: 'link_type', offset: 0 } };
    for (const name of LAYOUT_NAMES) {
      const layout = getLayout(name, { checksums: 'keep' });
      expect(layout.encoder().encode(raw)).toMatchObject(refused);
      expect(layout.encoder({ linkType: 101 }).encode(frame(SYN))).toMatchObject(refused);
      const encoded = layout.encoder({ linkType: 101 }).encode(raw);
      if (name.startsWith('compact')) {
        if (!encoded.ok) throw new Error(encoded.refusal.code);
        expect(layout.decoder({ linkType: 101 }).decode(encoded.bytes)).toEqual({
          ok: true,
          packet: { data: raw.data, wireLen: 60, linkType: 101, problems: [] },
        });
      } else {
        expect(encoded).toMatchObject(refused);
        expect(() => layout.decoder({ linkType: 101 })).toThrow(
          `layout ${name} holds no packets of link type 101`,
        );
      }
    }
  });
});

const OPTIONS = LAYOUT_NAMES.flatMap((name) => checksumOptions(name).map((c) => [name, c] as const));

describe.each(OPTIONS.filter(([name]) => name !== 'compact-rel'))(
  '%s with checksums %s',
  (name, checksums) => {
    it('decodes any bytes without throwing, and what decodes is stable from the second round on', () => {
      const rng = new Rng(7);
      const layout = getLayout(name, { checksums });
      const wrong: string[] = [];
      let decoded = 0;
      for (let i = 0; i < 5000; i++) {
        const base = [SYN, DNS, UDP6, tagged(SYN, '81 00 00 05')][rng.int(4)];
        const run = join2(base.subarray(0, rng.int(base.length + 1)), Array(rng.int(30)).fill(0) as number[]);
        for (let k = rng.int(4); k > 0 && run.length > 0; k--) run[rng.int(run.length)] = rng.int(256);
        const first = layout.decoder().decode(run);
        if (!first.ok) continue;
        decoded++;
        if (first.packet.wireLen < first.packet.data.length) wrong.push(Buffer.from(run).toString('hex'));
        const again = layout.encoder().encode(frame(first.packet.data));
        if (!again.ok) throw new Error(`${again.refusal.code}: ${Buffer.from(run).toString('hex')}`);
        const second = layout.decoder().decode(again.bytes);
        if (!second.ok) throw new Error(second.refusal.code);
        // A run shorter than the layout's width is written at full width the second time.
        if (first.packet.problems.some((p) => p.code === 'run_length')) continue;
        if (Buffer.compare(second.packet.data, first.packet.data) !== 0)
          wrong.push(Buffer.from(run).toString('hex'));
      }
      expect(wrong).toEqual([]);
      expect(decoded).toBeGreaterThan(1200);
    });
  },
);

/** Most tokens a packet in `compact-rel` with `drop`, and counts; every sixteenth packet in the other layouts. */
const folders = [
  [
    'data/captures',
    join(projectRoot, 'data', 'captures'),
    16,
    { frames: 40498, packets: 40498, refused: {} },
  ],
  [
    '../shared/data/pcaps',
    join(projectRoot, '..', 'shared', 'data', 'pcaps'),
    11,
    {
      frames: 202677,
      packets: 196641,
      refused: { not_tcp_or_udp: 944, not_ip: 4994, ipv6_extension: 97, ip_fragment: 1 },
    },
  ],
  [
    '../shared/data/robustness/valid',
    join(projectRoot, '..', 'shared', 'data', 'robustness', 'valid'),
    12,
    { packets: 2791, refused: { ip_fragment: 46 } },
  ],
] as const;

/** What a folder's captures became in one layout. */
interface Counts {
  frames: number;
  packets: number;
  tokens: number;
  refused: Record<string, number>;
  wrong: string[];
}

/** tokens -> packet -> tokens of one frame. */
class Codec {
  readonly counts: Counts = { frames: 0, packets: 0, tokens: 0, refused: {}, wrong: [] };
  private encoder!: ReturnType<Layout['encoder']>;
  private again!: ReturnType<Layout['encoder']>;
  private decoder: ReturnType<Layout['decoder']> | undefined;

  constructor(
    readonly layout: Layout,
    private readonly exact: boolean,
  ) {}

  begin(linkType: number): void {
    this.encoder = this.layout.encoder({ linkType });
    this.again = this.layout.encoder({ linkType });
    this.decoder = this.layout.linkTypes.includes(linkType) ? this.layout.decoder({ linkType }) : undefined;
  }

  private wrong(file: string, why: string): void {
    const { name, checksums } = this.layout;
    this.counts.wrong.push(`${name} ${checksums} ${file} packet ${this.counts.frames - 1}: ${why}`);
  }

  take(f: Frame, file: string): void {
    const { counts } = this;
    if (counts.frames++ % 16 !== 0 && !this.layout.stateful) return;
    const first = this.encoder.encode(f);
    if (!first.ok) {
      counts.refused[first.refusal.code] = (counts.refused[first.refusal.code] ?? 0) + 1;
      return;
    }
    counts.packets++;
    counts.tokens += first.bytes.length + 1;
    const decoded = this.decoder?.decode(first.bytes);
    if (!decoded?.ok) {
      this.wrong(file, decoded?.refusal.code ?? 'no decoder');
      return;
    }
    const second = this.again.encode(decoded.packet);
    if (!second.ok || Buffer.compare(first.bytes, second.bytes) !== 0) this.wrong(file, 'tokens');
    const { data } = decoded.packet;
    // Two bytes of a Linux cooked header are not kept.
    const kept = f.linkType === 113 ? 16 : 0;
    if (this.exact && Buffer.compare(data.subarray(kept), f.data.subarray(kept, data.length)) !== 0)
      this.wrong(file, 'bytes');
  }
}

describe.each(folders)('real captures of %s', (_, folder, most, expected) => {
  it.skipIf(!existsSync(folder))(
    'every layout gives tokens -> packets -> tokens (skipped where absent)',
    async () => {
      const codecs = OPTIONS.map(
        ([layout, checksums]) =>
          new Codec(getLayout(layout, { checksums }), checksums === 'keep' && layout.startsWith('compact')),
      );
      for (const file of listCaptures(folder)) {
        let begun = false;
        for await (const f of await openCapture(file)) {
          if (!begun) for (const codec of codecs) codec.begin(f.linkType);
          begun = true;
          for (const codec of codecs) codec.take(f, file);
        }
      }
      expect(codecs.flatMap((c) => c.counts.wrong).slice(0, 5)).toEqual([]);
      const of = (layout: string, checksums: string) =>
        codecs.find((c) => c.layout.name === layout && c.layout.checksums === checksums)!.counts;
      const relative = of('compact-rel', 'keep');
      expect(of('compact-rel', 'drop')).toMatchObject({
        packets: relative.packets,
        refused: relative.refused,
      });
      expect(relative).toMatchObject(expected);
      expect(of('compact-rel', 'drop').tokens / relative.packets).toBeLessThan(most);
    },
    120000,
  );
});
