import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import {
  decodePacket,
  encodeTcpOptions,
  findIp,
  findLayer,
  payloadLength,
  summarize,
  type Packet,
  type TcpOption,
} from '../../src/packets';
import { samples } from './samples';

const fixtures = join(__dirname, '..', 'fixtures');
const read = (name: string) => readFileSync(join(fixtures, name), 'utf8').trimEnd().split('\n');
const decode = (frame: Frame) => decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });

const hex = (value: number | undefined, digits: number) =>
  value === undefined ? '' : `0x${value.toString(16).padStart(digits, '0')}`;

/** Our fields under tshark's names, as tshark prints them. */
function tsharkFields(packet: Packet): Record<string, string> {
  const ethernet = findLayer(packet, 'ethernet')?.fields;
  const vlan = findLayer(packet, 'vlan')?.fields;
  const v4 = findLayer(packet, 'ipv4')?.fields;
  const v6 = findLayer(packet, 'ipv6')?.fields;
  const tcp = findLayer(packet, 'tcp')?.fields;
  const udp = findLayer(packet, 'udp')?.fields;
  const wrong = (code: string) => (packet.problems.some((p) => p.code === code) ? '0' : '1');
  const pick = <K extends TcpOption['kind']>(kind: K) =>
    tcp?.options.find((o): o is Extract<TcpOption, { kind: K }> => o.kind === kind);
  const options = tcp && encodeTcpOptions(tcp.options);
  const values: Record<string, string | number | undefined> = {
    'frame.len': packet.bytes.length,
    'eth.src': ethernet?.source,
    'eth.dst': ethernet?.destination,
    'vlan.id': vlan?.identifier,
    'vlan.priority': vlan?.priority,
    'vlan.dei': vlan?.dropEligible,
    'ip.hdr_len': v4 && v4.headerLength * 4,
    'ip.dsfield.dscp': v4?.dscp,
    'ip.dsfield.ecn': v4?.ecn,
    'ip.len': v4?.totalLength,
    'ip.id': hex(v4?.identification, 4),
    'ip.flags': hex(v4?.flags, 2),
    'ip.frag_offset': v4?.fragmentOffset,
    'ip.ttl': v4?.timeToLive,
    'ip.proto': v4?.protocol,
    'ip.checksum': hex(v4?.headerChecksum, 4),
    'ip.checksum.status': v4 && wrong('ipv4_checksum_wrong'),
    'ip.src': v4?.source,
    'ip.dst': v4?.destination,
    'ipv6.src': v6?.source,
    'ipv6.dst': v6?.destination,
    'ipv6.flow': hex(v6?.flowLabel, 6),
    'ipv6.plen': v6?.payloadLength,
    'ipv6.nxt': v6?.nextHeader,
    'ipv6.hlim': v6?.hopLimit,
    'ipv6.tclass': hex(v6?.trafficClass, 8),
    'tcp.srcport': tcp?.sourcePort,
    'tcp.dstport': tcp?.destinationPort,
    'tcp.seq_raw': tcp?.sequenceNumber,
    'tcp.ack_raw': tcp?.acknowledgmentNumber,
    'tcp.hdr_len': tcp && tcp.dataOffset * 4,
    'tcp.flags': hex(tcp && tcp.reserved * 256 + tcp.flags, 4),
    'tcp.window_size_value': tcp?.window,
    'tcp.checksum': hex(tcp?.checksum, 4),
    'tcp.checksum.status': tcp && wrong('tcp_checksum_wrong'),
    'tcp.urgent_pointer': tcp?.urgentPointer,
    'tcp.options': options && Buffer.from(options).toString('hex'),
    'tcp.len': tcp && payloadLength(packet),
    'tcp.options.mss_val': pick('mss')?.value,
    'tcp.options.wscale.shift': pick('windowScale')?.shift,
    'tcp.options.timestamp.tsval': pick('timestamps')?.value,
    'tcp.options.timestamp.tsecr': pick('timestamps')?.echoReply,
    'tcp.options.sack_le': pick('sack')
      ?.blocks.map(([left]) => left)
      .join(),
    'tcp.options.sack_re': pick('sack')
      ?.blocks.map(([, right]) => right)
      .join(),
    'udp.srcport': udp?.sourcePort,
    'udp.dstport': udp?.destinationPort,
    'udp.length': udp?.length,
    'udp.checksum': hex(udp?.checksum, 4),
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value ?? '')]));
}

describe('the sample packets', () => {
  it('are the committed capture, byte for byte', async () => {
    const { frames, problems } = await readCapture(join(fixtures, 'capture-samples.pcap'));
    expect(problems).toEqual([]);
    expect(frames).toEqual(samples);
    expect(frames.length).toBe(18);
  });

  it('have the values that tshark reads', () => {
    const [head, ...lines] = read('capture-samples.tshark.tsv');
    const names = head.split('\t');
    let compared = 0;
    lines.forEach((line, i) => {
      const cells = line.split('\t');
      const packet = decode(samples[i]);
      const ours = tsharkFields(packet);
      for (const [name, value] of Object.entries(ours)) {
        const theirs = cells[names.indexOf(name)] ?? '';
        expect(`packet ${i + 1} ${name} = ${value}`).toBe(`packet ${i + 1} ${name} = ${theirs}`);
        if (value !== '') compared++;
      }
    });
    expect(lines.length).toBe(18);
    expect(compared).toBeGreaterThan(350);
  });

  it('are summarised as tcpdump does', () => {
    const theirs = read('capture-samples.tcpdump.txt');
    const ours = samples.map((frame) => summarize(decode(frame)));
    // tcpdump wants a key for MD5, looks into MPTCP and does not name the protocol of a fragment.
    const differ = new Set([8, 9, 16]);
    theirs.forEach((line, i) => {
      if (!differ.has(i)) expect(ours[i].replace(/ \{.*\}$/, '')).toBe(line);
    });
    expect(ours[8]).toContain('options [nop,nop,md5 abab');
    expect(ours[9]).toContain('options [mptcp 8,unknown-253 0xf989,eol], length 0');
    expect(ours[16]).toBe('IP 192.0.2.1 > 198.51.100.2: UDP (fragment at 24), length 16');
    expect(ours[10]).toContain('{tcp_checksum_wrong}');
    expect(findIp(decode(samples[12]))?.protocol).toBe('ipv6');
  });

  it('have one problem, the wrong checksum that was put in', () => {
    const codes = samples.map((frame) => decode(frame).problems.map((p) => p.code));
    expect(codes.flat()).toEqual(['tcp_checksum_wrong']);
    expect(codes[10]).toEqual(['tcp_checksum_wrong']);
  });
});
