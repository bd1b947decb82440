import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../src/capture';
import { internetChecksum, locateHeaders, sumWords } from '../../src/packets';
import { collectInputs, type PiecePacket } from '../../src/tokens';
import { Renumbering } from '../../src/train';
import { projectRoot, Rng } from '../../src/util';
import { UDP6 } from '../tokens/frames';

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

describe('Renumbering', () => {
  const packets = [
    tcp(true, 7, 1000, 0, 0x02, [500, 0]),
    tcp(false, 0, 90000, 1001, 0x12, [800, 500]),
    tcp(true, 8, 1001, 90001, 0x10, [501, 800]),
    tcp(true, 9, 1001, 90001, 0x18, [502, 800]),
    tcp(false, 3, 90001, 1041, 0x10, [803, 502]),
  ];
  const fields = (data: Uint8Array) => {
    const view = new DataView(data.buffer, data.byteOffset);
    return {
      id: view.getUint16(18),
      ports: [view.getUint16(34), view.getUint16(36)],
      seq: view.getUint32(38),
      ack: view.getUint32(42),
      ts: [view.getUint32(58), view.getUint32(62)],
    };
  };
  const packet = (bytes: ArrayLike<number>): PiecePacket => ({
    data: Uint8Array.from(bytes),
    wireLen: bytes.length,
    linkType: 1,
  });
  const run = (seed: number, addresses = false) => {
    const numbers = new Renumbering(new Rng(seed), { addresses });
    return packets.map((p) => numbers.change(packet(p)).data);
  };
  const changed = run(1);
  const [syn, synAck, ack, data, reply] = changed.map(fields);

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

  it('counts IP ids on over all flows of a host', () => {
    const numbers = new Renumbering(new Rng(3));
    const other = tcp(true, 10, 5, 0, 0x02, [1, 0]);
    other[35] = 0x42; // another client port
    const [a, b] = [packets[3], other].map((p) => fields(numbers.change(packet(p)).data));
    expect(b.id - a.id).toBe(1);
    expect(b.seq).not.toBe((a.seq - 1001 + 5) >>> 0);
  });

  it('touches nothing else, and nothing that is no packet', () => {
    const allowed = new Set([...range(18, 20), ...range(34, 46), ...range(58, 66)]);
    changed.forEach((bytes, i) =>
      bytes.forEach((byte, k) => {
        if (byte !== packets[i][k]) expect(allowed).toContain(k);
      }),
    );
    const noise = packet([1, 2, 3]);
    expect(new Renumbering(new Rng(1)).change(noise)).toBe(noise);
    const cooked = { ...packet(packets[0]), linkType: 147 };
    expect(new Renumbering(new Rng(1)).change(cooked)).toBe(cooked);
  });

  it('is the same for the same seed', () => {
    expect(run(1)).toEqual(changed);
    expect(run(2)).not.toEqual(changed);
  });

  it('leaves addresses alone unless asked; then each becomes one other of its kind', () => {
    const at = (bytes: Uint8Array | number[], from: number, n: number) => [...bytes.slice(from, from + n)];
    expect(at(changed[0], 26, 8)).toEqual(at(packets[0], 26, 8));
    const clients = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const fresh = run(seed, true);
      const [client, server] = [at(fresh[0], 26, 4), at(fresh[0], 30, 4)];
      expect(at(fresh[1], 26, 8)).toEqual([...server, ...client]);
      expect(client[0]).toBe(10);
      expect(server.slice(0, 3)).toEqual([203, 0, 113]);
      expect(server[3] > 0 && server[3] < 255).toBe(true);
      const [to, from] = [at(fresh[0], 0, 6), at(fresh[0], 6, 6)];
      expect(at(fresh[2], 0, 6)).toEqual(to);
      expect([to.slice(0, 3), from.slice(0, 3)]).toEqual([
        [0x3c, 0x52, 0x82],
        [0x00, 0x1b, 0x21],
      ]);
      expect(from).not.toEqual(at(packets[0], 6, 6));
      clients.add(client.join('.'));
    }
    expect(clients.size).toBe(50);
  });

  it('keeps networks together and special addresses as they are', () => {
    const numbers = new Renumbering(new Rng(4), { addresses: true });
    const become = (source: number[], target: number[]) => {
      const p = [...packets[0]];
      p.splice(26, 8, ...source, ...target);
      const { data: d } = numbers.change(packet(p));
      return [[...d.subarray(26, 30)], [...d.subarray(30, 34)]];
    };
    const [a, b] = become([172, 16, 5, 9], [172, 16, 5, 77]);
    expect(a.slice(0, 3)).toEqual(b.slice(0, 3));
    expect([a[0], a[1] >> 4]).toEqual([172, 1]);
    expect(a[3]).not.toBe(b[3]);
    expect(become([172, 16, 5, 9], [239, 255, 255, 250])).toEqual([a, [239, 255, 255, 250]]);
    expect(become([169, 254, 3, 4], [255, 255, 255, 255])).toEqual([
      [169, 254, 3, 4],
      [255, 255, 255, 255],
    ]);
    const [, broadcast] = become([192, 168, 1, 2], [192, 168, 1, 255]);
    expect([broadcast.slice(0, 2), broadcast[3]]).toEqual([[192, 168], 255]);
    const six = numbers.change(packet(UDP6)).data;
    expect([...six.subarray(22, 30)]).toEqual([0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
    expect(six.subarray(22, 54)).not.toEqual(UDP6.subarray(22, 54));
  });
});

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const captures = join(projectRoot, 'data', 'captures');
describe.skipIf(!existsSync(captures))('Renumbering of data/captures (skipped where absent)', () => {
  it('leaves headers where they are and checksums as right, wrong or absent as they were', async () => {
    const paths = collectInputs([captures])
      .filter((_, i) => i % 30 === 0)
      .map(({ path }) => path);
    let right = 0;
    for (const path of paths) {
      const numbers = new Renumbering(new Rng(path), { addresses: true });
      const { frames } = await readCapture(path);
      for (const [n, frame] of frames.slice(0, 300).entries()) {
        // Every third with an offloaded checksum, a wrong one, or none.
        const before = { ...frame, data: frame.data.slice() };
        const at = locateHeaders(before.data, 1);
        if (!at.ok) continue;
        const field = at.ipEnd + (at.transport === 'tcp' ? 16 : 6);
        if (n % 3 === 1) before.data[field] ^= 0x55;
        if (n % 7 === 2) before.data.fill(0, field, field + 2);
        const after = numbers.change(before);
        expect(locateHeaders(after.data, 1)).toEqual(at);
        expect(sums(after.data, at)).toEqual(sums(before.data, at));
        if (sums(after.data, at).transport === 0) right++;
      }
    }
    expect(right).toBeGreaterThan(100);
  });

  it('keeps a checksum that is the sum of the pseudo-header', () => {
    const bytes = Uint8Array.from(tcp(true, 7, 1000, 0, 0x02, [500, 0]));
    const pseudo = (d: Uint8Array) => ~internetChecksum(d, 26, 34, 6 + 32) & 0xffff;
    new DataView(bytes.buffer).setUint16(50, pseudo(bytes));
    const { data } = new Renumbering(new Rng(8), { addresses: true }).change({
      data: bytes,
      wireLen: 66,
      linkType: 1,
    });
    expect(new DataView(data.buffer).getUint16(50)).toBe(pseudo(data));
    expect(pseudo(data)).not.toBe(pseudo(bytes));
  });
});

/** How far the checksums are off: 0 where right; `none` where the field is 0. */
function sums(bytes: Uint8Array, at: Exclude<ReturnType<typeof locateHeaders>, { ok: false }>) {
  const [from, to] = at.ipVersion === 4 ? [12, 20] : [8, 40];
  const length = at.linkEnd + at.ipTotalLength - at.ipEnd;
  const field = at.ipEnd + (at.transport === 'tcp' ? 16 : 6);
  const pseudo = sumWords(
    bytes,
    at.linkEnd + from,
    at.linkEnd + to,
    (at.transport === 'tcp' ? 6 : 17) + length,
  );
  return {
    ip: at.ipVersion === 4 ? internetChecksum(bytes, at.linkEnd, at.ipEnd) : 0,
    transport:
      bytes[field] === 0 && bytes[field + 1] === 0
        ? 'none'
        : internetChecksum(bytes, at.ipEnd, at.ipEnd + length, pseudo),
  };
}
