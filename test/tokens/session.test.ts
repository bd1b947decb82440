import { describe, expect, it } from 'vitest';
import {
  decodeTokens,
  encodeSession,
  END_OF_TEXT,
  FIRST_LABEL,
  getLayout,
  PADDING,
  PKT,
  SequenceDecoder,
  Vocabulary,
} from '../../src/tokens';
import { Rng } from '../../src/util';
import { DNS, ETHERNET, frame, hex, SYN, UDP6 } from './frames';

const vocabulary = new Vocabulary(['mqtt', 'web']);
const compact = getLayout('compact');
const paper = getLayout('paper-94');
const ARP = hex(`${ETHERNET} 08 06 00 01`);

describe('encodeSession', () => {
  it('ours: label, every packet closed by <|pkt|>, then <|endoftext|>', () => {
    const { tokens, packets, refusals } = encodeSession(
      [SYN, ARP, UDP6].map((d) => frame(d)),
      'web',
      vocabulary,
      compact,
    );
    expect([...tokens]).toEqual([FIRST_LABEL + 1, ...SYN, PKT, ...UDP6, PKT, END_OF_TEXT]);
    expect(packets).toBe(2);
    expect(refusals).toEqual([
      {
        code: 'not_ip',
        layer: 'compact',
        offset: 12,
        message: 'EtherType 0x0806 is not IP',
        packet: 1,
        token: -1,
      },
    ]);
  });

  it("the paper's: packets joined by <|pkt|>, and no end", () => {
    const { tokens } = encodeSession(
      [SYN, UDP6].map((d) => frame(d)),
      'mqtt',
      vocabulary,
      paper,
    );
    const zeros = (n: number) => Array(n).fill(0) as number[];
    expect([...tokens]).toEqual([FIRST_LABEL, ...SYN, ...zeros(20), PKT, ...UDP6, ...zeros(32)]);
  });

  it('knows its labels', () => {
    expect(() => encodeSession([], 'ftp', vocabulary, compact)).toThrow('unknown label "ftp"');
  });
});

describe.each(['compact-rel', 'compact', 'paper-94'])('%s: decodeTokens', (name) => {
  const layout = getLayout(name, { checksums: 'keep' });
  it('gives back what was encoded, first and last packet included', () => {
    const frames = [SYN, DNS, UDP6].map((d) => frame(d));
    const { tokens } = encodeSession(frames, 'web', vocabulary, layout);
    const back = decodeTokens(tokens, vocabulary, layout);
    expect(back.label).toBe('web');
    expect(back.packets.map((p) => p.data)).toEqual([SYN, DNS.subarray(0, 54), UDP6]);
    expect(back.refusals).toEqual([]);
    expect(back.ended).toBe(name !== 'paper-94');
  });

  it('never throws on any numbers', () => {
    const rng = new Rng(3);
    const { tokens } = encodeSession(
      [SYN, DNS, UDP6].map((d) => frame(d)),
      'web',
      vocabulary,
      layout,
    );
    const codes = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const run = [...tokens.slice(0, rng.int(tokens.length + 1))];
      for (let k = rng.int(3); k > 0; k--) run[rng.int(tokens.length)] = rng.int(300) - 2;
      for (let k = 0; k < run.length; k++) run[k] ??= NaN;
      const { refusals } = decodeTokens(run, vocabulary, layout);
      for (const refusal of refusals) codes.add(refusal.code);
    }
    const own =
      name === 'compact-rel' ? ['packet_cut', 'trailing_bytes', 'link_header'] : ['not_ip', 'not_tcp_or_udp'];
    for (const code of ['special_token', 'unfinished', ...own]) expect(codes).toContain(code);
  });
});

describe('decodeTokens', () => {
  const decode = (tokens: number[], layout = compact) => {
    const { packets, refusals, label, ended } = decodeTokens(tokens, vocabulary, layout);
    return {
      packets: packets.length,
      refusals: refusals.map((r) => `${r.code} ${r.packet} ${r.token}`),
      label,
      ended,
    };
  };

  it('places its refusals', () => {
    expect(decode([FIRST_LABEL, ...UDP6, PKT, PKT, 1, 2, PKT, 5, PADDING, 6, PKT, 9])).toEqual({
      packets: 1,
      refusals: ['empty 1 64', 'ethernet_cut 2 65', 'special_token 3 68', 'unfinished 4 72'],
      label: 'mqtt',
      ended: false,
    });
  });

  it('takes <|pkt|> after the label as "packets before this one are not shown"', () => {
    expect(decode([FIRST_LABEL, PKT, ...UDP6, PKT])).toMatchObject({ packets: 1, refusals: [] });
  });

  it('reads without a label, and nothing after <|endoftext|>', () => {
    expect(decode([...UDP6, END_OF_TEXT, 1, 2, 3])).toEqual({
      packets: 1,
      refusals: [],
      label: undefined,
      ended: true,
    });
  });

  it("closes the paper's last packet at its full width only", () => {
    const full = [...UDP6, ...(Array(32).fill(0) as number[])];
    expect(decode([FIRST_LABEL, ...full], paper)).toMatchObject({ packets: 1, refusals: [] });
    expect(decode([FIRST_LABEL, ...full.slice(1)], paper)).toMatchObject({
      packets: 0,
      refusals: ['unfinished 0 1'],
    });
  });

  it('works token by token', () => {
    const decoder = new SequenceDecoder(compact);
    const results = [...UDP6, PKT].map((token) => decoder.push(token));
    expect(results.slice(0, -1).every((r) => r === undefined)).toBe(true);
    expect(results.at(-1)).toMatchObject({ ok: true, packet: { data: UDP6 } });
  });
});
