import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import { decodePacket, encodePacket, layer, type Packet } from '../../src/packets';
import { collectInputs, getLayout } from '../../src/tokens';
import { projectRoot } from '../../src/util';
import {
  annotateTokens,
  fieldKind,
  fieldRanges,
  headerDiagram,
  packetHtml,
  tokenStrip,
  tokenText,
} from '../../src/viz';

const captures = join(projectRoot, 'data', 'captures');
const ethernet = layer('ethernet', { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' });
const ipv4 = layer('ipv4', { source: '192.0.2.1', destination: '192.0.2.80' });
const syn = layer('tcp', {
  sourcePort: 50000,
  destinationPort: 80,
  sequenceNumber: 7,
  flags: 2,
  options: [{ kind: 'mss', value: 1460 }, { kind: 'nop' }, { kind: 'windowScale', shift: 7 }],
});
const packetOf = (...layers: Parameters<typeof encodePacket>[0]): Packet =>
  decodePacket(encodePacket(layers), 1);

const made: Record<string, Packet> = {
  tcp: packetOf(ethernet, ipv4, syn),
  arp: packetOf(ethernet, layer('arp', { targetProtocolAddress: '192.0.2.9' })),
  dns: packetOf(
    ethernet,
    ipv4,
    layer('udp', { sourcePort: 9 }),
    layer('dns', { questions: [{ name: 'a.b', type: 1, class: 1 }] }),
  ),
  vxlan: packetOf(
    ethernet,
    ipv4,
    layer('udp'),
    layer('vxlan', { networkIdentifier: 42 }),
    ethernet,
    ipv4,
    layer('icmp', { type: 8 }),
  ),
  ipv6: packetOf(
    ethernet,
    layer('vlan', { identifier: 5 }),
    layer('ipv6', { source: '2001:db8::1' }),
    layer('icmpv6', { type: 128 }),
  ),
};

describe('field ranges', () => {
  test.each(Object.entries(made))(
    '%s: every bit of every header is in exactly one field',
    (_name, packet) => {
      const seen = new Uint8Array(packet.payloadOffset * 8);
      for (const { bit, bits } of fieldRanges(packet)) for (let i = bit; i < bit + bits; i++) seen[i]++;
      expect([...seen].filter((times) => times !== 1)).toEqual([]);
    },
  );

  test('places and values of a TCP header; options have names and values of their own', () => {
    const found = fieldRanges(made.tcp).filter(({ protocol }) => protocol === 'tcp');
    const of = (name: string) => found.find((range) => range.name === name);
    expect(of('destinationPort')).toMatchObject({ bit: 36 * 8, bits: 16, value: '80' });
    expect(of('dataOffset')).toMatchObject({ bit: 46 * 8, bits: 4, value: '7' });
    expect(of('maximum segment size')).toMatchObject({ bit: 54 * 8, bits: 32, value: 'mss 1460' });
    expect(of('NOP')).toMatchObject({ bit: 58 * 8, bits: 8, value: '01' });
    expect(of('window scale')).toMatchObject({ bit: 59 * 8, bits: 24, value: 'wscale 7' });
  });

  test('the four addresses of ARP', () => {
    const names = fieldRanges(made.arp).map(({ name, value }) => `${name} ${value}`);
    expect(names).toContain('targetProtocolAddress 192.0.2.9');
    expect(names.filter((name) => /Address/.test(name))).toHaveLength(4);
  });

  test('never throws on cut and random packets, and stays inside the bytes', () => {
    for (let cut = 0; cut <= made.vxlan.bytes.length; cut++) {
      const packet = decodePacket(made.vxlan.bytes.slice(0, cut), 1);
      for (const { bit, bits } of fieldRanges(packet)) expect(bit + bits).toBeLessThanOrEqual(cut * 8);
      expect(packetHtml(packet)).toContain('netssm-packet');
    }
  });
});

describe('pictures of a packet', () => {
  test('each byte is a cell that names its fields; problems frame their byte', () => {
    const bytes = made.tcp.bytes.slice();
    bytes[24] ^= 1; // the IPv4 header checksum
    const html = packetHtml(decodePacket(bytes, 1));
    expect(html.match(/class="x /g)).toHaveLength(62);
    expect(html).toContain('title="byte 36: tcp destinationPort = 80"');
    expect(html).toContain('title="byte 46: tcp dataOffset = 7, tcp reserved = 0"');
    expect(html).toMatch(/class="x [^"]* w"[^>]*title="byte 24:/);
    expect(html).toContain('ipv4_checksum_wrong</b> at byte 24');
    expect(html).not.toContain('<script');
  });

  test('the same packet gives the same markup; text is escaped', () => {
    expect(packetHtml(made.tcp)).toBe(packetHtml(made.tcp));
    expect(packetHtml(made.tcp, { title: '<b>' })).toContain('&#60;b&#62;');
    expect(packetHtml(made.vxlan, { limit: 32 })).toContain(`${made.vxlan.bytes.length - 32} more bytes`);
  });

  test('a header diagram has a box for each field, as wide as its bits', () => {
    const svg = headerDiagram(made.tcp, 'tcp');
    const boxes = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"[^>]*><title>([^<]*)/g)];
    const box = (name: string) => boxes.find((match) => match[4].startsWith(name))!;
    expect(Number(box('sourcePort')[3])).toBe(16 * 22);
    expect(Number(box('dataOffset')[3])).toBe(4 * 22);
    expect(Number(box('sequenceNumber')[2]) - Number(box('sourcePort')[2])).toBe(40);
    // seven words of 32 bits, all filled
    const area = boxes.reduce((sum, match) => sum + Number(match[3]), 0);
    expect(area).toBe(7 * 32 * 22);
    expect(() => headerDiagram(made.tcp, 'udp')).toThrow(/no udp header/);
  });

  test('colours: TCP flags stand out, those of IP do not', () => {
    expect(fieldKind('flags', 'tcp')).toBe('flags');
    expect(fieldKind('flags', 'ipv4')).toBe('ip');
    expect(fieldKind('etherType', 'ethernet')).toBe('link');
    expect(fieldKind('sequence number')).toBe('number');
    expect(fieldKind('timestamps and SACK')).toBe('options');
  });
});

describe('tokens by field', () => {
  const sessions: Frame[][] = [];
  beforeAll(async () => {
    const perLabel = new Map<string, number>();
    for (const { path, label } of collectInputs(captures)) {
      const taken = perLabel.get(label) ?? 0;
      perLabel.set(label, taken + 1);
      if (taken < 4) sessions.push((await readCapture(path)).frames);
    }
  });

  test.each([
    ['compact-rel', 'drop'],
    ['compact-rel', 'keep'],
    ['compact', 'keep'],
    ['paper-94', 'keep'],
    ['release-128', 'zero'],
  ] as const)('%s, %s: the tokens of the layout itself, all of them in fields', (name, checksums) => {
    const layout = getLayout(name, { checksums });
    let tokens = 0;
    for (const frames of sessions) {
      const encoder = layout.encoder({ linkType: frames[0].linkType });
      for (const { packet, tokens: own, fields } of annotateTokens(frames, layout)) {
        const result = encoder.encode(frames[packet]);
        if (!result.ok) throw new Error(result.refusal.message);
        if (Buffer.compare(own, result.bytes) !== 0) throw new Error(`packet ${packet}: other tokens`);
        let at = 0;
        for (const { from, to } of fields) {
          if (from !== at || to <= from) throw new Error(`packet ${packet}: token ${at} is in no field`);
          at = to;
        }
        expect(at).toBe(own.length);
        tokens += own.length;
      }
    }
    expect(sessions).toHaveLength(24);
    expect(tokens).toBeGreaterThan(40_000);
  });

  test('says what each token means', () => {
    const data = encodePacket([ethernet, ipv4, syn]);
    const frame = { data, wireLen: data.length, linkType: 1 };
    const [first, second] = annotateTokens([frame, frame]);
    const meaning = (name: string) => first.fields.find((field) => field.name === name)?.meaning;
    expect(meaning('kind')).toBe('TCP over IPv4');
    expect(meaning('source address')).toBe('new: 192.0.2.1');
    expect(meaning('destination port')).toBe('80');
    expect(meaning('flags')).toBe('flags S');
    expect(second.fields[0]).toMatchObject({
      name: 'head',
      meaning: 'the TCP flow used last, from its client',
    });
  });

  test('a list of options is new once, then known by its number', () => {
    const data = encodePacket([ethernet, ipv4, syn]);
    const other = encodePacket([ethernet, ipv4, { ...syn, sourcePort: 50001 }]);
    const packets = [data, other].map((bytes) => ({ data: bytes, wireLen: bytes.length, linkType: 1 }));
    const templates = annotateTokens(packets).map(({ tokens, fields }) => {
      const { from, to, meaning } = fields.find(({ name }) => name === 'option template')!;
      return { tokens: [...tokens.subarray(from, to)], meaning };
    });
    const list = [2, 4, 1460 >> 8, 1460 & 255, 1, 3, 3, 7]; // MSS, no operation, window scale
    expect(templates).toEqual([
      { tokens: [255, 8, ...list], meaning: 'a new list of options, 8 bytes' },
      { tokens: [8], meaning: 'list of options 8' },
    ]);
  });

  test('a refused packet has its reason instead of tokens', () => {
    const [arp] = annotateTokens([{ data: made.arp.bytes, wireLen: 42, linkType: 1 }]);
    expect(arp.tokens).toHaveLength(0);
    expect(arp.refusal).toMatch(/^not_ip: /);
  });

  test('a strip has a box for each field and frames a wrong token', () => {
    const data = encodePacket([ethernet, ipv4, syn]);
    const [packet] = annotateTokens([{ data, wireLen: data.length, linkType: 1 }]);
    const row = { title: 'SYN', packet, end: '<|pkt|>', wrong: { at: 1, message: 'no such kind' } };
    const html = tokenStrip([row]);
    expect(html.match(/class="g"/g)).toHaveLength(packet.fields.length + 1);
    expect(html.match(/<b class="w">/g)).toHaveLength(1);
    expect(html).toContain(`· ${packet.tokens.length + 1} tokens`);
    expect(html).toContain('&#60;|pkt|&#62;');
    expect(tokenText(row)).toContain('  kind: 0  (TCP over IPv4)\n');
  });
});
