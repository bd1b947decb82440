import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures, openCapture } from '../../src/capture';
import { getLayout, LAYOUT_NAMES } from '../../src/tokens';
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

describe.each(LAYOUT_NAMES.flatMap((name) => [[name, 'keep'] as const, [name, 'zero'] as const]))(
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

const captures = join(projectRoot, '..', 'shared', 'data', 'pcaps');
describe.skipIf(!existsSync(captures))('real captures (skipped where ../shared/data is absent)', () => {
  it('tokens -> packet -> tokens is the identity for every packet that a layout holds', async () => {
    const codecs = LAYOUT_NAMES.flatMap((name) =>
      (['keep', 'zero'] as const).map((checksums) => {
        const layout = getLayout(name, { checksums });
        return { name, checksums, encoder: layout.encoder(), decoder: layout.decoder() };
      }),
    );
    const refused: Record<string, number> = {};
    const wrong: string[] = [];
    let held = 0;
    for (const file of listCaptures(captures)) {
      for await (const f of await openCapture(file)) {
        for (const { name, checksums, encoder, decoder } of codecs) {
          const first = encoder.encode(f);
          if (!first.ok) {
            if (name === 'compact' && checksums === 'keep')
              refused[first.refusal.code] = (refused[first.refusal.code] ?? 0) + 1;
            continue;
          }
          const packet = decoder.decode(first.bytes);
          const second = packet.ok
            ? encoder.encode({ data: packet.packet.data, wireLen: packet.packet.wireLen, linkType: 1 })
            : packet;
          if (!second.ok || Buffer.compare(first.bytes, second.bytes) !== 0) wrong.push(`${name} ${file}`);
          if (name !== 'compact' || checksums !== 'keep') continue;
          held++;
          const kept = f.data.subarray(0, first.bytes.length);
          if (!packet.ok || Buffer.compare(packet.packet.data, kept) !== 0) wrong.push(`kept bytes ${file}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(held).toBe(190354);
    expect(refused).toEqual({
      link_type: 6591,
      not_ip: 4710,
      not_tcp_or_udp: 924,
      ipv6_extension: 97,
      ip_fragment: 1,
    });
  }, 60000);
});
