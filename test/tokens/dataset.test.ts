import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePcap, writePcapng } from '../../src/capture';
import {
  buildDataset,
  collectInputs,
  decodeTokens,
  encodeSession,
  loadTiming,
  openDataset,
} from '../../src/tokens';
import type { DatasetMeta } from '../../src/tokens';
import { DNS, ETHERNET, frame, hex, tcp } from './frames';

let dir: string;
const ARP = hex(`${ETHERNET} 08 06 00 01`);
/** Capture i of a label: 4 + i packets of two TCP flows, 1,000 µs apart, then DNS and ARP. */
const capture = (i: number) => [
  ...Array.from({ length: 4 + i }, (_, k) => frame(tcp(40000 + (k % 2), 80, 1000 + k), k * 1000)),
  frame(DNS, 20000),
  frame(ARP, 30000),
];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'netssm-tokens-'));
  for (const label of ['mqtt', 'web'])
    for (let i = 0; i < 4; i++) {
      mkdirSync(join(dir, 'captures', label), { recursive: true });
      await writePcap(join(dir, 'captures', label, `${i}.pcap`), capture(i));
    }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const build = (out: string, more: Partial<Parameters<typeof buildDataset>[0]> = {}): Promise<DatasetMeta> =>
  buildDataset({
    inputs: collectInputs(join(dir, 'captures')),
    out: join(dir, out),
    layout: 'compact',
    seed: 3,
    ...more,
  });

describe('buildDataset', () => {
  it('writes a folder that opens, with all counts', async () => {
    const updates: number[] = [];
    const meta = await build('session', { onProgress: (u) => updates.push(u.done / u.total!) });
    expect(meta.totals).toMatchObject({ sources: 8, sequences: 8, frames: 60, packets: 52 });
    expect(meta.refusals).toEqual({ not_ip: 8 });
    // 44 TCP packets of 74 bytes and 8 DNS of 54, each with its <|pkt|>; label and end 8 times.
    expect(meta.totals.tokens).toBe(44 * 75 + 8 * 55 + 8 * 2);
    expect(updates.at(-1)).toBe(1);
    const data = openDataset(join(dir, 'session'), { verify: true });
    expect(data.meta).toEqual(meta);
    expect(data.meta.sources[5]).toMatchObject({
      path: 'web/1.pcap',
      label: 'web',
      frames: 7,
      packets: 6,
      refusals: { not_ip: 1 },
      problems: {},
    });
    for (const [i, sequence] of data.sequences.entries()) {
      expect(data.tokens(i)).toEqual(
        encodeSession(capture(i % 4), sequence.label, data.vocabulary, data.layout).tokens,
      );
    }
    expect(data.tokens(2, 3, 7)).toEqual(data.tokens(2).slice(3, 7));
    expect(new Set(data.sequences.map((s) => s.split))).toEqual(new Set(['train', 'validation']));
    data.close();
    expect(() => data.tokens(0)).toThrow('has been closed');
  });

  it('is the same every time, and another for another option', async () => {
    const hash = async (out: string, more = {}) => (await build(out, more)).contentHash;
    const first = await hash('a');
    expect(await hash('a')).toBe(first);
    expect(await hash('b', { checksums: 'zero' })).not.toBe(first);
    expect(await hash('c', { layout: 'paper-94' })).not.toBe(first);
  });

  it("unit 'flow': one sequence per bidirectional five-tuple", async () => {
    const meta = await build('flow', { unit: 'flow' });
    expect(meta.totals).toMatchObject({ sequences: 24, packets: 52 });
    const data = openDataset(join(dir, 'flow'));
    const first = decodeTokens(data.tokens(0), data.vocabulary, data.layout);
    expect(first.packets.map((p) => p.data)).toEqual([tcp(40000, 80, 1000), tcp(40000, 80, 1002)]);
    data.close();
  });

  it('keeps real inter-arrival times of the training sequences', async () => {
    await build('session');
    const timing = loadTiming(join(dir, 'session', 'timing.json'));
    const web = timing.labels['web'];
    const training = openDataset(join(dir, 'session')).sequences.filter(
      (s) => s.split === 'train' && s.label === 'web',
    );
    expect(web.count).toBe(training.reduce((n, s) => n + s.packets - 1, 0));
    expect(web.quantiles[0]).toBe(1000);
    expect(web.quantiles.at(-1)).toBeGreaterThan(10000);
  });

  it('writes compact-rel without checksums unless told otherwise, one codec a sequence', async () => {
    for (const unit of ['session', 'flow'] as const) {
      const meta = await build(`relative-${unit}`, { layout: undefined, unit });
      expect(meta).toMatchObject({ layout: 'compact-rel', checksums: 'drop' });
      expect(meta.totals.packets).toBe(52);
      expect(meta.totals.tokens / 52).toBeLessThan(unit === 'session' ? 26 : 45);
      const data = openDataset(join(dir, `relative-${unit}`), { verify: true });
      expect(data.layout).toMatchObject({ name: 'compact-rel', checksums: 'drop', stateful: true });
      for (const i of data.sequences.keys()) {
        const back = decodeTokens(data.tokens(i), data.vocabulary, data.layout);
        expect(back.refusals).toEqual([]);
        expect(back.packets).toHaveLength(data.sequences[i].packets);
      }
      data.close();
    }
    const keep = await build('relative-keep', { layout: 'compact-rel', checksums: 'keep' });
    expect(keep.totals.tokens).toBeGreaterThan(52);
    await expect(build('x', { layout: 'compact-rel', checksums: 'zero' })).rejects.toThrow('drop or keep');
  });

  it('keeps the link type of a sequence; frames of another one are refused and counted', async () => {
    const folder = join(dir, 'raw', 'web');
    mkdirSync(folder, { recursive: true });
    const raw = capture(2).map((f) => ({ ...f, data: f.data.subarray(14), linkType: 101 }));
    await writePcapng(join(folder, 'a.pcapng'), [raw[0], frame(tcp(40000, 80, 1)), ...raw.slice(1, 6)]);
    for (const layout of ['compact-rel', 'compact']) {
      const meta = await build('link', { inputs: collectInputs(join(dir, 'raw')), layout });
      expect(meta.sequences).toMatchObject([{ linkType: 101, packets: 6 }]);
      expect(meta.refusals).toEqual({ link_type: 1 });
      const data = openDataset(join(dir, 'link'));
      const { linkType } = data.sequences[0];
      const back = decodeTokens(data.tokens(0), data.vocabulary, data.layout, { linkType });
      expect(back.refusals).toEqual([]);
      expect(back.packets.map((p) => p.linkType)).toEqual(Array(6).fill(101));
      expect(back.packets[0].data.subarray(0, 4)).toEqual(raw[0].data.subarray(0, 4));
      data.close();
    }
    const ethernet = await build('session', { layout: 'compact-rel' });
    expect(ethernet.sequences.some((s) => 'linkType' in s)).toBe(false);
  });

  it('writes a capture whose snaplen cuts TCP options without options, and says so', async () => {
    const folder = join(dir, 'cut', 'web');
    mkdirSync(folder, { recursive: true });
    const cut = capture(2).map((f) => ({ ...f, data: f.data.subarray(0, 60), wireLen: f.wireLen }));
    await writePcap(join(folder, 'a.pcap'), cut);
    const inputs = collectInputs(join(dir, 'cut'));
    const meta = await build('cut-drop', { inputs, layout: 'compact-rel' });
    expect(meta.sources[0].problems).toEqual({ tcp_options_cut: 6 });
    const data = openDataset(join(dir, 'cut-drop'));
    const { packets } = decodeTokens(data.tokens(0), data.vocabulary, data.layout);
    // 20 bytes of options are gone from header and total length.
    expect(packets.slice(0, 6).map((p) => [p.data.length, p.wireLen])).toEqual(Array(6).fill([54, 54]));
    data.close();
    // Kept as captured, byte for byte, where checksums are kept too.
    const exact = await build('cut-keep', { inputs, layout: 'compact-rel', checksums: 'keep' });
    expect(exact.sources[0].problems).toEqual({});
    expect(exact.totals.tokens).toBeGreaterThan(3 * meta.totals.tokens);
  });

  it('takes damaged captures as far as they go, and says so', async () => {
    const damaged = join(dir, 'damaged', 'web');
    mkdirSync(damaged, { recursive: true });
    await writePcap(join(damaged, 'a.pcap'), capture(2));
    truncateSync(join(damaged, 'a.pcap'), 24 + 3 * (16 + 74) + 10);
    writeFileSync(join(damaged, 'b.pcap'), 'no capture');
    const meta = await build('d', { inputs: collectInputs(join(dir, 'damaged')) });
    expect(meta.sources.map((s) => [s.packets, Object.keys(s.problems).length])).toEqual([
      [3, 1],
      [0, 1],
    ]);
  });

  it('says what is wrong', async () => {
    await expect(build('x', { inputs: [] })).rejects.toThrow('no captures given');
    await expect(build('x', { inputs: [{ path: '/nowhere.pcap', label: 'a' }] })).rejects.toThrow(
      'is not a file',
    );
    await expect(build('x', { validationShare: 1 })).rejects.toThrow('validationShare 1');
    const arp = join(dir, 'arp.pcap');
    await writePcap(arp, [frame(ARP)]);
    await expect(build('x', { inputs: [{ path: arp, label: 'a' }] })).rejects.toThrow(
      'none of the 1 captures',
    );
    expect(() => openDataset(join(dir, 'nothing'))).toThrow('is no dataset folder');
    await build('short');
    truncateSync(join(dir, 'short', 'tokens.bin'), 100);
    expect(() => openDataset(join(dir, 'short'))).toThrow('has 100 bytes');
    const bytes = readFileSync(join(dir, 'a', 'tokens.bin'));
    bytes[10] ^= 1;
    writeFileSync(join(dir, 'a', 'tokens.bin'), bytes);
    expect(() => openDataset(join(dir, 'a'), { verify: true })).toThrow('does not have the hash');
  });
});

describe('collectInputs', () => {
  it('takes the label from subfolder, option, CSV or manifest', () => {
    const root = join(dir, 'captures');
    expect(collectInputs(root).map((i) => i.label)).toEqual([
      ...Array(4).fill('mqtt'),
      ...Array(4).fill('web'),
    ]);
    expect(collectInputs([join(root, 'web', '1.pcap')], { label: 'x' })).toEqual([
      { path: join(root, 'web', '1.pcap'), label: 'x' },
    ]);
    const csv = join(dir, 'labels.csv');
    writeFileSync(csv, 'path,label,split\ncaptures/web/0.pcap,"alpha",test\ncaptures/mqtt/1.pcap,beta,\n');
    expect(collectInputs(root, { labelsCsv: csv }).map((i) => [i.label, i.split])).toEqual([
      ['beta', undefined],
      ['alpha', 'test'],
    ]);
    const manifest = join(root, 'manifest.json');
    const files = [
      { path: 'web/0.pcap', label: 'http', split: 'test' },
      { path: 'web/1.pcap', label: 'http', split: 'train' },
    ];
    writeFileSync(manifest, JSON.stringify({ files }));
    expect(
      collectInputs(root)
        .slice(4)
        .map((i) => [i.label, i.split]),
    ).toEqual([
      ['http', 'test'],
      ['http', undefined],
      ['web', undefined],
      ['web', undefined],
    ]);
    rmSync(manifest);
  });

  it('says what is wrong', () => {
    expect(() => collectInputs(join(dir, 'none'))).toThrow('does not exist');
    expect(() => collectInputs(join(dir, 'session'))).toThrow('no captures in');
    const csv = join(dir, 'bad.csv');
    writeFileSync(csv, 'a,b\n');
    expect(() => collectInputs(dir, { labelsCsv: csv })).toThrow('line 1: "a,b" names no path and label');
    writeFileSync(csv, 'path,label\nmissing.pcap,x\n');
    expect(() => collectInputs(dir, { labelsCsv: csv })).toThrow('line 2');
  });
});
