import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../src/capture';
import { decodePacket, encodePacket, hexdump, show, summarize, type Packet } from '../../src/packets';
import { NetssmError, projectRoot, Rng } from '../../src/util';
import { samples } from './samples';

const data = join(projectRoot, '..', 'shared', 'data');
const LINK_TYPES = [0, 1, 9, 12, 50, 51, 101, 104, 105, 108, 113, 127, 219, 228, 229, 248, 276, 9999];

/** What must hold for the decoder's answer to any bytes at all. */
function checkPacket(packet: Packet): void {
  let at = 0;
  for (const layer of packet.layers) {
    expect(layer.offset).toBe(at);
    expect(layer.length).toBeGreaterThan(0);
    at += layer.length;
  }
  expect(packet.payloadOffset).toBe(at);
  expect(at).toBeLessThanOrEqual(packet.bytes.length);
  for (const problem of packet.problems) {
    expect(problem.code).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(problem.offset).toBeGreaterThanOrEqual(0);
    expect(problem.offset).toBeLessThanOrEqual(packet.bytes.length + 60);
  }
}

const encodeAgain = (packet: Packet) =>
  encodePacket(packet.layers, packet.bytes.subarray(packet.payloadOffset));

/** Problems that concern values, not structure: the bytes come back all the same. */
const VALUE_PROBLEMS =
  /_(checksum_wrong|options_malformed|beyond_packet|total_length|total_length_zero|length)$/;

describe('decodePacket', () => {
  it('never throws on random bytes, and its answer holds together', () => {
    const rng = new Rng(10);
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: rng.int(120) }, () => rng.int(256));
      // Random bytes rarely get beyond the first header, so help them.
      if (i % 2 === 0 && bytes.length > 30) bytes.set([0x08, 0, 0x40 | (5 + rng.int(3))], 12);
      if (i % 4 === 0 && bytes.length > 30) bytes.set([0, 0, 64, i % 8 === 0 ? 6 : 17], 20);
      const packet = decodePacket(bytes, LINK_TYPES[i % 2 === 0 ? 1 : rng.int(LINK_TYPES.length)]);
      checkPacket(packet);
      for (const { code } of packet.problems) seen.add(code);
      if (i % 50 === 0) expect(`${show(packet)}${summarize(packet)}`.length).toBeGreaterThan(10);
    }
    for (const code of [
      'tcp_truncated',
      'ipv4_truncated',
      'ethernet_truncated',
      'link_type_unsupported',
      'ip_version',
    ]) {
      expect(seen).toContain(code);
    }
  });

  it('never throws on changed or cut packets, and gives their bytes back unless the structure is broken', () => {
    const rng = new Rng(11);
    let cases = 0;
    for (let i = 0; i < 20_000; i++) {
      const { data: original, linkType } = samples[rng.int(samples.length)];
      const bytes = original.slice(0, rng.int(3) === 0 ? rng.int(original.length + 1) : original.length);
      for (let n = rng.int(4); n >= 0 && bytes.length > 0; n--) bytes[rng.int(bytes.length)] = rng.int(256);
      const packet = decodePacket(bytes, linkType, { wireLen: original.length });
      checkPacket(packet);
      if (!packet.problems.every((p) => VALUE_PROBLEMS.test(p.code))) continue;
      if (packet.problems.some((p) => /^(ipv4_header_length|tcp_beyond_packet)$/.test(p.code))) continue;
      cases++;
      expect(Buffer.from(encodeAgain(packet)).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
    }
    expect(cases).toBeGreaterThan(10_000);
  });

  it('gives the same bytes again for every sample', () => {
    for (const { data: bytes, linkType } of samples) {
      expect(encodeAgain(decodePacket(bytes, linkType))).toEqual(bytes);
    }
  });

  it('computes the same checksums and lengths when they are left out', () => {
    for (const [i, { data: bytes }] of samples.entries()) {
      // Padding, a wrong checksum, none, and fragments are not what an encoder would choose.
      if ([2, 10, 14, 15, 16].includes(i)) continue;
      const packet = decodePacket(bytes, 1);
      const bare = packet.layers.map(({ protocol, fields }) => {
        const rest = { ...(fields as Record<string, unknown>) };
        for (const name of ['headerChecksum', 'checksum', 'totalLength', 'headerLength', 'dataOffset'])
          delete rest[name];
        if (protocol === 'udp') delete rest.length;
        if (protocol === 'ipv6') delete rest.payloadLength;
        if (!(protocol === 'ethernet' && rest.etherType === 0x88a8)) {
          if (protocol === 'ethernet' || protocol === 'vlan') delete rest.etherType;
        }
        if (protocol === 'ipv4') delete rest.protocol;
        if (protocol === 'ipv6') delete rest.nextHeader;
        return { protocol, fields: rest };
      });
      expect(hexdump(encodePacket(bare, bytes.subarray(packet.payloadOffset)))).toBe(hexdump(bytes));
    }
  });
});

/** All captures below a folder, by path. */
function capturesBelow(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /pcap/.test(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name)).sort();
}

/** Packets of all captures, how many have no problem, and which of those do not come back. */
async function roundTrip(paths: string[]): Promise<{ packets: number; clean: number; different: string[] }> {
  const result = { packets: 0, clean: 0, different: [] as string[] };
  for (const path of paths) {
    const capture = await readCapture(path).catch((error: unknown) => {
      expect(error).toBeInstanceOf(NetssmError);
      return undefined;
    });
    capture?.frames.forEach((frame, i) => {
      const packet = decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });
      result.packets++;
      if (packet.problems.length > 0) return;
      result.clean++;
      if (Buffer.compare(encodeAgain(packet), frame.data) !== 0) result.different.push(`${path} ${i + 1}`);
    });
  }
  return result;
}

it('every packet of data/captures without a problem comes back byte for byte', async () => {
  const { packets, clean, different } = await roundTrip(capturesBelow(join(projectRoot, 'data', 'captures')));
  expect(different).toEqual([]);
  expect(packets).toBeGreaterThan(1000);
  expect(clean / packets).toBeGreaterThan(0.99);
});

describe.skipIf(!existsSync(data))('real packets (skipped where ../shared/data is absent)', () => {
  it('come back byte for byte when nothing is wrong: every file', { timeout: 240_000 }, async () => {
    const { packets, clean, different } = await roundTrip([
      ...capturesBelow(join(data, 'pcaps')),
      ...capturesBelow(join(data, 'robustness')),
    ]);
    expect(different).toEqual([]);
    expect(packets).toBeGreaterThan(200_000);
    expect(clean / packets).toBeGreaterThan(0.9);
  });
});
