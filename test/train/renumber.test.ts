import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { locateHeaders } from '../../src/packets';
import {
  buildDataset,
  collectInputs,
  FIRST_LABEL,
  openDataset,
  PKT,
  planBatches,
  type TokenDataset,
} from '../../src/tokens';
import { checkRenumber, renumber, renumberBatch } from '../../src/train';
import { projectRoot, Rng } from '../../src/util';
import { temporaryFolder, writeToyDataset } from './toy';

const hex = (text: string) =>
  text
    .replace(/\s/g, '')
    .match(/../g)!
    .map((x) => parseInt(x, 16));

/** Ethernet, IPv4 and TCP with timestamps; client 10.0.0.12:40000, server 203.0.113.10:80. */
function tcp(
  fromClient: boolean,
  id: number,
  seq: number,
  ack: number,
  flags: number,
  ts: [number, number],
): number[] {
  const u32 = (x: number) => [x >>> 24, (x >>> 16) & 255, (x >>> 8) & 255, x & 255];
  const [client, server] = [hex('0a00000c'), hex('cb00710a')];
  return [
    ...hex('3c52821a4007 001b21700a11 0800 45000034'),
    id >> 8,
    id & 255,
    ...hex('4000 4006 0000'),
    ...(fromClient ? [...client, ...server] : [...server, ...client]),
    ...(fromClient ? hex('9c40 0050') : hex('0050 9c40')),
    ...u32(seq),
    ...u32(ack),
    ...[0x80, flags, 1, 0xf6, 0, 0, 0, 0],
    ...[1, 1, 8, 10, ...u32(ts[0]), ...u32(ts[1])],
  ];
}

describe('renumber', () => {
  const packets = [
    tcp(true, 7, 1000, 0, 0x02, [500, 0]),
    tcp(false, 0, 90000, 1001, 0x12, [800, 500]),
    tcp(true, 8, 1001, 90001, 0x10, [501, 800]),
    tcp(true, 9, 1001, 90001, 0x18, [502, 800]),
    tcp(false, 3, 90001, 1041, 0x10, [803, 502]),
  ];
  const tokens = () =>
    Uint16Array.from([FIRST_LABEL, ...packets.flatMap((p, i) => (i > 0 ? [PKT, ...p] : p))]);
  const fields = (all: Uint16Array, i: number) => {
    const view = new DataView(Uint8Array.from(all.slice(1 + i * 67, 1 + i * 67 + 66)).buffer);
    return {
      id: view.getUint16(18),
      ports: [view.getUint16(34), view.getUint16(36)],
      seq: view.getUint32(38),
      ack: view.getUint32(42),
      ts: [view.getUint32(58), view.getUint32(62)],
    };
  };
  const changed = tokens();
  renumber(changed, new Rng(1));
  const [syn, synAck, ack, data, reply] = packets.map((_, i) => fields(changed, i));

  it('draws the numbers of a connection anew', () => {
    expect(syn.seq).not.toBe(1000);
    expect(synAck.seq).not.toBe(90000);
    expect(syn.ts[0]).not.toBe(500);
    expect(syn.id).not.toBe(7);
    expect(syn.ports[0]).not.toBe(40000);
    expect([syn.ports[0] >= 32768, syn.ports[0] % 2, syn.ports[1]]).toEqual([true, 0, 80]);
  });

  it('keeps what they mean to one another', () => {
    const next = (x: number, by: number) => (x + by) % 2 ** 32;
    expect([synAck.ack, ack.seq, data.seq]).toEqual([1, 1, 1].map((n) => next(syn.seq, n)));
    expect(reply.ack).toBe(next(syn.seq, 41));
    expect([ack.ack, data.ack, reply.seq]).toEqual([1, 1, 1].map((n) => next(synAck.seq, n)));
    expect(syn.ack).toBe(0); // no ACK flag
    expect([syn.ts[1], synAck.ts[1]]).toEqual([0, syn.ts[0]]);
    expect([ack.ts, reply.ts[1]]).toEqual([[next(syn.ts[0], 1), synAck.ts[0]], next(syn.ts[0], 2)]);
    expect([synAck.id, ack.id - syn.id, data.id - syn.id]).toEqual([0, 1, 2]);
    expect(reply.ports).toEqual([80, syn.ports[0]]);
  });

  it('touches nothing else, and nothing that is no packet', () => {
    const before = tokens();
    const allowed = new Set([18, 19, 34, 35, 36, 37, ...range(38, 46), ...range(58, 66)]);
    changed.forEach((token, i) => {
      if (token !== before[i]) expect(allowed).toContain((i - 1) % 67);
    });
    const noise = Uint16Array.of(FIRST_LABEL, 1, 2, 3, PKT, PKT, 257);
    const same = noise.slice();
    renumber(same, new Rng(1));
    expect(same).toEqual(noise);
  });

  it('is the same for the same seed', () => {
    const [again, other] = [tokens(), tokens()];
    renumber(again, new Rng(1));
    renumber(other, new Rng(2));
    expect(again).toEqual(changed);
    expect(other).not.toEqual(changed);
  });
});

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const captures = join(projectRoot, 'data', 'captures');
describe.skipIf(!existsSync(captures))('renumberBatch on data/captures (skipped where absent)', () => {
  let dataset: TokenDataset;
  beforeAll(async () => {
    const inputs = collectInputs([captures]).filter((_, i) => i % 30 === 0);
    const out = join(temporaryFolder(), 'data');
    await buildDataset({ inputs, out, layout: 'compact', checksums: 'zero', validationShare: 0 });
    dataset = openDataset(out);
  });
  const plan = () =>
    planBatches({ dataset, split: 'train', rowLen: 512, batch: 3, mode: 'packed', seed: 1, epoch: 0 });

  it('leaves lengths, marks, masks and headers where they are; targets stay the next tokens', () => {
    const batches = plan();
    let different = 0;
    let total = 0;
    for (let i = 0; i < Math.min(6, batches.batches); i++) {
      const [before, after] = [batches.at(i), batches.at(i)];
      renumberBatch(after, new Rng(i));
      expect(after.mask).toEqual(before.mask);
      expect(after.starts).toEqual(before.starts);
      for (let t = 0; t < before.tokens.length; t++) {
        if (before.tokens[t] >= 256) expect(after.tokens[t]).toBe(before.tokens[t]);
        if (before.tokens[t] !== after.tokens[t]) different++;
        const inside = (t + 1) % 512 !== 0 && after.starts[t + 1] === 0;
        if (inside) expect(after.targets[t]).toBe(after.tokens[t + 1]);
      }
      total += before.tokens.length;
      const end = before.tokens.indexOf(PKT, 2);
      const first = before.tokens[1] === PKT ? 2 : 1;
      expect(locateHeaders(Uint8Array.from(after.tokens.subarray(first, end)), 1)).toEqual(
        locateHeaders(Uint8Array.from(before.tokens.subarray(first, end)), 1),
      );
    }
    expect(different / total).toBeGreaterThan(0.1);
    expect(different / total).toBeLessThan(0.5);
  });

  it('is the same for the same generator, and another for another', () => {
    const [a, again, b] = [plan().at(0), plan().at(0), plan().at(0)];
    renumberBatch(a, new Rng('a'));
    renumberBatch(again, new Rng('a'));
    renumberBatch(b, new Rng('b'));
    expect(again.tokens).toEqual(a.tokens);
    expect(b.tokens).not.toEqual(a.tokens);
  });

  it('refuses data whose checksums would be wrong, and rows that are cut inside packets', () => {
    const toy = openDataset(writeToyDataset(join(temporaryFolder(), 'data')));
    expect(() => checkRenumber(toy, 'packed')).toThrow('cannot keep the checksums');
    expect(() => checkRenumber(dataset, 'stream')).toThrow('needs mode "packed"');
  });
});
