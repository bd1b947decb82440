import { describe, expect, it } from 'vitest';
import { locateHeaders, MAX_VLAN_TAGS } from '../../src/packets/locate';
import { Rng } from '../../src/util';
import { DNS, ETHERNET, hex, SYN, tagged, UDP6 } from '../tokens/frames';

const code = (bytes: Uint8Array, linkType = 1) => {
  const at = locateHeaders(bytes, linkType);
  return at.ok ? 'ok' : `${at.code}@${at.offset}`;
};

describe('locateHeaders', () => {
  it('finds IPv4 and TCP with options', () => {
    expect(locateHeaders(SYN, 1)).toEqual({
      ok: true,
      linkEnd: 14,
      ipVersion: 4,
      ipEnd: 34,
      ipTotalLength: 60,
      transport: 'tcp',
      headerEnd: 74,
      udpLength: 0,
      captured: 74,
    });
  });

  it('finds IPv6 and UDP', () => {
    expect(locateHeaders(UDP6, 1)).toMatchObject({
      linkEnd: 14,
      ipVersion: 6,
      ipEnd: 54,
      ipTotalLength: 48,
      transport: 'udp',
      headerEnd: 62,
      udpLength: 8,
    });
    expect(locateHeaders(DNS, 1)).toMatchObject({ ipEnd: 34, headerEnd: 42, udpLength: 27, captured: 61 });
  });

  it('follows VLAN and QinQ tags, up to four', () => {
    expect(locateHeaders(tagged(SYN, '81 00 00 05'), 1)).toMatchObject({ linkEnd: 18, headerEnd: 78 });
    expect(locateHeaders(tagged(SYN, '88 a8 00 05', '81 00 00 06'), 1)).toMatchObject({
      linkEnd: 22,
      ipTotalLength: 60,
      headerEnd: 82,
    });
    const four = Array<string>(MAX_VLAN_TAGS).fill('81 00 00 05');
    expect(locateHeaders(tagged(SYN, ...four), 1)).toMatchObject({ linkEnd: 30 });
    expect(code(tagged(SYN, ...four, '81 00 00 05'))).toBe('vlan_tags@28');
  });

  it('counts IPv4 options', () => {
    const data =
      hex(`${ETHERNET} 08 00 46 00 00 2c 00 00 00 00 40 06 00 00 0a 00 00 01 0a 00 00 02 94 04 00 00
      c0 00 00 50 00 00 00 01 00 00 00 00 50 02 fa f0 00 00 00 00`);
    expect(locateHeaders(data, 1)).toMatchObject({ ipEnd: 38, headerEnd: 58, captured: 58 });
  });

  it('says why not', () => {
    const change = (at: number, value: number, data = SYN) => {
      const copy = data.slice();
      copy[at] = value;
      return copy;
    };
    expect(code(SYN, 113)).toBe('link_type@0');
    expect(code(new Uint8Array(0))).toBe('empty@0');
    expect(code(SYN.subarray(0, 13))).toBe('ethernet_cut@13');
    expect(code(change(13, 6))).toBe('not_ip@12');
    expect(code(SYN.subarray(0, 23))).toBe('ip_cut@23');
    expect(code(UDP6.subarray(0, 20))).toBe('ip_cut@20');
    expect(code(change(14, 0x65))).toBe('ip_version@14');
    expect(code(change(14, 0x44))).toBe('ipv4_header_length@14');
    expect(code(change(21, 1))).toBe('ip_fragment@20');
    expect(code(change(23, 1))).toBe('not_tcp_or_udp@23');
    expect(code(change(20, 0, UDP6))).toBe('ipv6_extension@20');
    expect(code(change(20, 58, UDP6))).toBe('not_tcp_or_udp@20');
    // The first fragment has the transport header.
    expect(code(change(20, 0x20))).toBe('ok');
  });

  it('tells what is there of a packet cut anywhere', () => {
    for (let n = 24; n <= SYN.length; n++) {
      const at = locateHeaders(SYN.subarray(0, n), 1);
      expect(at).toMatchObject({ ok: true, captured: n, headerEnd: n > 46 ? 74 : 54 });
    }
    expect(locateHeaders(DNS.subarray(0, 39), 1)).toMatchObject({ udpLength: 0, headerEnd: 42 });
  });

  it('never throws, and its ends ascend', () => {
    const rng = new Rng(1);
    const seen = new Set<string>();
    const wrong: string[] = [];
    for (let i = 0; i < 20000; i++) {
      const base = [SYN, DNS, UDP6, tagged(SYN, '81 00 00 05')][rng.int(4)];
      const data = base.slice(0, rng.int(base.length + 1));
      for (let k = rng.int(4); k > 0 && data.length > 0; k--) data[rng.int(data.length)] = rng.int(256);
      const at = locateHeaders(data, 1);
      seen.add(at.ok ? at.transport : at.code);
      const fits = at.ok
        ? at.linkEnd + 20 <= at.ipEnd && at.ipEnd < at.headerEnd && at.captured === data.length
        : at.offset >= 0 && at.offset <= data.length;
      if (!fits) wrong.push(Buffer.from(data).toString('hex'));
    }
    expect(wrong).toEqual([]);
    expect(seen.size).toBe(11);
  });
});
