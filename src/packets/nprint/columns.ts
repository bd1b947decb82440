/**
 * The columns of nPrint (Holland et al., New Directions in Automated Traffic Analysis, CCS 2021) as the nprint tool names
 * and orders them with -4 -6 -t -u -i: every bit of every header has its own, most significant bit first. A packet has 1
 * or 0 where it has that bit and -1 where it has not.
 */
const FIELDS: readonly (readonly [section: NprintSectionName, field: string, bits: number])[] = [
  ['ipv4', 'ver', 4],
  ['ipv4', 'hl', 4],
  ['ipv4', 'tos', 8],
  ['ipv4', 'tl', 16],
  ['ipv4', 'id', 16],
  ['ipv4', 'rbit', 1],
  ['ipv4', 'dfbit', 1],
  ['ipv4', 'mfbit', 1],
  ['ipv4', 'foff', 13],
  ['ipv4', 'ttl', 8],
  ['ipv4', 'proto', 8],
  ['ipv4', 'cksum', 16],
  ['ipv4', 'src', 32],
  ['ipv4', 'dst', 32],
  ['ipv4', 'opt', 320],
  ['ipv6', 'ver', 4],
  ['ipv6', 'tc', 8],
  ['ipv6', 'fl', 20],
  ['ipv6', 'len', 16],
  ['ipv6', 'nh', 8],
  ['ipv6', 'hl', 8],
  ['ipv6', 'src', 128],
  ['ipv6', 'dst', 128],
  ['tcp', 'sprt', 16],
  ['tcp', 'dprt', 16],
  ['tcp', 'seq', 32],
  ['tcp', 'ackn', 32],
  ['tcp', 'doff', 4],
  ['tcp', 'res', 3],
  ['tcp', 'ns', 1],
  ['tcp', 'cwr', 1],
  ['tcp', 'ece', 1],
  ['tcp', 'urg', 1],
  ['tcp', 'ackf', 1],
  ['tcp', 'psh', 1],
  ['tcp', 'rst', 1],
  ['tcp', 'syn', 1],
  ['tcp', 'fin', 1],
  ['tcp', 'wsize', 16],
  ['tcp', 'cksum', 16],
  ['tcp', 'urp', 16],
  ['tcp', 'opt', 320],
  ['udp', 'sport', 16],
  ['udp', 'dport', 16],
  ['udp', 'len', 16],
  ['udp', 'cksum', 16],
  ['icmp', 'type', 8],
  ['icmp', 'code', 8],
  ['icmp', 'cksum', 16],
  ['icmp', 'roh', 32],
];

export type NprintSectionName = 'ipv4' | 'ipv6' | 'tcp' | 'udp' | 'icmp';

/** First column and the one after the last of each header. */
export type NprintSectionRanges = Readonly<Record<NprintSectionName, readonly [from: number, to: number]>>;

/** Where each header's columns lie among the 1,408: IPv4 480 (60 bytes), IPv6 320, TCP 480, UDP 64, ICMP 64. */
export const NPRINT_RANGES: NprintSectionRanges = {
  ipv4: [0, 480],
  ipv6: [480, 800],
  tcp: [800, 1280],
  udp: [1280, 1344],
  icmp: [1344, 1408],
};

/** Bits of the five headers. */
export const NPRINT_HEADER_BITS = 1408;

/** One field's columns: `tcp_seq` has 32 from column 832. */
export interface NprintField {
  name: string;
  section: NprintSectionName;
  from: number;
  bits: number;
}

/** The fields in column order. */
export const NPRINT_FIELDS: readonly NprintField[] = (() => {
  let from = 0;
  return FIELDS.map(([section, field, bits]) => {
    const each = { name: `${section}_${field}`, section, from, bits };
    from += bits;
    return each;
  });
})();

/** `ipv4_ver_0` ... `icmp_roh_31`, then `payload_bit_0` ... for a payload of so many bytes. */
export function nprintColumns(payloadBytes = 0): string[] {
  const names = NPRINT_FIELDS.flatMap(({ name, bits }) =>
    Array.from({ length: bits }, (_, i) => `${name}_${i}`),
  );
  for (let i = 0; i < payloadBytes * 8; i++) names.push(`payload_bit_${i}`);
  return names;
}
