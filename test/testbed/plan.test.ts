/** Scripts, conditions and the list of sessions: all from the seed. */
import { describe, expect, it } from 'vitest';
import { CLASSES } from '../../data/testbed/src/classes';
import { random } from '../../data/testbed/src/lib/random';
import { drawConditions } from '../../data/testbed/src/net/conditions';
import { planSession } from '../../data/testbed/src/session';
import type { Catalogue } from '../../data/testbed/src/servers/media';
import { LADDER } from '../../data/testbed/src/servers/media';
import { listSessions } from '../../data/testbed/src/store/plan';

const sizes = (count: number, bytes: number): number[] => Array.from({ length: count }, (_, i) => bytes + i);

/** A title as ffmpeg's are described, with made-up sizes. */
const MEDIA: Catalogue = {
  root: '/nowhere',
  titles: [
    {
      name: 'film',
      dash: { video: LADDER.map((kbit) => sizes(32, kbit * 250)), audio: sizes(32, 16000) },
      hls: LADDER.map((kbit) => sizes(32, kbit * 260)),
      progressive: LADDER.map((kbit, i) => ({ path: `progressive/${i}.mp4`, bytes: kbit * 8000 })),
      live: { video: LADDER.map((kbit) => [sizes(8, kbit * 31)]), audio: [sizes(8, 2000)] },
    },
  ],
};

const id = (label: string, seed: string, long = false) =>
  ({ id: `${label}-1`, label, split: 'train', seed, long }) as const;

describe('session scripts', () => {
  it.each(CLASSES.map((c) => [c.name, c] as const))(
    '%s: the same seed gives the same script, others differ',
    (name, kind) => {
      const one = planSession(kind, id(name, 'a'), MEDIA);
      expect(JSON.stringify(planSession(kind, id(name, 'a'), MEDIA))).toBe(JSON.stringify(one));
      const scripts = new Set(
        ['a', 'b', 'c', 'd', 'e'].map((seed) => JSON.stringify(planSession(kind, id(name, seed), MEDIA))),
      );
      expect(scripts.size).toBe(5);
    },
  );

  it('has ten classes in three services, and three more', () => {
    const count = (service: string) => CLASSES.filter((c) => c.service === service).length;
    expect([count('streaming'), count('conferencing'), count('social'), count('extra')]).toEqual([
      4, 3, 3, 3,
    ]);
  });

  it('long streaming sessions watch 9.8 MB and more, on links that can carry it in a minute', () => {
    for (const kind of CLASSES.filter((c) => c.service === 'streaming'))
      for (let n = 0; n < 40; n++) {
        const { script, conditions } = planSession(kind, id(kind.name, `long${n}`, true), MEDIA);
        expect(conditions.downMbit).toBeGreaterThanOrEqual(6);
        expect(conditions.loss).toBeLessThanOrEqual(0.001);
        const { watchBytes, visits } = script as { watchBytes?: number; visits?: { bytes: number }[] };
        const bytes = watchBytes ?? visits!.reduce((sum, v) => sum + v.bytes, 0);
        expect(bytes).toBeGreaterThanOrEqual(9_800_000);
      }
  });

  it('never asks for more of a file than there is', () => {
    const kind = CLASSES.find((c) => c.name === 'progressive')!;
    for (let n = 0; n < 300; n++) {
      const { script } = planSession(kind, id('progressive', `p${n}`, n % 3 === 0), MEDIA);
      const { visits, fileBytes } = script as {
        fileBytes: number;
        visits: { from: number; bytes: number }[];
      };
      for (const { from, bytes } of visits) {
        expect(Number.isInteger(from) && Number.isInteger(bytes)).toBe(true);
        expect(from + bytes).toBeLessThanOrEqual(fileBytes);
      }
    }
  });
});

describe('conditions', () => {
  it('are drawn from documentation and private addresses, the resolver from the servers pool', () => {
    for (let n = 0; n < 200; n++) {
      const c = drawConditions(random(`c${n}`));
      expect(new Set([c.resolver, ...c.servers]).size).toBe(7);
      for (const address of [c.resolver, ...c.servers])
        expect(address).toMatch(/^(203\.0\.113|198\.51\.100|192\.0\.2)\./);
      expect(c.client).toMatch(/^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./);
      for (const addresses of Object.values(c.names))
        for (const a of addresses) expect(c.servers).toContain(a);
      expect(Object.keys(c.names)).toHaveLength(10);
      expect(c.hops).toBeGreaterThanOrEqual(1);
      expect(c.hops).toBeLessThanOrEqual(5);
    }
  });

  it('say nothing of the class: no class changes what is drawn for addresses', () => {
    const addresses = CLASSES.map((kind) => {
      const { conditions: c } = planSession(kind, id(kind.name, 'same seed'), MEDIA);
      return JSON.stringify([
        c.client,
        c.clientMac,
        c.routerMac,
        c.resolver,
        c.servers,
        c.names,
        c.portRange,
      ]);
    });
    expect(new Set(addresses).size).toBe(1);
  });
});

describe('the list of sessions', () => {
  const list = listSessions(CLASSES, { sessions: 100, testSessions: 30, seed: '1', longShare: 0.11 });

  it('has every session once, with a seed of its own', () => {
    expect(list).toHaveLength(13 * 130);
    expect(new Set(list.map((s) => s.id)).size).toBe(list.length);
    expect(new Set(list.map((s) => s.seed)).size).toBe(list.length);
  });

  it('has at least 12 long sessions in each streaming class, some of them to test on, none elsewhere', () => {
    for (const { name, service } of CLASSES) {
      const long = list.filter((s) => s.label === name && s.long);
      expect(long.length).toBe(service === 'streaming' ? 14 : 0);
      if (service === 'streaming') expect(long.filter((s) => s.split === 'test')).toHaveLength(3);
    }
  });
});
