import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { getLayout } from '../../../src/tokens';
import { projectRoot, readJson } from '../../../src/util';
import { frame, hex } from '../frames';
import { framesOf } from './sequences';

/** Tokens a packet, as hex, of another program (scripts/golden/compact_rel.py). */
interface Vectors {
  keep: string[];
  drop: string[];
}

const golden = readJson<{
  captures: Record<string, Vectors>;
  madeUp: Vectors & { frames: string[] };
}>(join(projectRoot, 'test', 'golden', 'compact-rel.json'));

/** A UDP packet over Ethernet and IPv4 that was cut behind its header: the other program writes it verbatim. */
function payloadAbsent(data: Uint8Array): boolean {
  const udp = 14 + 4 * (data[14] & 15);
  return data[23] === 17 && data.length === udp + 8 && ((data[udp + 4] << 8) | data[udp + 5]) > 8;
}

describe.each(['keep', 'drop'] as const)(
  'the same tokens as the Python prototype, checksums %s',
  (checksums) => {
    it.each(Object.keys(golden.captures))('%s', async (path) => {
      const expected = golden.captures[path][checksums];
      const all = await framesOf(join(projectRoot, path), Infinity);
      const frames = all.filter((f) => !payloadAbsent(f.data)).slice(0, expected.length);
      expect(expected.length).toBeGreaterThan(0);
      const encoder = getLayout('compact-rel', { checksums }).encoder();
      const tokens = frames.map((f) => {
        const result = encoder.encode(f);
        return result.ok ? Buffer.from(result.bytes).toString('hex') : result.refusal.code;
      });
      expect(tokens).toEqual(expected);
    });

    it('made-up packets: IPv6, VLAN, SACK, IP options, wrap-around, verbatim ones', () => {
      const layout = getLayout('compact-rel', { checksums });
      const [encoder, decoder] = [layout.encoder(), layout.decoder()];
      const { frames } = golden.madeUp;
      expect(frames).toHaveLength(150);
      frames.forEach((data, i) => {
        const result = encoder.encode(frame(hex(data)));
        if (!result.ok) throw new Error(result.refusal.code);
        expect(Buffer.from(result.bytes).toString('hex')).toBe(golden.madeUp[checksums][i]);
        const decoded = decoder.decode(result.bytes);
        if (!decoded.ok) throw new Error(`${i}: ${decoded.refusal.code}`);
        if (checksums === 'keep') expect(Buffer.from(decoded.packet.data).toString('hex')).toBe(data);
      });
      expect(golden.madeUp.keep.filter((t) => t.startsWith('ff')).length).toBeGreaterThan(5);
    });
  },
);
