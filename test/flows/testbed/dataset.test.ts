import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/capture';
import {
  isTestbedSet,
  loadDataset,
  TESTBED_SET,
  testbedSetOf,
  toSession,
  unpackDataset,
} from '../../../src/flows';
import { NetssmError } from '../../../src/util';
import { makePackedSet, storedZstd } from './packedSet';

let set: string;
beforeAll(() => {
  set = makePackedSet();
});

const copyOf = (folder: string): string => {
  const copy = join(mkdtempSync(join(tmpdir(), 'netssm-packed-')), 'set');
  cpSync(folder, copy, { recursive: true });
  return copy;
};

const errorOf = (work: () => unknown): NetssmError => {
  try {
    work();
  } catch (error) {
    if (error instanceof NetssmError) return error;
    throw error;
  }
  throw new Error('no error');
};

describe('loadDataset', () => {
  test('gives sessions in the order of the manifest, with what the manifest tells', () => {
    const { classes, sessions, dir, manifest } = loadDataset(set);
    expect(dir).toBe(set);
    expect(manifest.files).toHaveLength(7);
    expect(classes).toEqual(['dash', 'hls', 'sip']);
    expect(sessions).toHaveLength(18);
    const { id, label, service, split, packets } = sessions[5];
    expect({ id, label, service, split, packets }).toEqual({
      id: 'dash-test-002', label: 'dash', service: 'streaming', split: 'test', packets: 3 + 2 * 8 + 3,
    }); // prettier-ignore
  });

  test('selects split and classes', () => {
    const { classes, sessions } = loadDataset(set, { split: 'test', classes: ['sip', 'dash'] });
    expect(classes).toEqual(['dash', 'sip']);
    expect(sessions.map((s) => s.id)).toEqual([
      'dash-test-001',
      'dash-test-002',
      'sip-test-001',
      'sip-test-002',
    ]);
  });

  test('reads packets of one session, cut to headers, with their lengths on the wire', () => {
    const [, session] = loadDataset(set, { classes: ['hls'] }).sessions;
    const frames = session.frames();
    expect(frames).toHaveLength(session.packets);
    expect(frames.map((f) => f.wireLen).slice(2, 6)).toEqual([54, 154, 1054, 154]);
    expect(new Set(frames.map((f) => f.data.length))).toEqual(new Set([54]));
    expect(frames[3].tsMicros - frames[0].tsMicros).toBe(7500);
    expect(frames[0].tsMicros).toBe(session.truth.began * 1e6);
    // Read again, it is the same.
    expect(session.frames()[5].data).toEqual(frames[5].data);
  });

  test('has the ground truth of each session, whatever was selected', () => {
    for (const session of loadDataset(set, { split: 'test' }).sessions) {
      const { truth } = session;
      expect([truth.id, truth.application, truth.split, truth.packets]).toEqual([
        session.id, session.label, 'test', session.packets,
      ]); // prettier-ignore
      const [flow] = toSession(session.id, session.frames()).flows;
      expect(truth.flows[0].clientPort).toBe(truth.objects[0].clientPort);
      expect(truth.flows[0].packetsUp + truth.flows[0].packetsDown).toBe(flow.frames.length);
    }
  });

  test('shows itself in one line', () => {
    const dataset = loadDataset(set);
    expect(inspect(dataset)).toMatch(
      /^netssm testbed: 18 sessions \(12 train, 6 test\) of 3 classes, 522 packets, 18 flows, [\d.]+ s, [\d.]+ kB packed$/,
    );
    expect(inspect({ session: dataset.sessions[0] })).toBe(
      '{\n  session: dash-train-001: dash (streaming, train), 12 packets in 1 flow, 0.0 s\n}',
    );
  });

  test('knows its own folders, and files in them', () => {
    expect(isTestbedSet(set)).toBe(true);
    expect(isTestbedSet(join(set, '..'))).toBe(false);
    expect(isTestbedSet(join(__dirname, '..', '..', '..', 'data', 'captures'))).toBe(false);
    expect(testbedSetOf(join(set, 'dash-test.pcapng.zst'))).toBe(set);
    expect(testbedSetOf(join(set, 'manifest.json'))).toBeUndefined();
  });
});

describe('loadDataset of what is not whole', () => {
  test('an absent set says how to get it', () => {
    const error = errorOf(() => loadDataset(join(set, 'nowhere')));
    expect([error.code, error.exitCode]).toEqual(['testbed_missing', 2]);
    expect(error.hint).toContain('make.mjs');
  });

  test('another manifest is not taken for one', () => {
    const error = errorOf(() => loadDataset(join(__dirname, '..', '..', '..', 'data', 'captures')));
    expect(error.code).toBe('testbed_invalid');
  });

  test('a cut file is found at once, and named', () => {
    const copy = copyOf(set);
    truncateSync(join(copy, 'hls-test.pcapng.zst'), 1000);
    const error = errorOf(() => loadDataset(copy));
    expect(error.code).toBe('testbed_damaged');
    expect(error.message).toMatch(
      /hls-test\.pcapng\.zst is cut: it has 1000 bytes, manifest\.json tells of \d+$/,
    );
    // The others can be read.
    expect(loadDataset(copy, { classes: ['dash'], verify: true }).sessions).toHaveLength(6);
  });

  test('a missing file is named', () => {
    const copy = copyOf(set);
    rmSync(join(copy, 'sip-train.pcapng.zst'));
    expect(errorOf(() => loadDataset(copy)).message).toContain('sip-train.pcapng.zst is missing');
  });

  test('a changed byte: verify finds it when opening, else reading the session does', () => {
    const copy = copyOf(set);
    const path = join(copy, 'dash-train.pcapng.zst');
    const content = readFileSync(path);
    const { offset } = loadDataset(copy).manifest.sessions[2];
    content[offset + 60] ^= 1;
    writeFileSync(path, content);
    expect(errorOf(() => loadDataset(copy, { verify: true })).message).toMatch(
      /dash-train.*: sha256 [0-9a-f]{64}, manifest/,
    );
    const { sessions } = loadDataset(copy);
    expect(sessions[1].frames()).toHaveLength(14);
    const error = errorOf(() => sessions[2].frames());
    expect(error.code).toBe('testbed_damaged');
    expect(error.message).toMatch(/bytes \d+ to \d+ \(dash-train-003\): sha256/);
  });

  test('ground truth of another set is refused', () => {
    const copy = copyOf(set);
    const path = join(copy, 'sessions.jsonl.br');
    const { size } = { size: readFileSync(path).length };
    // The same length, another content.
    const other = brotliCompressSync('{"id":"another"}\n');
    writeFileSync(path, other);
    appendFileSync(path, Buffer.alloc(size - other.length));
    expect(errorOf(() => loadDataset(copy).sessions[0].truth).code).toBe('testbed_damaged');
    expect(errorOf(() => loadDataset(copy, { verify: true })).message).toContain('sessions.jsonl.br: sha256');
  });

  test('unknown classes and splits list what there is', () => {
    const error = errorOf(() => loadDataset(set, { classes: ['dash', 'ftp'] }));
    expect([error.code, error.exitCode, error.hint]).toEqual(['class_unknown', 2, 'It has dash, hls, sip.']);
    expect(error.message).toContain('no class ftp');
    expect(errorOf(() => loadDataset(set, { classes: [] })).code).toBe('class_unknown');
    expect(errorOf(() => loadDataset(set, { split: 'validation' as 'test' })).code).toBe('split_unknown');
  });
});

describe('unpackDataset', () => {
  test('writes a capture a session, the same packets, and a manifest with the split', async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'netssm-unpacked-')), 'out');
    const { files, unpacked } = await unpackDataset(set, { out, split: 'test' });
    expect(unpacked.complete).toBe(true);
    expect(files.map((f) => f.path)).toEqual([
      'dash/dash-test-001.pcap', 'dash/dash-test-002.pcap', 'hls/hls-test-001.pcap', 'hls/hls-test-002.pcap',
      'sip/sip-test-001.pcap', 'sip/sip-test-002.pcap',
    ]); // prettier-ignore
    const [session] = loadDataset(set, { split: 'test', classes: ['hls'] }).sessions;
    const { frames } = await readCapture(join(out, files[2].path));
    const facts = (list: typeof frames) =>
      list.map((f) => [f.tsMicros, f.wireLen, Buffer.from(f.data).toString('hex')]);
    expect(facts(frames)).toEqual(facts(session.frames()));
  });

  test('continues: what is whole is kept, what is damaged is written again, more classes are added', async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'netssm-unpacked-')), 'out');
    const first = await unpackDataset(set, { out, classes: ['hls'] });
    expect(first.files).toHaveLength(6);
    const damagedFile = join(out, first.files[0].path);
    truncateSync(damagedFile, 100);
    const second = await unpackDataset(set, { out, classes: ['dash', 'hls'] });
    expect(second.files.map((f) => f.label)).toEqual([
      ...Array<string>(6).fill('dash'),
      ...Array<string>(6).fill('hls'),
    ]);
    expect(readFileSync(damagedFile).length).toBe(first.files[0].bytes);
  });

  test('stops between sessions, and says that it is not complete', async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'netssm-unpacked-')), 'out');
    const controller = new AbortController();
    const onProgress = ({ detail }: { detail?: string }): void => {
      if (detail === 'dash-train-002') controller.abort();
    };
    const { files, unpacked } = await unpackDataset(set, { out, signal: controller.signal, onProgress });
    expect([files.length, unpacked.complete]).toEqual([2, false]);
  });

  test('leaves folders with other things alone', async () => {
    const out = mkdtempSync(join(tmpdir(), 'netssm-unpacked-'));
    mkdirSync(join(out, 'mine'));
    await expect(unpackDataset(set, { out })).rejects.toMatchObject({ code: 'unpack_other' });
  });
});

test('frames of several blocks are read', async () => {
  // The helper itself: 250 kB are three stored blocks.
  const content = Buffer.alloc(250_000, 7);
  const { decompress } = await import('fzstd');
  expect(Buffer.from(decompress(storedZstd(content))).equals(content)).toBe(true);
});

const absent = !existsSync(join(TESTBED_SET, 'manifest.json'));
describe.skipIf(absent)('the set of the project (skipped where data/testbed/set is absent)', () => {
  test('is whole, and its sessions are what the manifest tells', () => {
    const { manifest, sessions, classes } = loadDataset('testbed', { verify: true });
    expect(classes).toHaveLength(13);
    const first = new Map(sessions.map((s) => [`${s.label} ${s.split}`, s]));
    for (const session of first.values()) {
      const place = manifest.sessions.find((s) => s.id === session.id)!;
      const { flows, frames } = toSession(session.id, session.frames());
      expect(frames.every((f) => f.data.length <= f.wireLen && f.wireLen <= place.mtu + 14)).toBe(true);
      expect(session.truth.packets).toBe(frames.length);
      expect(flows.length).toBeGreaterThanOrEqual(session.truth.flows.length);
    }
  });
});
