import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures, readCapture } from '../../src/capture';
import { splitFlows } from '../../src/flows';

const captures = join(__dirname, '..', '..', 'data', 'captures');

interface Entry {
  path: string;
  label: string;
  split: 'train' | 'test';
  packets: number;
  bytes: number;
  sha256: string;
  flows: number;
  tcpFlows: number;
  handshakes: number;
  closed: number;
  checksumsVerified: number;
  seed: string;
}

const manifest = JSON.parse(readFileSync(join(captures, 'manifest.json'), 'utf8')) as {
  version: number;
  made: { kernel: string; programs: Record<string, string>; seed: number; command: string };
  files: Entry[];
};
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const labels = [...new Set(manifest.files.map((file) => file.label))];
const count = (label: string, split: string) =>
  manifest.files.filter((file) => file.label === label && file.split === split).length;

describe('the manifest of data/captures', () => {
  it('names every capture in the folder, and no other', () => {
    const named = manifest.files.map((file) => join(captures, file.path)).sort();
    expect(listCaptures(captures).sort()).toEqual(named);
  });

  it('has the size and sha256 of every file, and at most 4 MB in all', () => {
    for (const { path, bytes, sha256 } of manifest.files) {
      const content = readFileSync(join(captures, path));
      expect({ path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') }).toEqual(
        { path, bytes, sha256 },
      );
    }
    expect(sum(manifest.files.map((file) => file.bytes))).toBeLessThanOrEqual(4_000_000);
  });

  it('has at least five labels with 12 training and 4 test sessions each', () => {
    expect(labels.length).toBeGreaterThanOrEqual(5);
    for (const label of labels) {
      expect(count(label, 'train')).toBeGreaterThanOrEqual(12);
      expect(count(label, 'test')).toBeGreaterThanOrEqual(4);
    }
  });

  it('shares no seed between two sessions', () => {
    expect(new Set(manifest.files.map((file) => file.seed)).size).toBe(manifest.files.length);
  });

  it('records that 99.9 % of the whole packets had right checksums', () => {
    const packets = sum(manifest.files.map((file) => file.packets));
    const right = sum(manifest.files.map((file) => file.checksumsVerified));
    expect(right / packets).toBeGreaterThanOrEqual(0.999);
  });
});

describe('the captures themselves', () => {
  it('are read without problems, with the packets and flows the manifest says', async () => {
    const total = { packets: 0, tcp: 0, handshakes: 0, closed: 0 };
    for (const file of manifest.files) {
      const { info, frames, problems } = await readCapture(join(captures, file.path));
      expect({ path: file.path, problems, linkTypes: info.linkTypes }).toEqual({
        path: file.path,
        problems: [],
        linkTypes: [1],
      });
      const flows = splitFlows(frames);
      const tcp = flows.flatMap((flow) => (flow.tcp ? [flow.tcp] : []));
      expect({ path: file.path, packets: frames.length, flows: flows.length, tcp: tcp.length }).toEqual({
        path: file.path,
        packets: file.packets,
        flows: file.flows,
        tcp: file.tcpFlows,
      });
      total.packets += frames.length;
      total.tcp += tcp.length;
      total.handshakes += tcp.filter((flow) => flow.handshake).length;
      total.closed += tcp.filter((flow) => flow.closed !== 'none').length;
    }
    expect(total.packets).toBeGreaterThanOrEqual(25_000);
    expect(total.handshakes / total.tcp).toBeGreaterThanOrEqual(0.97);
    expect(total.closed / total.tcp).toBeGreaterThanOrEqual(0.8);
  });
});
