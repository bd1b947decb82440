import { describe, expect, it } from 'vitest';
import { pairTraces, resolveTwins, traceOfFrames, type Trace } from '../../src/evaluate';
import { connection } from './frames';

const trace = (path: string, label: string, twin?: string): Trace =>
  traceOfFrames(label, connection(40000), path, twin === undefined ? {} : { twin });

describe('resolveTwins', () => {
  const real = [
    trace('/data/real/web/1.pcap', 'web'),
    trace('/data/real/web/2.pcap', 'web'),
    trace('/data/real/mqtt/1.pcap', 'mqtt'),
    trace('dash-test-021', 'dash'),
  ];
  const twinOf = (label: string, twin?: string): string | undefined =>
    resolveTwins([trace('x', label, twin)], real)[0].twin;

  it('finds a capture however its folder was named, and a session by its id', () => {
    expect(twinOf('web', '/data/real/web/2.pcap')).toBe('/data/real/web/2.pcap');
    expect(twinOf('web', '../real/web/2.pcap')).toBe('/data/real/web/2.pcap');
    expect(twinOf('web', 'web\\2.pcap')).toBe('/data/real/web/2.pcap');
    expect(twinOf('dash', 'dash-test-021')).toBe('dash-test-021');
  });
  it('gives none where the capture is of another class, elsewhere, or could be several', () => {
    expect(twinOf('mqtt', 'web/2.pcap')).toBeUndefined();
    expect(twinOf('web', '/other/web/2.pcap')).toBeUndefined();
    expect(twinOf('web', 'page/1.pcap')).toBeUndefined();
    expect(twinOf('web')).toBeUndefined();
    const more = [...real, trace('/data/later/web/2.pcap', 'web')];
    expect(resolveTwins([trace('x', 'web', '2.pcap')], more)[0].twin).toBeUndefined();
    expect(resolveTwins([trace('x', 'web', 'later/web/2.pcap')], more)[0].twin).toBe(
      '/data/later/web/2.pcap',
    );
  });
});

describe('pairTraces', () => {
  it('pairs by twin, else in order; of a capture cut in two with the half that begins it', () => {
    const [first, second] = [trace('a', 'web'), trace('b', 'web')];
    const pairs = pairTraces([trace('x', 'web', 'b'), trace('y', 'web')], [first, second]);
    expect(pairs.map(({ real, twins }) => [real.path, twins])).toEqual([
      ['b', true],
      ['b', false],
    ]);
    const halves = [trace('c', 'web'), trace('c', 'web')];
    const [pair] = pairTraces([trace('x', 'web', 'c')], [halves[1]], [halves[0]]);
    expect(pair.real).toBe(halves[0]);
  });
});
