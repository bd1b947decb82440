import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Frame } from '../../../src/capture';
import { decodeTokens, getLayout, PKT, Vocabulary } from '../../../src/tokens';
import type { DecodeResult } from '../../../src/tokens';
import { projectRoot, Rng } from '../../../src/util';
import { framesOf, roundTrip, tcpFrame } from './sequences';

const SEED = 20261121;
const captures = join(projectRoot, 'data', 'captures');
let sessions: Frame[][] = [];
beforeAll(async () => {
  const labels = readdirSync(captures, { withFileTypes: true }).filter((d) => d.isDirectory());
  sessions = await Promise.all(
    labels.map(({ name }) =>
      framesOf(join(captures, name, readdirSync(join(captures, name)).sort()[0]), 120),
    ),
  );
});

/** Bytes of a session's packets. */
function tokensOf(frames: readonly Frame[], checksums: 'keep' | 'drop'): Uint8Array[] {
  const encoder = getLayout('compact-rel', { checksums }).encoder();
  return frames.map((f) => {
    const result = encoder.encode(f);
    if (!result.ok) throw new Error(result.refusal.code);
    return result.bytes;
  });
}

/** A byte or some overwritten, put in, taken out; cut off; another packet; anything at all. */
function damaged(bytes: Uint8Array, others: readonly Uint8Array[], rng: Rng): Uint8Array {
  const out = [...bytes];
  switch (rng.int(7)) {
    case 0:
      return others[rng.int(others.length)];
    case 1:
      return Uint8Array.from({ length: rng.int(40) }, () => rng.int(256));
    case 2:
      return bytes.subarray(0, rng.int(bytes.length));
    case 3:
      out.splice(rng.int(out.length + 1), 0, rng.int(256));
      break;
    case 4:
      out.splice(rng.int(out.length), 1);
      break;
    default:
      for (let k = 1 + rng.int(3); k > 0; k--) out[rng.int(out.length)] = rng.int(256);
  }
  return Uint8Array.from(out);
}

/** What is wrong with a result's form. */
function malformed(result: DecodeResult, length: number): string {
  if (result.ok) {
    const { data, wireLen } = result.packet;
    return data.length >= 42 && wireLen >= data.length ? '' : `${data.length} of ${wireLen} bytes`;
  }
  const { code, layer, message, offset } = result.refusal;
  const placed = Number.isInteger(offset) && offset >= 0 && offset <= length;
  return /^[a-z_0-9]+$/.test(code) && layer === 'compact-rel' && message !== '' && placed
    ? ''
    : JSON.stringify(result.refusal);
}

describe.each(['keep', 'drop'] as const)('damaged packets, checksums %s', (checksums) => {
  it(`refused ones change nothing; decoded ones can be written again (seed ${SEED})`, () => {
    const layout = getLayout('compact-rel', { checksums });
    const rng = new Rng(SEED);
    const codes = new Map<string, number>();
    const wrong: string[] = [];
    let decoded = 0;
    for (const [s, frames] of sessions.entries()) {
      const tokens = tokensOf(frames, checksums);
      for (let round = 0; round < 4; round++) {
        // One decoder sees everything, the other only what the first one took.
        const [all, taken] = [layout.decoder(), layout.decoder()];
        const [encoder, again] = [layout.encoder(), layout.decoder()];
        for (const [i, bytes] of tokens.entries()) {
          const tries = [...Array.from({ length: 2 }, () => damaged(bytes, tokens, rng)), bytes];
          // A session that has gone astray begins to refuse everything; some rounds see less damage.
          for (const run of round % 2 ? tries : tries.slice(i % 8 === 0 ? 0 : 2)) {
            const place = `session ${s} round ${round} packet ${i}: ${Buffer.from(run).toString('hex')}`;
            const first = all.decode(run);
            const form = malformed(first, run.length);
            if (form) wrong.push(`${place}: ${form}`);
            if (!first.ok) {
              codes.set(first.refusal.code, (codes.get(first.refusal.code) ?? 0) + 1);
              continue;
            }
            decoded++;
            const second = taken.decode(run);
            if (!second.ok || Buffer.compare(first.packet.data, second.packet.data) !== 0)
              wrong.push(`${place}: state`);
            // Verbatim bytes of a packet that is regular have their checksum; written again it is dropped.
            if (run[0] === 255 && checksums === 'drop') continue;
            const written = encoder.encode(first.packet);
            const read = written.ok ? again.decode(written.bytes) : written;
            if (!read.ok || Buffer.compare(first.packet.data, read.packet.data) !== 0)
              wrong.push(`${place}: ${read.ok ? 'other bytes' : read.refusal.code} when written again`);
          }
        }
      }
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(decoded).toBeGreaterThan(1500);
    expect(codes.size).toBeGreaterThan(20);
  }, 30000);
});

describe('properties', () => {
  const layout = getLayout('compact-rel');
  it('any bytes are a packet or a refusal with code, words and place', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 5 }), (runs) => {
        const decoder = layout.decoder();
        for (const run of runs) expect(malformed(decoder.decode(run), run.length)).toBe('');
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('any numbers are a session: special tokens are refused where they stand', () => {
    const vocabulary = new Vocabulary(['web']);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2, max: 300 }), { maxLength: 120 }), (tokens) => {
        const session = decodeTokens([260, ...tokens], vocabulary, layout);
        for (const { code, token, offset } of session.refusals) {
          expect(code).toMatch(/^[a-z_]+$/);
          expect(token + offset).toBeLessThanOrEqual(tokens.length + 1);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    const inside = decodeTokens([260, 254, 0, 256, 1, PKT], vocabulary, layout);
    expect(inside.refusals).toMatchObject([{ code: 'special_token', token: 1, offset: 2 }]);
  });

  it('any TCP packets between a few ports come back', () => {
    const u32 = fc.oneof(fc.nat(3000), fc.integer({ min: 0, max: 0xffffffff }));
    const option = fc.oneof(
      fc.constant<number[]>([]),
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => [1, 1, 8, 10, ...b]),
      fc.uint8Array({ minLength: 8, maxLength: 8 }).map((b) => [1, 1, 5, 10, ...b]),
      fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => [1, 1, 5, 18, ...b]),
      fc.uint8Array({ minLength: 4, maxLength: 40 }).map((b) => [...b.subarray(0, b.length & ~3)]),
    );
    const packet = fc.record({
      from: fc.nat(2),
      to: fc.nat(2),
      sourcePort: fc.nat(2),
      destinationPort: fc.nat(2),
      seq: u32,
      ack: u32,
      flags: fc.oneof(fc.constantFrom(2, 16, 17, 18, 24), fc.nat(255)),
      length: fc.oneof(fc.constantFrom(0, 0, 100, 1460), fc.nat(65000)),
      id: fc.nat(65535),
      window: fc.nat(65535),
      options: option,
    });
    fc.assert(
      fc.property(fc.array(packet, { minLength: 1, maxLength: 25 }), fc.boolean(), (packets, keep) => {
        const result = roundTrip(packets.map(tcpFrame), keep ? 'keep' : 'drop');
        expect(result).toMatchObject({ packets: packets.length, wrong: [] });
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
