import {
  AH_FIELDS,
  ARP_FIELDS,
  describeTcpOptions,
  DHCP_FIELDS,
  DNS_FIELDS,
  DTLS_FIELDS,
  ESP_FIELDS,
  ETHERNET_FIELDS,
  formatTcpFlags,
  GENEVE_FIELDS,
  getBits,
  GRE_FIELDS,
  GTPU_FIELDS,
  ICMP_FIELDS,
  ICMPV6_FIELDS,
  IGMP_FIELDS,
  IPV4_FIELDS,
  IPV6_EXTENSION_FIELDS,
  IPV6_FIELDS,
  IPV6_FRAGMENT_FIELDS,
  IPV6_ROUTING_FIELDS,
  LINUX_SLL2_FIELDS,
  LINUX_SLL_FIELDS,
  LLC_FIELDS,
  MPLS_FIELDS,
  PPPOE_FIELDS,
  QUIC_FIELDS,
  RTCP_FIELDS,
  RTP_FIELDS,
  SCTP_FIELDS,
  STUN_FIELDS,
  TCP_FIELDS,
  TcpOptionKind,
  TLS_FIELDS,
  TLS_HANDSHAKE_FIELDS,
  UDP_FIELDS,
  VLAN_FIELDS,
  VXLAN_FIELDS,
  type BitField,
  type ByteField,
  type Layer,
  type Packet,
  type TcpFields,
} from '../packets';

/** One field of one header: which bits of the packet it is, and what they say. */
export interface FieldRange {
  /** Index of its layer in `packet.layers`. */
  readonly layer: number;
  readonly protocol: string;
  readonly name: string;
  /** First bit, counted from the packet's first byte; bit 0 is the most significant bit of byte 0. */
  readonly bit: number;
  readonly bits: number;
  /** As text for people. */
  readonly value: string;
}

type Ranges = Readonly<Record<string, BitField | ByteField>>;

/** The bit ranges that decoder and encoder of each protocol share. */
const RANGES: Readonly<Record<string, Ranges>> = {
  ethernet: ETHERNET_FIELDS,
  vlan: VLAN_FIELDS,
  llc: LLC_FIELDS,
  linux_sll: LINUX_SLL_FIELDS,
  linux_sll2: LINUX_SLL2_FIELDS,
  mpls: MPLS_FIELDS,
  pppoe: PPPOE_FIELDS,
  arp: ARP_FIELDS,
  ipv4: IPV4_FIELDS,
  ipv6: IPV6_FIELDS,
  ipv6_hop_by_hop: IPV6_EXTENSION_FIELDS,
  ipv6_destination: IPV6_EXTENSION_FIELDS,
  ipv6_routing: IPV6_ROUTING_FIELDS,
  ipv6_fragment: IPV6_FRAGMENT_FIELDS,
  ah: AH_FIELDS,
  esp: ESP_FIELDS,
  icmp: ICMP_FIELDS,
  icmpv6: ICMPV6_FIELDS,
  igmp: IGMP_FIELDS,
  gre: GRE_FIELDS,
  tcp: TCP_FIELDS,
  udp: UDP_FIELDS,
  sctp: SCTP_FIELDS,
  vxlan: VXLAN_FIELDS,
  geneve: GENEVE_FIELDS,
  gtpu: GTPU_FIELDS,
  dns: DNS_FIELDS,
  dhcp: DHCP_FIELDS,
  stun: STUN_FIELDS,
  tls: TLS_FIELDS,
  tls_handshake: TLS_HANDSHAKE_FIELDS,
  dtls: DTLS_FIELDS,
  quic: QUIC_FIELDS,
  rtcp: RTCP_FIELDS,
  rtp: RTP_FIELDS,
};

/** Names of TCP options as tables and diagrams show them. */
const OPTION_NAMES: Readonly<Record<number, string>> = {
  [TcpOptionKind.EOL]: 'end of options',
  [TcpOptionKind.NOP]: 'NOP',
  [TcpOptionKind.MSS]: 'maximum segment size',
  [TcpOptionKind.WINDOW_SCALE]: 'window scale',
  [TcpOptionKind.SACK_PERMITTED]: 'SACK permitted',
  [TcpOptionKind.SACK]: 'SACK',
  [TcpOptionKind.TIMESTAMPS]: 'timestamps',
};

/**
 * Every field of a decoded packet with its place, in order. Every byte of every header is in at least one of them:
 * what no range names (options, names of DNS) is one field of its own, TCP options one each.
 */
export function fieldRanges(packet: Packet): FieldRange[] {
  return packet.layers.flatMap((layer, index) => {
    const named = namedRanges(packet.bytes, layer, index);
    return [...named, ...unnamed(packet.bytes, layer, index, named)].sort((a, b) => a.bit - b.bit);
  });
}

function namedRanges(bytes: Uint8Array, layer: Layer, index: number): FieldRange[] {
  const values = layer.fields as Record<string, unknown>;
  // Over TCP a DNS message begins with its length, which its header's ranges do not count.
  const shift = layer.protocol === 'dns' && values.length !== undefined ? 16 : 0;
  const start = layer.offset * 8 + shift;
  const end = Math.min(bytes.length, layer.offset + layer.length) * 8;
  return Object.entries(RANGES[layer.protocol] ?? {}).flatMap(([name, range]) => {
    const bit = start + ('bit' in range ? range.bit : range.byte * 8);
    const bits = 'bits' in range ? range.bits : range.bytes * 8;
    if (bit + bits > end) return [];
    const value = values[name] ?? ('bits' in range ? getBits(bytes, start / 8, range) : undefined);
    const text = value === undefined ? hex(bytes, bit / 8, (bit + bits) / 8) : fieldText(name, value);
    return [{ layer: index, protocol: layer.protocol, name, bit, bits, value: text }];
  });
}

/** Runs of header bytes without a name. */
function unnamed(bytes: Uint8Array, layer: Layer, index: number, named: FieldRange[]): FieldRange[] {
  const end = Math.min(bytes.length, layer.offset + layer.length);
  const free = new Set<number>();
  for (let at = layer.offset; at < end; at++) free.add(at);
  for (const { bit, bits } of named)
    for (let at = bit >> 3; at <= (bit + bits - 1) >> 3; at++) free.delete(at);
  const found: FieldRange[] = [];
  /** Options found so far: the decoder lists them in the same order. */
  let options = 0;
  const add = (name: string, from: number, to: number, value = hex(bytes, from, to)): void => {
    found.push({ layer: index, protocol: layer.protocol, name, bit: from * 8, bits: (to - from) * 8, value });
  };
  for (let at = layer.offset; at < end;) {
    if (!free.has(at)) {
      at++;
      continue;
    }
    let to = at + 1;
    if (layer.protocol === 'tcp') to = optionEnd(bytes, at, end);
    else while (to < end && free.has(to)) to++;
    if (layer.protocol === 'tcp') {
      const option = (layer.fields as TcpFields).options[options++];
      const name = OPTION_NAMES[bytes[at]] ?? `option ${bytes[at]}`;
      add(name, at, to, option && option.kind !== 'nop' ? describeTcpOptions([option]) : undefined);
    } else if (layer.protocol === 'arp') addArp(layer, at, to, add);
    else add(REST_NAMES[layer.protocol] ?? 'rest of the header', at, to);
    at = to;
  }
  return found;
}

const REST_NAMES: Readonly<Record<string, string>> = { ipv4: 'options', dns: 'questions', dhcp: 'options' };

function optionEnd(bytes: Uint8Array, at: number, end: number): number {
  const kind = bytes[at];
  if (kind === TcpOptionKind.NOP) return at + 1;
  const length = kind === TcpOptionKind.EOL || at + 1 >= end ? end - at : bytes[at + 1];
  return length < 2 ? end : Math.min(end, at + length);
}

/** The four addresses of ARP, whose lengths are in its header. */
function addArp(
  layer: Layer,
  from: number,
  to: number,
  add: (name: string, from: number, to: number, value: string) => void,
): void {
  const f = layer.fields as Record<string, number | string>;
  let at = from;
  for (const side of ['sender', 'target'] as const) {
    for (const what of ['Hardware', 'Protocol'] as const) {
      const name = `${side}${what}Address`;
      const next = at + Number(what === 'Hardware' ? f.hardwareLength : f.protocolLength);
      if (next > at && next <= to) add(name, at, next, String(f[name]));
      at = next;
    }
  }
}

/** A field's value for people: flags by letter, checksums and type numbers in hexadecimal. */
export function fieldText(name: string, value: unknown): string {
  if (typeof value === 'number') {
    if (/checksum$/i.test(name) || /(etherType|protocolType)$/.test(name))
      return `0x${value.toString(16).padStart(4, '0')}`;
    return String(value);
  }
  return value instanceof Uint8Array ? hex(value, 0, value.length) : String(value);
}

/** `18 [P.]`: a TCP flags byte with its letters. */
export function tcpFlagsText(flags: number): string {
  return `${flags} [${formatTcpFlags(flags)}]`;
}

const SHOWN_BYTES = 16;

function hex(bytes: Uint8Array, from: number, to: number): string {
  const shown = [...bytes.subarray(from, Math.min(to, from + SHOWN_BYTES))].map((b) =>
    b.toString(16).padStart(2, '0'),
  );
  return shown.join(' ') + (to - from > SHOWN_BYTES ? ' …' : '');
}
