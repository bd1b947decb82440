import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listCaptures, openCapture, PcapWriter, readCapture, writePcapng } from '../../src/capture';
import { NetssmError, Rng } from '../../src/util';
import { bytesOf, pcapHeader, sectionHeader } from './build';

const folder = mkdtempSync(join(tmpdir(), 'netssm-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('listCaptures', () => {
  it('finds captures in folders below, sorted, and nothing else', () => {
    const root = join(folder, 'list');
    for (const path of [
      'b/2.pcapng',
      'b/1.PCAP',
      'a.cap',
      'c/d/x.pcap.gz',
      'c/d/y.pcapng.zst',
      'c/ring.pcap1',
      'c/ring.pcap02.gz',
      'c/phone.dmp',
      'notes.txt',
      'b/1.pcap.csv',
      '.git/y.pcap',
    ]) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), '');
    }
    symlinkSync(root, join(root, 'b', 'loop'));
    symlinkSync(join(root, 'a.cap'), join(root, 'b', 'link.cap'));
    const found = listCaptures(root).map((path) => relative(root, path));
    expect(found).toEqual([
      ...['a.cap', 'b/1.PCAP', 'b/2.pcapng', 'b/link.cap', 'c/d/x.pcap.gz', 'c/d/y.pcapng.zst'],
      ...['c/phone.dmp', 'c/ring.pcap02.gz', 'c/ring.pcap1'],
    ]);
    expect(listCaptures('-')).toEqual(['-']);
    expect(listCaptures(join(root, 'notes.txt'))).toEqual([join(root, 'notes.txt')]);
  });

  it('says what is missing', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const codeOf = (path: string) => {
      try {
        return listCaptures(path).join();
      } catch (error) {
        return [(error as NetssmError).code, (error as NetssmError).exitCode].join(' ');
      }
    };
    expect([codeOf(empty), codeOf(join(folder, 'nowhere'))]).toEqual(['no_captures 2', 'file_unreadable 2']);
  });
});

describe('files that cannot be', () => {
  it('are named when written or read', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => new PcapWriter(join(file, 'x.pcap'))).toThrowError(/cannot write .*x\.pcap/);
    expect(() => writePcapng(join(file, 'x.pcapng'), [])).toThrowError(NetssmError);
    const error = await openCapture(folder).catch((e: unknown) => e as NetssmError);
    expect([(error as NetssmError).code, (error as NetssmError).context.file]).toEqual([
      'file_unreadable',
      folder,
    ]);
  });
});

describe('random bytes behind a right beginning', () => {
  it.each([
    ['pcap', pcapHeader(0xa1b2c3d4)],
    ['pcap, big-endian nanoseconds', pcapHeader(0xa1b23c4d, false)],
    ['pcapng', sectionHeader()],
    ['pcapng, big-endian', sectionHeader(false)],
  ])('%s: end with frames and problems, never an exception', async (_title, start) => {
    const rng = new Rng(4);
    let damaged = 0;
    for (let i = 0; i < 1500; i++) {
      // Small numbers, so that lengths are believable now and then.
      const noise = Uint8Array.from({ length: rng.int(200) }, () =>
        rng.int(3) === 0 ? rng.int(256) : rng.int(4) & rng.int(4),
      );
      const { frames, problems } = await readCapture(bytesOf(start, noise));
      for (const frame of frames) expect(frame.data.length).toBeLessThanOrEqual(noise.length);
      damaged += problems.length > 0 ? 1 : 0;
    }
    expect(damaged).toBeGreaterThan(1000);
  });
});
