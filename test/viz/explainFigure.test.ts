import { beforeAll, describe, expect, test } from 'vitest';
import type { Explanation, ExplainedToken, StepThrough } from '../../src/generate';
import { escapeText } from '../../src/viz/html';
import { explainFigure, fieldBits, packetBits, stepFigure } from '../../src/viz';

/** A token that took one bit, expected otherwise where `wrong`. */
function token(at: number, field: string, layers: number, wrong = false): ExplainedToken {
  const own = field === '<|pkt|>' ? { token: 259, text: field } : { token: at, text: String(at) };
  return {
    position: at,
    ...own,
    field,
    protocol: '',
    fieldMeaning: `meaning of ${field}`,
    probability: 0.5,
    rank: wrong ? 2 : 1,
    surpriseBits: 1,
    entropyBits: 1.25,
    verdict: 'free',
    expected: [{ ...(wrong ? { token: 99, text: '99' } : own), probability: 0.5, meaning: 'a <guess>' }],
    layers: Array.from({ length: layers }, (_, i) => ({
      delta: 0.01 * (at + 1) * (i + 1),
      decay: 0.9,
      gate: 0.5,
      stateNorm: at + 1,
      stateChange: 1,
    })),
  };
}

function explanation(tokens: ExplainedToken[]): Explanation {
  const fields = [
    { field: 'flags', protocol: '', tokens: 1, bits: 3, entropyBits: 1, law: 0, free: 1, broken: 0 },
  ];
  return {
    format: 'netssm-explanation',
    model: 'toy',
    label: 'web',
    labelGiven: true,
    layout: 'compact-rel',
    packet: 4,
    summary: 'IP a > b: Flags [S]',
    contextPackets: 4,
    contextTokens: 30,
    tokens,
    fields,
    bits: tokens.length,
    entropyBits: 1,
    law: 0,
    free: tokens.length,
    broken: 0,
  };
}

const heightOf = (svg: string) => Number(/ height="(\d+)"/.exec(svg)![1]);
const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);

describe('explainFigure', () => {
  let svg: string;
  beforeAll(() => {
    const tokens = [token(0, 'head', 2), token(1, 'flags', 2, true), token(2, '<|pkt|>', 2)];
    svg = explainFigure(explanation(tokens));
  });

  test('a column a token: its field, what came, what was expected, bits, a number for each layer', () => {
    const texts = textsOf(svg);
    expect(texts[0]).toBe('packet 4 of web, read by toy: 3.0 bits in 3 tokens');
    const names = [
      'head',
      'flags',
      escapeText('<|pkt|>'),
      'what came',
      'expected',
      'surprise, bits',
      'entropy, bits',
    ];
    expect(texts).toEqual(expect.arrayContaining(names));
    for (const layer of [0, 1])
      expect(texts).toEqual(expect.arrayContaining([`1000 Delta, layer ${layer}`, `|h|, layer ${layer}`]));
    // Delta of layer 1: 0.02, 0.04, 0.06, the middle one of layer 0 0.02; the norm of h in either layer: 1, 2, 3.
    expect(texts.filter((text) => ['20', '40', '60'].includes(text))).toHaveLength(4);
    expect(texts.filter((text) => text === 'free')).toHaveLength(3);
    // Only the token that was expected otherwise is framed.
    expect(svg.match(/stroke-width="1.5"/g)).toHaveLength(1);
    expect(explainFigure(explanation([token(0, 'head', 2)]), 5)).toContain('packet 5 of web');
  });

  test('long packets go on below; many layers have flat rows without numbers; the words are safe', () => {
    const many = Array.from({ length: 50 }, (_, i) => token(i, `field ${i % 9}`, 2));
    const [one, three] = [explanation(many.slice(0, 21)), explanation(many)].map((e) =>
      heightOf(explainFigure(e)),
    );
    expect(three - 44).toBe(3 * (one - 44));
    const deep = explainFigure(explanation([token(0, 'head', 24)]));
    expect(textsOf(deep)).toEqual(expect.arrayContaining(['1000 Delta, layer 0', '1000 Delta, layer 23']));
    expect(textsOf(deep)).not.toContain('1000 Delta, layer 11');
    expect(svg).not.toContain('a <guess>');
    // Nothing is drawn beyond the picture.
    for (const [, x] of svg.matchAll(/ x="([\d.]+)"/g)) expect(Number(x)).toBeLessThan(900);
  });
});

test('bits by field: surprise beside entropy, the dearest on top', () => {
  const row = (field: string, bits: number) => ({
    field,
    protocol: field === 'flags' ? 'tcp' : '',
    tokens: 2,
    bits,
    entropyBits: bits / 2,
    law: 1,
    free: 1,
    broken: 0,
  });
  const { data } = fieldBits([row('flags', 1), row('port', 14), row('mask', 3)], { most: 2 });
  expect(data.map(({ y, x }) => [y, x])).toEqual([
    [
      ['mask', 'port'],
      [3, 14],
    ],
    [
      ['mask', 'port'],
      [1.5, 7],
    ],
  ]);
  expect(fieldBits([row('flags', 1)]).data[0].y).toEqual(['tcp flags']);
  const capture = { label: 'web', packets: [{ packet: 3, tokens: 4, bits: 9, entropyBits: 8, law: 2 }] };
  expect(packetBits(capture as Parameters<typeof packetBits>[0]).data.map(({ x, y }) => [x, y])).toEqual([
    [[3], [9]],
    [[3], [8]],
  ]);
});

test('one draw: bars of the candidates, the drawn one marked, also where it is not among them', () => {
  const candidates = [
    { token: 1, text: '1', probability: 0.6, drawProbability: 0.9, meaning: 'from the server' },
    { token: 2, text: '2', probability: 0.3, drawProbability: 0.1 },
  ];
  const step = (position: number, drawn: number) => ({
    position,
    token: drawn,
    text: String(drawn),
    packet: 0,
    attempt: 0,
    field: 'head',
    protocol: '',
    probability: drawn === 1 ? 0.6 : 0.01,
    drawProbability: drawn === 1 ? 0.9 : 0.01,
    surpriseBits: 0.7,
    entropyBits: 1.3,
    candidates,
  });
  const through = { steps: [step(1, 1), step(2, 77)] } as unknown as StepThrough;
  const [first, second] = [stepFigure(through, 0), stepFigure(through, 1)];
  expect(textsOf(first)).toEqual(
    expect.arrayContaining(['1  from the server', '60 %, drawn with 90 %  ◀ drawn', 'the packet begins']),
  );
  expect(textsOf(second)).toEqual(expect.arrayContaining(['77', '1.0 %  ◀ drawn', '1']));
  expect(heightOf(first)).toBe(heightOf(second));
});
