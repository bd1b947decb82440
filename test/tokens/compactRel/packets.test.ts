import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeTokens, encodePackets, encodeSession, getLayout, PKT, Vocabulary } from '../../../src/tokens';
import type { Frame } from '../../../src/capture';
import { projectRoot } from '../../../src/util';
import { DNS, frame, hex, SYN, tagged, UDP6 } from '../frames';
import { tcpFrame } from './sequences';

/** Tokens of a sequence's packets, as hex. */
const tokensOf = (frames: readonly Frame[], checksums: 'keep' | 'drop' = 'drop') => {
  const encoder = getLayout('compact-rel', { checksums }).encoder({ linkType: frames[0].linkType });
  return frames.map((f) => {
    const result = encoder.encode(f);
    return result.ok ? Buffer.from(result.bytes).toString('hex') : `!${result.refusal.code}`;
  });
};
const plain = (text: string) => text.replace(/\s+/g, '');

const [FIN, SYN_, RST, ACK] = [1, 2, 4, 16];
const timestamps = (value: number, echo: number) => [
  ...[1, 1, 8, 10],
  ...[value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255],
  ...[echo >>> 24, (echo >> 16) & 255, (echo >> 8) & 255, echo & 255],
];
const there = { from: 0x0a000001, to: 0x0a000002, sourcePort: 49152, destinationPort: 80 };
const back = { from: 0x0a000002, to: 0x0a000001, sourcePort: 80, destinationPort: 49152 };

describe('a first packet', () => {
  it('TCP: addresses, ports, flags, masks, then what is new', () => {
    expect(tokensOf([frame(SYN)])).toEqual([
      // SYN; mask: seq, window, xmask; xmask: template, link, IP id. Template: MSS, SACK permitted, timestamps, scale.
      plain(`fe 00  ff 0a000001  ff 0a000002  0050 c000  02  a4 a4  f9 00000001  faf0
        ff 0c 020405b4 0402 080a 01030307  fe 00000001 01  1234  0e 020000000002 020000000001 0800`),
    ]);
  });

  it('UDP: payload bytes verbatim; TTL, TOS and fragmentation where they are unusual', () => {
    expect(tokensOf([frame(DNS)])).toEqual([
      // mask: length, payload verbatim, xmask; xmask: id off by 1, TTL/TOS/frag (no DF), link.
      plain(`fe 01 ff 0a000001 ff 0a000002 0035 c001  85 07
        0013  abcd 0100 0001 0000 0000 0000  01  40 00 0000  0e 020000000002 020000000001 0800`),
    ]);
    expect(tokensOf([frame(DNS)], 'keep')[0].slice(-4)).toBe('1234');
  });

  it('UDP cut behind its header: the mask says so, and the length stays', () => {
    const cut = { ...frame(DNS), data: frame(DNS).data.slice(0, 42) };
    const again = { ...cut, data: cut.data.slice() };
    again.data[19]++; // IP id
    expect(tokensOf([cut, again])).toEqual([
      plain(`fe 01 ff 0a000001 ff 0a000002 0035 c001  87 07
        0013  01  40 00 0000  0e 020000000002 020000000001 0800`),
      // UDP flow 0 from the client; mask: payload absent; the IP checksum of the first stays wrong: no class told.
      expect.stringMatching(/^a0(06|8608)/),
    ]);
    const { tokens } = encodeSession([cut], 'a', new Vocabulary(['a']), getLayout('compact-rel'));
    const { packets } = decodeTokens(tokens, new Vocabulary(['a']), getLayout('compact-rel'));
    expect([packets[0].data.length, packets[0].wireLen]).toEqual([42, frame(DNS).wireLen]);
  });

  it('IPv6: 16 bytes of address; the link header is the one made up from them', () => {
    expect(tokensOf([frame(UDP6)])).toEqual([
      plain(`fe 03 ff fe80 0000000000000000 000000000001 ff fe80 0000000000000000 000000000002
        0035 c001  05  0000`),
    ]);
  });
});

describe('a connection', () => {
  const connection = [
    tcpFrame({ ...there, seq: 1000, ack: 0, flags: SYN_, id: 1 }),
    tcpFrame({ ...back, seq: 5000, ack: 1001, flags: SYN_ | ACK, window: 2000 }),
    tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK, id: 2 }),
    tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK | 8, length: 100, id: 3 }),
    tcpFrame({ ...back, seq: 5001, ack: 1101, flags: ACK, window: 2000 }),
    tcpFrame({ ...back, seq: 5001, ack: 1101, flags: ACK, window: 2000, length: 1460 }),
    tcpFrame({ ...back, seq: 6461, ack: 1101, flags: ACK, window: 2000, length: 1460 }),
    tcpFrame({ ...there, seq: 1101, ack: 6461, flags: ACK, id: 4 }),
    tcpFrame({ ...there, seq: 1101, ack: 7921, flags: ACK, id: 5, window: 900 }),
    tcpFrame({ ...back, seq: 5001, ack: 1101, flags: ACK, window: 2000, length: 1460 }),
    tcpFrame({ ...there, seq: 1101, ack: 7921, flags: ACK | FIN, id: 6, window: 900 }),
    tcpFrame({ ...back, seq: 7921, ack: 1102, flags: ACK | FIN, window: 2000 }),
    tcpFrame({ ...there, seq: 1102, ack: 7922, flags: ACK, id: 7, window: 900 }),
    tcpFrame({ ...there, seq: 0, ack: 0, flags: RST, id: 9, window: 0 }),
  ];

  it('takes three bytes a packet where all is as expected', () => {
    expect(tokensOf(connection)).toEqual([
      plain(`fe 00 ff 0a000001 ff 0a000002 0050 c000 02 a4 05 f9 000003e8 03e8 01
        0e 020000000002 020000000001 0800`),
      // ACK of everything; its own sequence number; another window. Link header: the other's, swapped.
      plain('01 12 2c f9 00001388 07d0'),
      // Everything that the peer has sent is acknowledged; the IP id counts.
      plain('00 10 08'),
      plain('00 18 02 0064'),
      plain('01 10 08'),
      plain('01 10 02 05b4'),
      plain('01 10 01'),
      // Entry 0 of the peer's unacknowledged ends.
      plain('00 10 10 00'),
      plain('00 10 28 0384'),
      // Retransmission: 2 + zigzag(5001 - 7921) = 2 + 5839 = 5841 = 4320 + 1521.
      plain('01 10 05 f0 05f1'),
      plain('00 11 00'),
      plain('01 11 08'),
      plain('00 10 08'),
      // RST: explicit sequence number, 2 + zigzag(-1102) = 2205 = 224 + 1981; window 0; IP id 9 instead of 8.
      plain('00 04 a4 01 e7bd 0000 01'),
    ]);
  });

  it('decodes to the same headers, with the lengths of the payloads', () => {
    const vocabulary = new Vocabulary(['web']);
    const layout = getLayout('compact-rel');
    const { tokens, linkType } = encodeSession(connection, 'web', vocabulary, layout);
    const session = decodeTokens(tokens, vocabulary, layout, { linkType });
    expect(session.refusals).toEqual([]);
    expect(session.packets.map((p) => [p.wireLen, p.linkType, p.problems.length])).toEqual(
      connection.map((f) => [f.wireLen, 1, 0]),
    );
    session.packets.forEach(({ data }, i) => {
      const expected = connection[i].data.slice();
      // The frames were made without TCP checksums; right ones come back where there is no payload.
      expected.set(data.subarray(50, 52), 50);
      expect(data).toEqual(expected);
      expect([...data.subarray(50, 52)].some((b) => b !== 0)).toBe(connection[i].wireLen === data.length);
    });
    expect(encodePackets(session.packets, vocabulary.labelId('web'), layout)).toEqual(tokens);
    // A part of it, from the empty state: the fourth packet opens the flow. Mask: L, seq, ack, window, xmask.
    const part = encodePackets(session.packets.slice(3, 4), 260, layout, { prefix: [PKT], end: false });
    expect([...part]).toEqual([
      260,
      PKT,
      ...hex(`fe 00 ff 0a000001 ff 0a000002 0050 c000 18 be 05
        0064 f9 000003e9 f9 00001389 03e8 03 0e 020000000002 020000000001 0800`),
      PKT,
    ]);
  });
});

describe('timestamps and SACK', () => {
  const open = [
    tcpFrame({ ...there, seq: 1000, ack: 0, flags: SYN_, options: timestamps(100, 0) }),
    tcpFrame({ ...back, seq: 5000, ack: 1001, flags: SYN_ | ACK, options: timestamps(900, 100) }),
    tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK, options: timestamps(104, 900) }),
  ];

  it('timestamps: steps and echoes', () => {
    const tokens = tokensOf([
      ...open,
      // Same echo as before, also the peer's last value: code 0 goes first.
      tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK, options: timestamps(108, 900) }),
      // A clock that goes back, an echo of nothing known.
      tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK, options: timestamps(107, 895) }),
    ]);
    expect(tokens[0].slice(-42, -30)).toBe(plain('fe 00000064 01'));
    expect(tokens[1].slice(-12)).toBe(plain('fe 00000384 00'));
    // Mask: ack of everything, timestamps only. Step 4 with the peer's value: V(2 * 4 + 0).
    expect(tokens[2]).toBe(plain('00 10 48 08'));
    expect(tokens[3]).toBe(plain('00 10 40 08'));
    expect(tokens[4]).toBe(plain('00 10 40 ff 01 02 09'));
  });

  it('SACK: the peer has sent up to 8,000, blocks named again, then forgotten', () => {
    const sack = (...edges: number[]) => [
      1,
      1,
      5,
      2 + 4 * edges.length,
      ...edges.flatMap((e) => [0, 0, e >> 8, e & 255]),
    ];
    const tokens = tokensOf([
      tcpFrame({ ...there, seq: 1, ack: 1, flags: ACK, length: 999, window: 1 }),
      tcpFrame({ ...there, seq: 7000, ack: 1, flags: ACK, length: 1000, window: 1 }),
      // Left edge relative to the acknowledgement, 4 + zigzag(6000); right edge to the end of what the peer sent.
      tcpFrame({ ...back, seq: 1, ack: 1000, flags: ACK, options: sack(7000, 8000) }),
      tcpFrame({ ...back, seq: 1, ack: 1000, flags: ACK, options: sack(5000, 6000, 7000, 8000) }),
      tcpFrame({ ...back, seq: 1, ack: 6000, flags: ACK }),
      tcpFrame({ ...back, seq: 1, ack: 6000, flags: ACK, options: sack(7000, 8000) }),
    ]);
    expect(tokens[2].slice(-10)).toBe(plain('02 f0 1e04 00'));
    // Slot 3; 4 + zigzag(5000 - 7000) = 4003, zigzag(6000 - 8000) = 3999; then block 0 of the last SACK.
    expect(tokens[3]).toBe(plain('01 10 80 20 03 ee c3 ee bf 00'));
    // The acknowledgement has passed the first block: the second one is now block 0.
    expect(tokens[5]).toBe(plain('01 10 80 20 02 00'));
  });
});

describe('flows', () => {
  it('rank by recency; a SYN on ports in use begins anew', () => {
    const other = { ...there, sourcePort: 49153 };
    const tokens = tokensOf([
      tcpFrame({ ...there, seq: 1, ack: 0, flags: SYN_ }),
      tcpFrame({ ...other, seq: 1, ack: 0, flags: SYN_ }),
      tcpFrame({ ...there, seq: 1, ack: 0, flags: SYN_ }),
      tcpFrame({ ...back, seq: 7, ack: 2, flags: SYN_ | ACK }),
      tcpFrame({ ...there, seq: 77, ack: 0, flags: SYN_ }),
    ]);
    // The second flow names its addresses by slot, and predicts what is known of the host.
    expect(tokens[1]).toBe(plain('fe 00 00 01 0050 c001 02 24 f9 00000001 03e8'));
    // A repeated SYN is expected.
    expect(tokens[2]).toBe(plain('02 02 00'));
    expect(tokens[3].slice(0, 4)).toBe('0112');
    expect(tokens[4]).toBe(plain('00 02 04 f9 0000004d'));
  });

  it('VLAN tags belong to the link header', () => {
    const tag = '81 00 00 05';
    const [first, second] = tokensOf([frame(tagged(SYN, tag)), frame(tagged(SYN, tag))]);
    expect(first.endsWith(plain(`12 020000000002 020000000001 ${tag} 0800`))).toBe(true);
    // Template slot 8, no step of the timestamp, IP id one less than expected.
    expect(second).toBe(plain('00 02 80 21 08 01 ff'));
  });
});

describe('docs/formats.md', () => {
  it('its worked packets have the tokens that it shows', () => {
    const text = readFileSync(join(projectRoot, 'docs', 'formats.md'), 'utf8');
    const section = text.slice(
      text.indexOf('### Four packets, worked'),
      text.indexOf('### Irregular packets'),
    );
    const [syn, ack, data] = [...section.matchAll(/```\n([0-9a-f\s]+)```/g)].map((m) => frame(hex(m[1])));
    // Tables: the numbers of each first column, without the closing <|pkt|>.
    const tables = section
      .split('| tokens | meaning |')
      .slice(1)
      .map((t) => [...t.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((m) => m[1].split(/[ ,]+/).map(Number)))
      .map((tokens) => tokens.filter((token) => token !== PKT));
    const synAck = /`([\d ]{20,})`/.exec(section)![1].split(' ').map(Number);
    const layout = getLayout('compact-rel');
    const decoder = layout.decoder();
    const answer = [tables[0], synAck].map((tokens) => decoder.decode(Uint8Array.from(tokens)))[1];
    if (!answer.ok) throw new Error(answer.refusal.code);
    const frames = [syn, frame(answer.packet.data), ack, data];
    expect(tokensOf(frames)).toEqual(
      [tables[0], synAck, tables[1], tables[2]].map((t) => Buffer.from(t).toString('hex')),
    );
    expect(tokensOf(frames, 'keep')[3].slice(-4)).toBe('9a31');
  });
});
