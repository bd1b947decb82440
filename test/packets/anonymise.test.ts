import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures, readCapture, type Frame } from '../../src/capture';
import {
  AnonymisationKey,
  Anonymiser,
  commonBits,
  decodeFrame,
  decodePacket,
  encodePacket,
  formatIpv4,
  formatIpv6,
  HeaderBatch,
  layer,
  parseIpv4,
  parseIpv6,
  parseMac,
  PrefixPreserving,
  TcpFlag,
  type EncodeLayer,
  type Packet,
} from '../../src/packets';
import { NetssmError, projectRoot, Rng } from '../../src/util';

const data = join(projectRoot, '..', 'shared', 'data');
const absent = !existsSync(data);
const SECRET = 'correct horse battery staple';

const frameOf = (bytes: Uint8Array, linkType = 1, tsMicros = 1.7e15): Frame => ({
  data: bytes,
  wireLen: bytes.length,
  tsMicros,
  tsNanos: 0,
  linkType,
  interfaceId: 0,
});

function ethernet(layers: EncodeLayer[], payload: Uint8Array = new Uint8Array(0)): Frame {
  const link = layer('ethernet', { source: '00:1b:44:11:3a:b7', destination: '3c:22:fb:01:02:03' });
  return frameOf(encodePacket([link, ...layers], payload));
}

/** Does the byte pattern occur anywhere? */
const holds = (bytes: Uint8Array, pattern: Uint8Array): boolean =>
  Buffer.from(bytes).includes(Buffer.from(pattern));

describe('Crypto-PAn', () => {
  const v4 = new PrefixPreserving(new AnonymisationKey(SECRET), 4);
  const v6 = new PrefixPreserving(new AnonymisationKey(SECRET), 16);

  it('keeps the length of the common prefix of 4,000 pairs of each version (seed 11)', () => {
    const rng = new Rng(11);
    for (const [map, bytes] of [
      [v4, 4],
      [v6, 16],
    ] as const) {
      const wrong: string[] = [];
      for (let i = 0; i < 4000; i++) {
        const a = Uint8Array.from({ length: bytes }, () => rng.int(256));
        const b = a.slice();
        // Pairs that differ from some bit on, and in what follows at random.
        const bit = rng.int(bytes * 8);
        b[bit >> 3] ^= 0x80 >> (bit & 7);
        for (let j = (bit >> 3) + 1; j < bytes; j++) b[j] = rng.int(256);
        const kept = commonBits(map.image(a), map.image(b));
        if (kept !== bit) wrong.push(`${a.join('.')} ${b.join('.')}: ${kept}, not ${bit}`);
      }
      expect(wrong).toEqual([]);
    }
  });

  it('maps one to one: all of a /16', () => {
    const images = new Set<string>();
    for (let i = 0; i < 65536; i++) images.add(v4.image(Uint8Array.of(10, 3, i >> 8, i & 255)).join('.'));
    expect(images.size).toBe(65536);
    expect(new Set([...images].map((image) => image.split('.').slice(0, 2).join('.'))).size).toBe(1);
  });

  it('keeps special addresses what they are', () => {
    const image = (text: string): string =>
      text.includes(':')
        ? formatIpv6(v6.image(parseIpv6(text)), 0)
        : formatIpv4(v4.image(parseIpv4(text)), 0);
    for (const fixed of [
      '0.0.0.0',
      '255.255.255.255',
      '127.0.0.1',
      '127.1.2.3',
      '224.0.0.251',
      '239.255.255.250',
    ])
      expect(image(fixed)).toBe(fixed);
    for (const fixed of ['::', '::1', 'ff02::1', 'ff02::fb', 'ff02::1:3', 'ff05::2'])
      expect(image(fixed)).toBe(fixed);
    expect(image('169.254.7.9')).toMatch(/^169\.254\./);
    expect(image('239.1.2.3')).toMatch(/^2(2[4-9]|3\d)\./);
    expect(image('fe80::21b:44ff:fe11:3ab7')).toMatch(/^fe80::/);
    expect(image('ff02::1:ff11:3ab7')).toMatch(/^ff02::1:ff/);
    expect(image('2001:db8::1')).toMatch(/^[23]/);
    for (const moved of [
      '10.0.0.1',
      '192.168.1.1',
      '8.8.8.8',
      '169.254.7.9',
      '2001:db8::1',
      'ff02::1:ff11:3ab7',
    ])
      expect(image(moved)).not.toBe(moved);
  });

  it('is another mapping for another secret, and the same for the same', () => {
    const address = parseIpv4('93.184.216.34');
    const again = new PrefixPreserving(new AnonymisationKey(` ${SECRET}\n`), 4);
    const other = new PrefixPreserving(new AnonymisationKey('another secret'), 4);
    expect(again.image(address)).toEqual(v4.image(address));
    expect(other.image(address)).not.toEqual(v4.image(address));
    expect(() => new AnonymisationKey('short')).toThrow(/5 bytes; at least 8/);
  });
});

describe('hardware addresses and ports', () => {
  it('keep group and local bit, broadcast and protocol groups; vendors when asked', () => {
    const all = new Anonymiser({ secret: SECRET });
    const vendor = new Anonymiser({ secret: SECRET, macs: 'keep-vendor' });
    const text = (a: Anonymiser, mac: string): string =>
      [...a.mac(parseMac(mac))].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    for (const fixed of ['ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '01:80:c2:00:00:0e', '01:00:5e:00:00:fb'])
      expect(text(all, fixed)).toBe(fixed);
    for (const [mac, bits] of [
      ['00:1b:44:11:3a:b7', 0],
      ['02:42:ac:11:00:02', 2],
      ['01:23:45:67:89:ab', 1],
    ] as const) {
      const image = all.mac(parseMac(mac));
      expect(image[0] & 3).toBe(bits);
      expect(text(all, mac)).not.toBe(mac);
      expect(text(vendor, mac).slice(0, 8)).toBe(mac.slice(0, 8));
      expect(text(vendor, mac)).not.toBe(mac);
    }
    const images = new Set<string>();
    for (let i = 0; i < 20_000; i++)
      images.add(vendor.mac(Uint8Array.of(0, 1, 2, i >> 16, i >> 8, i)).join());
    expect(images.size).toBe(20_000);
  });

  it('ports: a permutation without fixed points, from 1024 on or from 1 on', () => {
    for (const [mode, first] of [
      ['ephemeral', 1024],
      ['all', 1],
    ] as const) {
      const a = new Anonymiser({ secret: SECRET, ports: mode });
      const images = Array.from({ length: 65536 }, (_, port) => a.port(port));
      expect(new Set(images).size).toBe(65536);
      expect(images.findIndex((image, port) => image !== port)).toBe(first);
      expect(images.slice(first).every((image, i) => image !== first + i && image >= first)).toBe(true);
    }
    expect(new Anonymiser({ secret: SECRET }).port(51000)).toBe(51000);
  });
});

describe('packets', () => {
  const plain = { secret: SECRET } as const;
  const ip = layer('ipv4', { source: '192.168.7.9', destination: '93.184.216.34' });
  const segment = layer('tcp', {
    sourcePort: 51000,
    destinationPort: 443,
    flags: TcpFlag.ACK,
    sequenceNumber: 77,
  });

  it('payload is cut, the length on the wire stays, both directions agree', () => {
    const a = new Anonymiser(plain);
    const up = ethernet([ip, segment], Buffer.from('GET / secret'));
    const out = a.frame(up)!;
    expect([out.data.length, out.wireLen]).toEqual([54, 66]);
    const back = a.frame(
      ethernet([layer('ipv4', { source: '93.184.216.34', destination: '192.168.7.9' }), layer('tcp', {})]),
    )!;
    expect([...back.data.subarray(30, 34)]).toEqual([...out.data.subarray(26, 30)]);
    expect([...back.data.subarray(26, 30)]).toEqual([...out.data.subarray(30, 34)]);
    expect(a.counts).toEqual({ frames: 2, dropped: 0, bytesIn: 66 + 54, bytesKept: 108 });
  });

  it('right checksums stay right, wrong ones wrong, with payload set to 0', () => {
    const a = new Anonymiser({ ...plain, payload: 'zero', ports: 'all' });
    for (const transport of [segment, layer('udp', { sourcePort: 51000, destinationPort: 4000 })]) {
      for (const size of [0, 1, 12, 13]) {
        const right = ethernet([ip, transport], new Uint8Array(size).fill(0xab));
        const codes = (frame: Frame) => decodeFrame(frame).problems.map((problem) => problem.code);
        expect(codes(right)).toEqual([]);
        const out = a.frame(right)!;
        expect(codes(out)).toEqual([]);
        expect(out.data.length).toBe(right.data.length);
        const wrong = { ...right, data: right.data.slice() };
        wrong.data[34 + (transport === segment ? 17 : 7)] ^= 1;
        expect(codes(a.frame(wrong)!)).toEqual([
          transport === segment ? 'tcp_checksum_wrong' : 'udp_checksum_wrong',
        ]);
      }
    }
  });

  it('a UDP checksum of 0 stays 0, and link-layer padding does not leave', () => {
    const bytes = encodePacket([
      layer('ethernet', {}),
      ip,
      layer('udp', { sourcePort: 1, destinationPort: 2, checksum: 0 }),
    ]);
    const padded = new Uint8Array(60).fill(0x5a);
    padded.set(bytes);
    const out = new Anonymiser(plain).frame(frameOf(padded))!;
    expect(out.data.length).toBe(42);
    expect([out.data[40], out.data[41]]).toEqual([0, 0]);
  });

  it('ARP, and the packet that an ICMP error quotes', () => {
    const a = new Anonymiser(plain);
    const arp = Buffer.from(
      'ffffffffffff001b44113ab70806' +
        '0001080006040001' +
        '001b44113ab7c0a80709' +
        '000000000000c0a80701' +
        '5a5a5a5a',
      'hex',
    );
    const out = a.frame(frameOf(arp))!;
    expect(out.data.length).toBe(42);
    expect([...out.data.subarray(28, 32)]).toEqual([...a.address(parseIpv4('192.168.7.9'))]);
    expect([...out.data.subarray(38, 42)]).toEqual([...a.address(parseIpv4('192.168.7.1'))]);
    expect([...out.data.subarray(22, 28)]).toEqual([...a.mac(parseMac('00:1b:44:11:3a:b7'))]);
    expect([...out.data.subarray(22, 28)]).toEqual([...out.data.subarray(6, 12)]);

    const quoted = encodePacket([ip, segment]).subarray(0, 28);
    const message = Buffer.concat([Buffer.from('0301000000000000', 'hex'), quoted]);
    const error = ethernet(
      [layer('ipv4', { source: '192.168.7.1', destination: '192.168.7.9', protocol: 1 })],
      message,
    );
    const seen = a.frame(error)!.data;
    expect(seen.length).toBe(14 + 20 + 8 + 28);
    expect([...seen.subarray(42 + 12, 42 + 16)]).toEqual([...a.address(parseIpv4('192.168.7.9'))]);
    expect([...seen.subarray(42 + 16, 42 + 20)]).toEqual([...a.address(parseIpv4('93.184.216.34'))]);
    expect(holds(seen, parseIpv4('93.184.216.34'))).toBe(false);
  });

  it('neighbour discovery: target, link-layer address, and the group made of the address', () => {
    const a = new Anonymiser(plain);
    const target = parseIpv6('fe80::21b:44ff:fe11:3ab7');
    const body = Buffer.concat([
      Buffer.from('8700000000000000', 'hex'),
      target,
      Buffer.from('0101001b44113ab7', 'hex'),
    ]);
    const out = a.frame(
      frameOf(
        encodePacket(
          [
            layer('ethernet', { source: '00:1b:44:11:3a:b7', destination: '33:33:ff:11:3a:b7' }),
            layer('ipv6', { source: 'fe80::1', destination: 'ff02::1:ff11:3ab7', nextHeader: 58 }),
          ],
          body,
        ),
      ),
    )!.data;
    expect([...out.subarray(62, 78)]).toEqual([...a.address(target)]);
    expect([...out.subarray(80, 86)]).toEqual([...a.mac(parseMac('00:1b:44:11:3a:b7'))]);
    expect([...out.subarray(2, 6)]).toEqual([...out.subarray(50, 54)]);
    expect(holds(out, Uint8Array.of(0x11, 0x3a, 0xb7))).toBe(false);
  });

  it('DNS: names label by label, addresses, reverse names; sizes and pointers stay', () => {
    const label = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
    const name = (text: string) => Buffer.concat([...text.split('.').map(label), Buffer.from([0])]);
    const record = (owner: Buffer, type: number, content: Uint8Array) =>
      Buffer.concat([owner, Buffer.from([0, type, 0, 1, 0, 0, 0, 60, 0, content.length]), content]);
    const pointer = Buffer.from([0xc0, 12]);
    const message = Buffer.concat([
      Buffer.from([0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 5, 0, 0, 0, 0]),
      name('www.Example.com'),
      Buffer.from([0, 1, 0, 1]),
      record(pointer, 1, parseIpv4('93.184.216.34')),
      record(pointer, 28, parseIpv6('2606:2800:220:1::1946')),
      record(pointer, 16, Buffer.from('\x06secret')),
      record(
        name('111.101.168.192.in-addr.arpa'),
        12,
        Buffer.concat([label('host'), Buffer.from([0xc0, 16])]),
      ),
      record(pointer, 5, Buffer.concat([label('www'), label('example'), Buffer.from([0xc0, 24])])),
    ]);
    const query = ethernet([ip, layer('udp', { sourcePort: 53, destinationPort: 40000 })], message);
    const kept = new Anonymiser({ ...plain, keepDns: true });
    const out = kept.frame(query)!;
    expect(out.data.length).toBe(query.data.length);
    expect(decodeFrame(out).problems).toEqual([]);
    const dns = out.data.subarray(42);
    const text = Buffer.from(dns).toString('latin1').toLowerCase();
    for (const word of ['www', 'example', 'com', 'secret', 'host']) expect(text).not.toContain(word);
    expect(text).toContain('in-addr\x04arpa');
    const lengths = [12, 16, 24].map((at) => dns[at]);
    expect(lengths).toEqual([3, 7, 3]);
    // The same labels, whatever their case, are the same letters again.
    const end = dns.length;
    expect(Buffer.from(dns.subarray(end - 9, end - 2))).toEqual(Buffer.from(dns.subarray(17, 24)));
    expect(holds(dns, kept.address(parseIpv4('93.184.216.34')))).toBe(true);
    expect(holds(dns, parseIpv4('93.184.216.34'))).toBe(false);
    expect(holds(dns, parseIpv6('2606:2800:220:1::1946').subarray(4))).toBe(false);
    // Where the digits fit, the reverse name is that of the address' image.
    const image = kept.address(parseIpv4('192.168.101.111'));
    const at = text.indexOf('in-addr') - 1;
    const octets = text
      .slice(at - 16, at)
      .match(/\d{3}/g)!
      .map(Number);
    expect(octets.reverse()).toEqual([...image]);
    // By default DNS is payload.
    expect(new Anonymiser(plain).frame(query)!.data.length).toBe(42);
  });

  it('every prefix of a packet, and random bytes under every link type, pass without an exception (seed 5)', () => {
    const a = new Anonymiser({ ...plain, keepDns: true, ports: 'all' });
    const rng = new Rng(5);
    const whole = ethernet([ip, layer('udp', { sourcePort: 53 })], new Uint8Array(40).fill(3)).data;
    let out = 0;
    for (let n = 0; n <= whole.length; n++) out += a.frame(frameOf(whole.subarray(0, n)))!.data.length;
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: rng.int(120) }, () => rng.int(256));
      const linkType = [0, 1, 12, 101, 108, 113, 228, 229, 276][rng.int(9)];
      // So that the walk gets somewhere.
      if (linkType === 1 && bytes.length > 20)
        bytes.set(
          [0x08, 0, 0x45, 0, 0, 100, 0, 0, 0, 0, 9, [1, 2, 6, 17, 47][rng.int(5)]].slice(
            0,
            bytes.length - 12,
          ),
          12,
        );
      const frame = a.frame(frameOf(bytes, linkType))!;
      expect(frame.data.length).toBeLessThanOrEqual(bytes.length);
      out += frame.data.length;
    }
    expect(out).toBeGreaterThan(100_000);
    expect(a.frame(frameOf(whole, 105))).toBeUndefined();
    expect(a.counts.dropped).toBe(1);
  });

  it('times move back by whole seconds, the same for all', () => {
    const a = new Anonymiser({ ...plain, shiftTime: true });
    const shifts = [1.7e15, 1.7e15 + 123_456].map(
      (at) => at - a.frame({ ...ethernet([ip, segment]), tsMicros: at })!.tsMicros,
    );
    expect(shifts[0]).toBe(shifts[1]);
    expect(shifts[0] % 1e6).toBe(0);
    expect(shifts[0] / 86400e6).toBeGreaterThanOrEqual(1);
    expect(shifts[0] / 86400e6).toBeLessThan(730);
  });
});

describe.skipIf(absent)('all shared captures (skipped where ../shared/data is absent)', () => {
  const files = absent
    ? []
    : [
        ...listCaptures(join(data, 'pcaps')),
        ...readdirSync(join(data, 'robustness', 'valid')).map((name) =>
          join(data, 'robustness', 'valid', name),
        ),
      ];

  it('hold none of their addresses afterwards, and decode to the same flows', async () => {
    const a = new Anonymiser({ secret: SECRET, keepDns: true, ports: 'all' });
    const leaks: string[] = [];
    let checked = 0;
    const before = new HeaderBatch(1);
    const after = new HeaderBatch(1);
    for (const file of files) {
      const capture = await readCapture(file).catch((error: unknown) => {
        if (error instanceof NetssmError) return undefined;
        throw error;
      });
      for (const [i, frame] of (capture?.frames ?? []).entries()) {
        const out = a.frame(frame);
        if (!out) continue;
        const packet = decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });
        for (const pattern of identities(frame, packet)) {
          checked++;
          if (holds(out.data, pattern))
            leaks.push(`${file} packet ${i + 1}: ${Buffer.from(pattern).toString('hex')}`);
        }
        // A tunnel whose port is another is none any more.
        if (packet.layers.filter(({ protocol }) => /^ipv[46]$/.test(protocol)).length !== 1) continue;
        before.clear();
        after.clear();
        before.add(frame);
        after.add(out);
        if (before.hasPorts[0] !== after.hasPorts[0] || before.tcpFlags[0] !== after.tcpFlags[0])
          leaks.push(`${file} packet ${i + 1} has lost its ports`);
        if (before.hasPorts[0] && after.sourcePort[0] !== a.port(before.sourcePort[0]))
          leaks.push(`${file} packet ${i + 1}: port`);
      }
    }
    expect(leaks.slice(0, 10)).toEqual([]);
    expect(checked).toBeGreaterThan(700_000);
  });
});

/** The addresses of a frame that are not the same everywhere: hardware, IP, ARP, inside tunnels. */
function identities(frame: Frame, packet: Packet): Uint8Array[] {
  const found: Uint8Array[] = [];
  const take = (at: number, bytes: number): void => {
    const address = frame.data.subarray(at, at + bytes);
    if (address.length < bytes) return;
    if (bytes === 6 && (address[0] & 1 || address.every((byte) => byte === 0))) return;
    if (bytes === 4 && (address[0] === 0 || address[0] === 127 || address[0] >= 224)) return;
    if (bytes === 16 && (address[0] === 255 || address.subarray(0, 15).every((byte) => byte === 0))) return;
    found.push(address);
  };
  for (const { protocol, offset } of packet.layers) {
    if (protocol === 'ethernet') [offset, offset + 6].forEach((at) => take(at, 6));
    if (protocol === 'ipv4') [offset + 12, offset + 16].forEach((at) => take(at, 4));
    if (protocol === 'ipv6') [offset + 8, offset + 24].forEach((at) => take(at, 16));
  }
  if (frame.linkType === 1 && frame.data.length >= 42 && frame.data[12] === 8 && frame.data[13] === 6) {
    [22, 32].forEach((at) => take(at, 6));
    [28, 38].forEach((at) => take(at, 4));
  }
  return found;
}
