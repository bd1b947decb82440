/** Finished sessions, the packed set, and one session really made where that is possible. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decompress } from 'fzstd';
import { afterAll, describe, expect, it } from 'vitest';
import { pcapngSection, type Packet } from '../../data/testbed/src/capture/pcap';
import type { TrafficClass } from '../../data/testbed/src/classes/types';
import type { SessionId, SessionTruth } from '../../data/testbed/src/session';
import { pack } from '../../data/testbed/src/store/pack';
import { describeProgress, formatSeconds } from '../../data/testbed/src/store/progress';
import { readManifest, readTruths } from '../../data/testbed/src/store/read';
import { findSession, keepSession, sha256 } from '../../data/testbed/src/store/spool';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'netssm-testbed-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

const id = (n: number): SessionId => ({
  id: `sip-train-00${n}`, label: 'sip', split: 'train', seed: `1/train/sip/${n}`, long: false,
}); // prettier-ignore

/** A truth with what packing reads, and a section of `count` empty frames. */
function session(n: number, count: number): { section: Buffer; truth: SessionTruth } {
  const packets = Array.from({ length: count }, (_, i): Packet => {
    const bytes = Buffer.alloc(60, n);
    bytes[14] = 0x45;
    return { tsMicros: 1e15 + n * 1e9 + i * 1e4, wireLen: 60, bytes };
  });
  const flow = { protocol: 'tcp', handshake: true, end: 'fin' } as const;
  const truth = {
    ...id(n), application: 'sip', service: 'conferencing', packets: count, seconds: 1.5,
    conditions: { mtu: 1500 }, script: { n }, objects: [], flows: [flow, { ...flow, end: 'open' }, { protocol: 'udp' }],
    checksums: { ipv4: count, ipv4Right: count, tcp: 10, tcpRight: 9 },
  } as unknown as SessionTruth; // prettier-ignore
  return { section: pcapngSection(packets, truth.id), truth };
}

const SIP = { name: 'sip', service: 'conferencing', description: 'telephones' } as TrafficClass;

describe.skipIf(!has('zstd'))('the packed set (skipped where the zstd program is missing)', () => {
  const [work, out] = [join(folder, 'work'), join(folder, 'set')];

  it('keeps sessions, forgets damaged ones and those of another seed or script', async () => {
    for (const n of [1, 2, 3]) {
      const { section, truth } = session(n, 100 * n);
      expect(await keepSession(work, section, truth)).toBeLessThan(section.length / 4);
    }
    expect(findSession(work, id(2), { n: 2 })?.truth.packets).toBe(200);
    expect(findSession(work, id(2), { n: 99 })).toBeNull();
    expect(findSession(work, { ...id(2), seed: '7/train/sip/2' })).toBeNull();
    expect(findSession(work, id(4))).toBeNull();
    writeFileSync(join(work, 'sip-train-003', 'packets.pcapng.zst'), 'damaged');
    expect(findSession(work, id(3))).toBeNull();
  });

  it('puts frames behind one another: each is a session, all together are one file', () => {
    const { manifest, missing } = pack(out, work, [SIP], [id(1), id(2), id(3)], { seed: '1' });
    expect(missing).toBe(1);
    expect(readManifest(out)).toEqual(JSON.parse(JSON.stringify(manifest)));
    const file = readFileSync(join(out, 'sip-train.pcapng.zst'));
    expect(manifest.files.map((f) => [f.path, f.bytes, f.sessions, f.packets])).toEqual([
      ['sip-train.pcapng.zst', file.length, 2, 300],
      ['sessions.jsonl.br', readFileSync(join(out, 'sessions.jsonl.br')).length, 0, 0],
    ]);
    expect(manifest.files[0].sha256).toBe(sha256(file));
    for (const [i, n] of [1, 2].entries()) {
      const entry = manifest.sessions[i];
      const frame = file.subarray(entry.offset, entry.offset + entry.bytes);
      expect(sha256(frame)).toBe(entry.sha256);
      expect(Buffer.from(decompress(frame))).toEqual(session(n, 100 * n).section);
      expect(entry).toMatchObject({
        packets: 100 * n,
        flows: 3,
        tcpFlows: 2,
        handshakes: 2,
        closed: 1,
        tcp: 10,
        tcpRight: 9,
      });
      expect(entry.sectionBytes).toBe(session(n, 100 * n).section.length);
    }
    const whole = execFileSync('zstd', ['-dc', join(out, 'sip-train.pcapng.zst')]);
    expect(whole).toEqual(Buffer.concat([session(1, 100).section, session(2, 200).section]));
    expect([...readTruths(out).keys()]).toEqual(['sip-train-001', 'sip-train-002']);
  });

  it('packs the same sessions to the same bytes', () => {
    const before = readFileSync(join(out, 'manifest.json'));
    pack(out, work, [SIP], [id(1), id(2), id(3)], { seed: '1' });
    expect(readFileSync(join(out, 'manifest.json'))).toEqual(before);
  });
});

describe('progress', () => {
  it('tells what was made and how long the rest takes', () => {
    expect([12.4, 89, 600, 5000].map(formatSeconds)).toEqual(['12 s', '89 s', '10 min', '1 h 23 min']);
    const line = describeProgress(session(1, 100).truth, 1400, 5, 20, Date.now() - 10_000);
    expect(line).toContain('5/20  sip-train-001');
    expect(line).toContain('14.0 B/packet');
    expect(line).toContain('2/2 handshakes, 1 closed');
    expect(line).toMatch(/about 3[01] s left/); // 15 sessions of 2 s each
  });
});

/** What a session of the class "background" needs. */
const PROGRAMS = [
  'ip',
  'tc',
  'ethtool',
  'tcpdump',
  'tshark',
  'dnsmasq',
  'chronyd',
  'dig',
  'zstd',
  'cc',
  'openssl',
];
const able =
  process.getuid?.() === 0 && PROGRAMS.every(has) && spawnSync('unshare', ['-n', 'true']).status === 0;

describe.skipIf(!able)('make.mjs (skipped without root, namespaces or the programs of install.sh)', () => {
  it(
    'makes a session, packs and validates it, and has nothing to do the second time',
    { timeout: 150_000 },
    () => {
      const make = () =>
      spawnSync(
        process.execPath,
        ['data/testbed/make.mjs', '--classes', 'background', '--sessions', '1', '--seed', 'test', '--wire', 'relay',
         '--jobs', '1', '--out', join(folder, 'made'), '--work', join(folder, 'making')],
        { cwd: root, encoding: 'utf8' },
      ); // prettier-ignore
      const first = make();
      expect(first.stdout).toContain('0 are there, 1 to make');
      expect(first.stdout).toMatch(/\nvalid\n$/);
      expect(first.status).toBe(0);
      const [entry] = readManifest(join(folder, 'made')).sessions;
      expect(entry).toMatchObject({
        id: 'background-train-001',
        label: 'background',
        service: 'extra',
        split: 'train',
      });
      expect(entry.packets).toBeGreaterThan(50);
      expect(entry.ipv4Right).toBe(entry.ipv4);
      const truth = readTruths(join(folder, 'made')).get(entry.id)!;
      const script = truth.script as { bursts: unknown[] };
      expect(truth.objects.filter((o) => o.kind === 'lookup')).toHaveLength(script.bursts.length);
      expect(truth.flows.filter((f) => f.serverPort === 123).length).toBeGreaterThan(0);
      expect(make().stdout).toContain('1 are there, 0 to make');
      const left = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout;
      expect(left).not.toMatch(new RegExp(`^nb${first.pid?.toString(36)}`, 'm'));
    },
  );
});

describe('make.mjs', () => {
  it('names the mistake and the remedy', () => {
    const { status, stderr } = spawnSync(process.execPath, ['data/testbed/make.mjs', '--classes', 'netflix'], {
      cwd: root, encoding: 'utf8',
    }); // prettier-ignore
    expect(stderr).toContain('no class is called netflix; there are dash, hls');
    expect(status).toBe(2);
  });
});
