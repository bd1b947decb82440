import { describe, expect, it } from 'vitest';
import {
  decodeFrame,
  decodePacket,
  encodePacket,
  findLayer,
  formatIpv6,
  formatMac,
  getBits,
  hexdump,
  internetChecksum,
  layer,
  MAX_LAYERS,
  parseIpv4,
  parseIpv6,
  parseMac,
  payloadBytes,
  payloadLength,
  setBits,
  show,
  summarize,
  TcpFlag,
} from '../../src/packets';
import { NetssmError, Rng } from '../../src/util';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const codes = (bytes: Uint8Array, wireLen?: number, linkType = 1) =>
  decodePacket(bytes, linkType, { wireLen }).problems.map((p) => p.code);

// A SYN from 192.0.2.1:51000 to 198.51.100.2:443, written out by hand; its checksums added up by hand.
const SYN = bytesOf(`
  00005e005302 00005e005301 0800
  45 00 0028 1234 40 00 40 06 3c65 c0000201 c6336402
  c738 01bb 000003e8 00000000 50 02 faf0 fbde 0000`);

describe('internetChecksum', () => {
  it('gives the sum of the example in RFC 1071, section 3', () => {
    // 0001 + f203 + f4f5 + f6f7 = 2ddf0, folded ddf2; the checksum is its complement.
    expect(internetChecksum(bytesOf('0001 f203 f4f5 f6f7'))).toBe(0xffff - 0xddf2);
  });

  it('counts an odd last byte as a high half, and is zero over data with its checksum', () => {
    expect(internetChecksum(bytesOf('01'))).toBe(0xfeff);
    expect(internetChecksum(bytesOf('0001 f203 f4f5 f6f7 220d'))).toBe(0);
    expect(internetChecksum(new Uint8Array(0))).toBe(0xffff);
    // 65,535 bytes of ff pass 2^31 and must not wrap.
    expect(internetChecksum(new Uint8Array(65_535).fill(0xff))).toBe(0x00ff);
  });
});

describe('bit fields', () => {
  it('are read and written where the RFC puts them, leaving their neighbours', () => {
    const rng = new Rng(5);
    for (let i = 0; i < 2000; i++) {
      const bits = 1 + rng.int(32);
      const field = { bit: rng.int(64), bits };
      const data = Uint8Array.from({ length: 13 }, () => rng.int(256));
      const before = data.slice();
      const value = rng.uint32() % 2 ** bits;
      setBits(data, 1, field, value);
      expect(getBits(data, 1, field)).toBe(value);
      const text = (d: Uint8Array) => [...d].map((b) => b.toString(2).padStart(8, '0')).join('');
      const start = 8 + field.bit;
      expect(text(data).slice(start, start + bits)).toBe(value.toString(2).padStart(bits, '0'));
      expect(text(data).slice(0, start)).toBe(text(before).slice(0, start));
      expect(text(data).slice(start + bits)).toBe(text(before).slice(start + bits));
    }
  });
});

describe('addresses', () => {
  it.each([
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010000000000010000000000000001', '2001:0:0:1::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['fe800000000000000000000000000000', 'fe80::'],
  ])('writes %s as RFC 5952 does: %s', (hex, text) => {
    expect(formatIpv6(bytesOf(hex), 0)).toBe(text);
    expect(parseIpv6(text)).toEqual(bytesOf(hex));
  });

  it('reads other spellings and refuses what is none', () => {
    expect(parseIpv6('::ffff:192.0.2.1')).toEqual(bytesOf('00000000000000000000ffffc0000201'));
    expect(parseIpv6('2001:DB8:0:0:0:0:0:1')).toEqual(bytesOf('20010db8000000000000000000000001'));
    expect(formatMac(parseMac('0-1B-44-11-3a-B7'), 0)).toBe('00:1b:44:11:3a:b7');
    for (const text of ['1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d', '']) {
      expect(() => parseIpv4(text)).toThrowError(NetssmError);
    }
    for (const text of ['1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::', 'g::']) {
      expect(() => parseIpv6(text)).toThrowError(/not an IPv6 address/);
    }
    expect(() => parseMac('00:1b:44:11:3a')).toThrowError(/not an MAC address|MAC/);
  });
});

describe('a SYN by hand', () => {
  it('is decoded field by field', () => {
    const packet = decodePacket(SYN, 1);
    expect(packet.layers.map((l) => [l.protocol, l.offset, l.length])).toEqual([
      ['ethernet', 0, 14],
      ['ipv4', 14, 20],
      ['tcp', 34, 20],
    ]);
    expect(findLayer(packet, 'ethernet')?.fields).toEqual({
      destination: '00:00:5e:00:53:02',
      source: '00:00:5e:00:53:01',
      etherType: 0x0800,
    });
    expect(findLayer(packet, 'ipv4')?.fields).toEqual({
      version: 4,
      headerLength: 5,
      dscp: 0,
      ecn: 0,
      totalLength: 40,
      identification: 0x1234,
      flags: 2,
      fragmentOffset: 0,
      timeToLive: 64,
      protocol: 6,
      headerChecksum: 0x3c65,
      source: '192.0.2.1',
      destination: '198.51.100.2',
      options: [],
    });
    expect(findLayer(packet, 'tcp')?.fields).toEqual({
      sourcePort: 51000,
      destinationPort: 443,
      sequenceNumber: 1000,
      acknowledgmentNumber: 0,
      dataOffset: 5,
      reserved: 0,
      flags: TcpFlag.SYN,
      window: 64240,
      checksum: 0xfbde,
      urgentPointer: 0,
      options: [],
    });
    expect([packet.problems, packet.payloadOffset, payloadLength(packet)]).toEqual([[], 54, 0]);
  });

  it('is encoded with lengths, checksums and protocol numbers computed', () => {
    const bytes = encodePacket([
      layer('ethernet', { source: '00:00:5e:00:53:01', destination: '00:00:5e:00:53:02' }),
      layer('ipv4', { source: '192.0.2.1', destination: '198.51.100.2', identification: 0x1234, flags: 2 }),
      layer('tcp', {
        sourcePort: 51000,
        destinationPort: 443,
        sequenceNumber: 1000,
        flags: 2,
        window: 64240,
      }),
    ]);
    expect(hexdump(bytes)).toBe(hexdump(SYN));
  });

  it('keeps numbers that are given, right or wrong', () => {
    const bytes = encodePacket([
      layer('ipv4', { headerChecksum: 0, totalLength: 9, protocol: 99, headerLength: 15 }),
      layer('tcp', { checksum: 0x1111, dataOffset: 2 }),
    ]);
    expect([bytes[0], bytes[3], bytes[9], bytes[10], bytes[11]]).toEqual([0x4f, 9, 99, 0, 0]);
    expect([bytes[32], bytes[36], bytes[37]]).toEqual([0x20, 0x11, 0x11]);
  });

  it('is shown in one line, as a tree and as bytes', () => {
    const packet = decodePacket(SYN, 1);
    expect(summarize(packet)).toBe(
      'IP 192.0.2.1.51000 > 198.51.100.2.443: Flags [S], seq 1000, win 64240, length 0',
    );
    const tree = show(packet).split('\n');
    expect(tree).toContain('ipv4  (bytes 14 to 33)');
    expect(tree).toContain('  headerChecksum = 0x3c65');
    expect(tree).toContain('  flags                = 2 [S]');
    expect(tree[tree.length - 1]).toBe('payload  (0 bytes captured)');
    expect(hexdump(SYN).split('\n')[3]).toBe(
      '0030  fa f0 fb de 00 00                                 ......',
    );
  });
});

describe('problems', () => {
  const changed = (at: number, ...values: number[]) => {
    const bytes = SYN.slice();
    bytes.set(values, at);
    return bytes;
  };

  it('name every header that is cut, and keep the layers before it', () => {
    const names = SYN.reduce<string[]>((all, _, n) => {
      const packet = decodePacket(SYN.subarray(0, n), 1, { wireLen: 54 });
      return [...all, `${packet.layers.length} ${packet.problems.map((p) => p.code).join()}`];
    }, []);
    expect(names.slice(0, 14)).toEqual(new Array<string>(14).fill('0 ethernet_truncated'));
    expect(names.slice(14, 34)).toEqual(new Array<string>(20).fill('1 ipv4_truncated'));
    expect(names.slice(34, 54)).toEqual(new Array<string>(20).fill('2 tcp_truncated'));
  });

  it.each([
    ['a wrong IPv4 checksum', changed(24, 0, 0), ['ipv4_checksum_wrong']],
    ['a wrong TCP checksum', changed(50, 0, 0), ['tcp_checksum_wrong']],
    ['version 5', changed(14, 0x55), ['ipv4_version']],
    ['a header of 16 bytes', changed(14, 0x44), ['ipv4_header_length']],
    ['a header of 60 bytes in 40', changed(14, 0x4f), ['ipv4_header_truncated']],
    [
      'a total length of 0',
      changed(16, 0, 0, 0x12, 0x34, 0x40, 0, 0x40, 6, 0x3c, 0x8d),
      ['ipv4_total_length_zero'],
    ],
    [
      'a total length of 19',
      changed(16, 0, 19, 0x12, 0x34, 0x40, 0, 0x40, 6, 0x3c, 0x7a),
      ['ipv4_total_length'],
    ],
    [
      'a total length of 41',
      changed(16, 0, 41, 0x12, 0x34, 0x40, 0, 0x40, 6, 0x3c, 0x64),
      ['ipv4_beyond_packet'],
    ],
    ['a TCP header of 16 bytes', changed(46, 0x40), ['tcp_data_offset', 'tcp_checksum_wrong']],
    ['a TCP header of 24 bytes in 20', changed(46, 0x60), ['tcp_beyond_packet', 'tcp_checksum_wrong']],
  ])('name %s', (_title, bytes, expected) => {
    expect(codes(bytes, 54)).toEqual(expected);
  });

  it('do not blame the packet for what the capture cut', () => {
    const full = encodePacket(
      decodePacket(SYN, 1).layers.map(({ protocol, fields }) => ({
        protocol,
        fields: {
          ...(fields as object),
          totalLength: undefined,
          headerChecksum: undefined,
          checksum: undefined,
        },
      })),
      new Uint8Array(1000).fill(7),
    );
    expect(codes(full, 1054)).toEqual([]);
    for (const bytes of [full.subarray(0, 54), full.subarray(0, 300)]) {
      // The checksum is of no use without the payload, so it is not judged, even when it is wrong.
      expect(codes(bytes, 1054)).toEqual([]);
      expect(codes(bytes)).toEqual([]);
      const wrong = bytes.slice();
      wrong[50] ^= 1;
      expect(codes(wrong, 1054)).toEqual([]);
      expect(payloadLength(decodePacket(bytes, 1))).toBe(1000);
    }
    expect(codes(full.subarray(0, 300), 300)).toEqual(['ipv4_beyond_packet']);
  });

  it('use the wire length that a frame knows', () => {
    const frame = { data: SYN, tsMicros: 0, tsNanos: 0, linkType: 1, interfaceId: 0 };
    const long = SYN.slice();
    long.set([0, 60, 0x12, 0x34, 0x40, 0, 0x40, 6, 0x3c, 0x51], 16);
    expect(decodeFrame({ ...frame, wireLen: 54 }).problems).toEqual([]);
    expect(decodeFrame({ ...frame, data: long, wireLen: 74 }).problems).toEqual([]);
    const [problem] = decodeFrame({ ...frame, data: long, wireLen: 54 }).problems;
    expect([problem.code, problem.offset]).toEqual(['ipv4_beyond_packet', 16]);
  });

  it('keep link-layer padding out of the payload', () => {
    const padded = new Uint8Array(60).fill(0xee);
    padded.set(SYN);
    const packet = decodePacket(padded, 1);
    expect([packet.problems, payloadLength(packet), payloadBytes(packet).length]).toEqual([[], 0, 0]);
    expect(encodePacket(packet.layers, padded.subarray(packet.payloadOffset))).toEqual(padded);
  });

  it('name TCP options whose lengths cannot be, keeping the bytes', () => {
    const withOptions = (hex: string) => {
      const options = bytesOf(hex);
      return encodePacket([
        layer('ipv4', { source: '192.0.2.1', destination: '192.0.2.2' }),
        layer('tcp', { options: [{ kind: 'malformed', data: options }] }),
      ]);
    };
    const kinds = (bytes: Uint8Array) => {
      const packet = decodePacket(bytes, 101);
      const tcp = findLayer(packet, 'tcp')!;
      return [packet.problems.map((p) => p.code).join(), ...tcp.fields.options.map((o) => o.kind)];
    };
    expect(kinds(withOptions('0101 0204 05b4 0000'))).toEqual(['', 'nop', 'nop', 'mss', 'eol']);
    expect(kinds(withOptions('0203 05 01'))).toEqual(['tcp_options_malformed', 'other', 'nop']);
    expect(kinds(withOptions('0200 05b4'))).toEqual(['tcp_options_malformed', 'malformed']);
    expect(kinds(withOptions('0101 01 08'))).toEqual([
      'tcp_options_malformed',
      'nop',
      'nop',
      'nop',
      'malformed',
    ]);
    expect(kinds(withOptions('0101 0812'))).toEqual(['tcp_options_malformed', 'nop', 'nop', 'malformed']);
    for (const hex of ['0203 05 01', '0200 05b4', '0101 01 08', '0000 00 07']) {
      const bytes = withOptions(hex);
      const packet = decodePacket(bytes, 101);
      expect(encodePacket(packet.layers)).toEqual(bytes);
    }
  });

  it('name UDP lengths that cannot be', () => {
    const udp = (length: number) =>
      encodePacket(
        [
          layer('ipv4', { source: '192.0.2.1', destination: '192.0.2.2' }),
          layer('udp', { length, checksum: 0 }),
        ],
        new Uint8Array(4),
      );
    expect(codes(udp(12), 32, 101)).toEqual([]);
    expect(codes(udp(10), 32, 101)).toEqual([]);
    expect(codes(udp(7), 32, 101)).toEqual(['udp_length']);
    expect(codes(udp(13), 32, 101)).toEqual(['udp_beyond_packet']);
  });

  it('name a link type that is not decoded, and an IP version that is none', () => {
    expect(codes(SYN, 54, 9999)).toEqual(['link_type_unsupported']);
    expect(codes(Uint8Array.of(0x95), 1, 101)).toEqual(['ip_version']);
    expect(codes(new Uint8Array(0), 0, 101)).toEqual(['ip_version']);
  });

  it('stop tunnels without end', () => {
    const layers = Array.from({ length: 30 }, () => layer('ipv4'));
    const packet = decodePacket(encodePacket(layers), 101);
    expect(packet.layers.length).toBe(MAX_LAYERS);
    expect(packet.problems.map((p) => p.code)).toEqual(['nesting']);
  });
});
