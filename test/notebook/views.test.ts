import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { table as arquero } from 'arquero';
import { readCapture } from '../../src/capture';
import { toSession } from '../../src/flows';
import {
  changedFields,
  damageStudy,
  gapsSeconds,
  layoutCosts,
  readByLabel,
  richBundle,
  roundTrip,
  show,
  tableBundle,
} from '../../src/notebook';
import { decodeFrame } from '../../src/packets';
import { getLayout } from '../../src/tokens';
import { projectRoot } from '../../src/util';

const web = join(projectRoot, 'data', 'captures', 'web', 'web-16.pcap');

describe('values that show themselves', () => {
  test('captures, packets, sessions and flows', async () => {
    const capture = await readCapture(web);
    expect(richBundle(capture)?.['text/plain']).toMatch(/^pcap, link type .*, 324 packets; the first 12\n/);
    expect(richBundle(decodeFrame(capture.frames[2]))?.['text/html']).toContain('netssm-packet');
    const session = toSession('web-16', capture.frames);
    expect(richBundle(session)?.['text/plain']).toMatch(/^web-16: 324 packets, 7 flows/);
    expect(richBundle(session.flows[1])?.['text/plain']).toContain('203.0.113.10:80');
  });

  test('arquero and danfo tables', () => {
    const bundle = richBundle(
      arquero({ a: Array.from({ length: 20 }, (_, i) => i), b: 'abcdefghijklmnopqrst'.split('') }),
    );
    expect(bundle?.['text/plain']).toMatch(/^20 rows, 2 columns; the first 12\n a {2}b\n/);
    const frame = { columns: ['x'], index: ['mean'], values: [[1.5]], shape: [1, 1], ctypes: {} };
    expect(richBundle(frame)?.['text/plain']).toContain('mean  1.5');
  });

  test('other values do not', () => {
    for (const value of [undefined, null, 1, 'a', [1], { a: 1 }, { frames: [] }, new Map()])
      expect(richBundle(value)).toBe(undefined);
  });

  test('numbers stand on the right, also where some are missing; mixed columns and empty ones on the left', () => {
    const bundle = tableBundle([
      { name: 'a', n: 1234, share: 0.5, mixed: 1, none: null, text: '73,728' },
      { name: 'b', n: null, share: undefined, mixed: 'x', none: null, text: '' },
      { name: 'c', n: 7, share: '', mixed: 2, none: null, text: '0.0207' },
    ]);
    expect(bundle['text/plain']).toBe(
      [
        'name     n  share  mixed  none    text',
        '----  ----  -----  -----  ----  ------',
        'a     1234    0.5  1            73,728',
        'b                  x',
        'c        7         2            0.0207',
      ].join('\n'),
    );
    const sides = [...String(bundle['text/html']).matchAll(/<th style="text-align:(\w+)"/g)].map(
      ([, side]) => side,
    );
    expect(sides).toEqual(['left', 'right', 'right', 'left', 'left', 'right']);
  });

  test('tables without rows say so', () => {
    expect(tableBundle([], { caption: 'flows' })['text/plain']).toBe('flows: no rows');
  });

  afterEach(() => vi.restoreAllMocks());
  test('show prints text outside a notebook', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    show({ a: 1 });
    show(arquero({ a: [1] }));
    expect(log.mock.calls[0]).toEqual([{ a: 1 }]);
    expect(log.mock.calls[1][0]).toContain('1 rows, 1 columns');
  });
});

describe('studies', () => {
  test('inputs by label: files and parts of files', async () => {
    const bytes = readFileSync(web);
    const folder = mkdtempSync(join(tmpdir(), 'netssm-views-'));
    const packed = join(folder, 'packed.bin');
    writeFileSync(packed, Buffer.concat([Buffer.alloc(100), bytes]));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const part = { offset: 100, bytes: bytes.length, sha256 };
    const inputs = [
      { path: packed, label: 'part', name: 'inside', part },
      { path: web, label: 'whole' },
      { path: web, label: 'whole' },
    ];
    const found = await readByLabel(inputs, 1);
    expect(Object.entries(found).map(([label, own]) => [label, own.map((frames) => frames.length)])).toEqual([
      ['part', [324]],
      ['whole', [324]],
    ]);
    rmSync(folder, { recursive: true });
  });

  test('times between packets', () => {
    const at = (tsMicros: number) => ({
      data: new Uint8Array(0),
      wireLen: 0,
      tsMicros,
      tsNanos: 0,
      linkType: 1,
      interfaceId: 0,
    });
    expect(gapsSeconds([at(3e6), at(1e6), at(1.5e6)])).toEqual([0.5, 1.5]);
  });

  test('round trips: exact with checksums kept, else only checksums differ', async () => {
    const { frames } = await readCapture(web);
    expect(roundTrip(frames, getLayout('compact-rel', { checksums: 'keep' }))).toMatchObject({
      packets: 324,
      identical: 324,
      refused: 0,
      changed: {},
    });
    const dropped = roundTrip(frames, getLayout());
    expect(Object.keys(dropped.changed).sort()).toEqual(['tcp checksum', 'udp checksum']);
    expect(dropped.identical + dropped.changed['tcp checksum'] + dropped.changed['udp checksum']).toBe(324);
  });

  test('names the fields that differ', async () => {
    const { frames } = await readCapture(web);
    const data = frames[2].data.slice();
    expect(changedFields(frames[2], { data })).toEqual([]);
    data[37]++;
    data[22]++;
    expect(changedFields(frames[2], { data })).toEqual(['ipv4 timeToLive', 'tcp destinationPort']);
  });

  test('tokens a packet: fixed widths and what is measured', async () => {
    const { frames } = await readCapture(web);
    const costs = layoutCosts(
      { web: [frames] },
      ['compact-rel', 'paper-94'].map((name) => getLayout(name)),
    );
    expect(costs.map(({ tokensPerPacket }) => Math.round(tokensPerPacket))).toEqual([6, 95]);
    expect(costs[0].packets).toBe(324);
  });

  test('damage: every try is counted once, the same seed gives the same, heads are noticed and windows are not', async () => {
    const frames = (await readCapture(web)).frames.slice(0, 40);
    const study = () => damageStudy(frames, getLayout(), { tries: 200, seed: 3 });
    const rows = study();
    expect(rows).toEqual(study());
    expect(rows.reduce((sum, { tries }) => sum + tries, 0)).toBe(200);
    const head = rows.find(({ field }) => field === 'head')!;
    const window = rows.find(({ field }) => field === 'window')!;
    expect(head.refused / head.tries).toBeGreaterThan(0.9);
    expect(window.refused).toBe(0);
    expect(window.anotherPacket).toBe(window.tries);
  });
});
