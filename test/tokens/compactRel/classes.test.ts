import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures } from '../../../src/capture';
import { getLayout } from '../../../src/tokens';
import { projectRoot } from '../../../src/util';
import { framesOf } from './sequences';

/*
 * Tokens a packet by class: whole captures with checksums kept, and segments of 943 packets (what the paper's layout
 * holds in 100,000 tokens), each from the empty state, with checksums dropped.
 */
const CLASSES: Record<string, [keep: number, drop: number]> = {
  'amazon-alexa': [6.6, 5.6],
  reddit: [8.4, 7.3],
  'seznam-news': [8.6, 8.3],
  'idos-timetable': [8.0, 7.0],
  accuweather: [8.0, 7.3],
  'iot-hue': [11.7, 11.1],
  'iot-dlink': [8.7, 7.5],
  skype: [13.6, 12.8],
  zoom: [10.1, 8.5],
  'web-http': [11.7, 10.3],
  'web-https': [8.2, 7.8],
  netflix: [11.1, 10.3],
  teams: [8.8, 7.9],
};

const pcaps = join(projectRoot, '..', 'shared', 'data', 'pcaps');

describe.skipIf(!existsSync(pcaps))(
  'tokens a packet of real classes (skipped where ../shared/data is absent)',
  () => {
    it('at most 10 over all, with <|pkt|>; each class as measured', async () => {
      const measured: typeof CLASSES = {};
      const sum = { packets: 0, keep: 0, drop: 0 };
      for (const name of Object.keys(CLASSES)) {
        const of = { packets: 0, keep: 0, drop: 0 };
        for (const file of listCaptures(join(pcaps, name))) {
          const all = await framesOf(file);
          const { linkType } = all[0];
          const whole = getLayout('compact-rel', { checksums: 'keep' }).encoder({ linkType });
          let segment = getLayout('compact-rel').encoder({ linkType });
          let inSegment = 0;
          for (const f of all) {
            const kept = whole.encode(f);
            if (!kept.ok) continue;
            of.packets++;
            of.keep += kept.bytes.length + 1;
            if (inSegment++ === 943) {
              segment = getLayout('compact-rel').encoder({ linkType });
              inSegment = 1;
            }
            const dropped = segment.encode(f);
            if (dropped.ok) of.drop += dropped.bytes.length + 1;
          }
        }
        const round = (n: number) => Math.round((n / of.packets) * 10) / 10;
        measured[name] = [round(of.keep), round(of.drop)];
        for (const key of ['packets', 'keep', 'drop'] as const) sum[key] += of[key];
      }
      expect(measured).toEqual(CLASSES);
      expect(sum.packets).toBe(82655);
      expect(sum.keep / sum.packets).toBeCloseTo(9.59, 1);
      expect(sum.drop / sum.packets).toBeCloseTo(8.7, 1);
    }, 60000);
  },
);
