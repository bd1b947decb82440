import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import { decodePacket, encodePacket, parseFilter, show, summarize } from '../../src/packets';
import { NetssmError, projectRoot } from '../../src/util';
import { LINK_TYPES, mutate, randomFrame, rngOf } from './mutate.mjs';

/** Through everything; a packet without a problem must be encoded to its own bytes. Returns the number of layers. */
function through(bytes: Uint8Array, linkType: number, wireLen?: number): number {
  const packet = decodePacket(bytes, linkType, { wireLen });
  summarize(packet);
  show(packet);
  const again = encodePacket(packet.layers, bytes.subarray(packet.payloadOffset));
  if (packet.problems.length === 0 && Buffer.compare(again, bytes) !== 0) {
    throw new Error(
      `link type ${linkType}: ${Buffer.from(bytes).toString('hex')} became ${Buffer.from(again).toString('hex')}`,
    );
  }
  return packet.layers.length;
}

describe('decodePacket, summarize, show and encodePacket', () => {
  const frames: Frame[] = [];

  beforeAll(async () => {
    const root = join(projectRoot, 'data', 'captures');
    for (const label of readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
      const [first] = readdirSync(join(root, label.name)).sort();
      const capture = await readCapture(new Uint8Array(readFileSync(join(root, label.name, first))));
      frames.push(...capture.frames.slice(0, 200));
    }
  });

  it('take any bytes under any link type', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.oneof(fc.constantFrom(...LINK_TYPES), fc.nat(300)),
        fc.option(fc.nat(2000), { nil: undefined }),
        (bytes, linkType, wireLen) => {
          expect(through(bytes, linkType, wireLen)).toBeLessThanOrEqual(64);
        },
      ),
      { numRuns: 2000, seed: 20261121 },
    );
  });

  it('take 4,000 random and damaged frames', () => {
    let layers = 0;
    for (let i = 0; i < 4000; i++) {
      const rng = rngOf(4, i);
      const frame = frames[rng.int(frames.length)];
      const random = rng.int(3) === 0;
      const bytes = random ? randomFrame(rng) : mutate(frame.data, rng, frames[rng.int(frames.length)].data);
      layers += through(bytes, rng.int(8) === 0 ? LINK_TYPES[rng.int(LINK_TYPES.length)] : 1);
    }
    // The damage leaves most packets readable to some depth.
    expect(layers / 4000).toBeGreaterThan(1.5);
  });
});

describe('parseFilter', () => {
  const WORDS = [
    ...[
      'tcp',
      'udp',
      'ip',
      'ip6',
      'arp',
      'vlan',
      'mpls',
      'pppoes',
      'host',
      'net',
      'port',
      'portrange',
      'proto',
    ],
    ...[
      'src',
      'dst',
      'and',
      'or',
      'not',
      '!',
      '&&',
      '||',
      '(',
      ')',
      '[',
      ']',
      ':',
      '=',
      '!=',
      '<',
      '>=',
      '&',
      '<<',
    ],
    ...['+', '-', '/', 'len', 'greater', '80', '0x45', '4', '192.0.2.1', '10', '::1', 'fe80::/10', '/', '24'],
    ...[
      '02:00:00:00:00:01',
      'ether',
      'multicast',
      'broadcast',
      'tcp-syn',
      'tcpflags',
      'http',
      'nobody',
      '"',
      '\\tcp',
    ],
  ];

  it('answers or refuses with a place, for any words', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }), fc.nat(1e6), (words, n) => {
        const text = words.join(' ');
        try {
          const filter = parseFilter(text);
          const rng = rngOf(9, n);
          const linkType = LINK_TYPES[n % LINK_TYPES.length];
          expect(typeof filter({ data: randomFrame(rng), wireLen: 60, linkType })).toBe('boolean');
          accepted++;
        } catch (error) {
          if (!(error instanceof NetssmError)) throw error;
          expect(error.context.column).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      { numRuns: 3000, seed: 20261121 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
