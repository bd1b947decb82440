/** What single tokens say: in words, and under the names that Wireshark gives to header fields. */
import { formatTcpFlags } from '../packets';
import { END_OF_TEXT, FIRST_LABEL, PKT, type Vocabulary } from '../tokens';
import {
  ACK_CODE_SHIFT,
  ID_NEAR,
  LENGTH_CODE,
  PAYLOAD_ABSENT,
  PAYLOAD_CHANGES,
  PAYLOAD_VERBATIM,
  SEQ,
  TIMESTAMPS_ONLY,
  UDP_LENGTH,
  WINDOW,
  XMASK_FOLLOWS,
} from '../tokens/compactRel/field';
import { NEW_FLOW, RAW } from '../tokens/compactRel/flowHeader';
import { unzigzag } from '../tokens/compactRel/numbers';

/** A place in a packet written in `compact-rel`. What stands there is told by the tokens before it, whatever they say. */
export interface RelativePlace {
  /** Name of the field, as the layout has it. */
  field: string;
  /** Tokens of the field before this one. */
  before: ArrayLike<number>;
  /** Tokens of the field. */
  length: number;
  transport: 'tcp' | 'udp';
  /** The packet's mask and xmask; 0 where the place lies before them. */
  mask: number;
  xmask: number;
}

/** What a token that is no byte says. */
export function markMeaning(token: number, vocabulary: Pick<Vocabulary, 'text'>): string | undefined {
  if (token === PKT) return 'the packet ends';
  if (token === END_OF_TEXT) return 'the session ends';
  const micros = timeOfText(vocabulary.text(token));
  if (micros !== undefined) return `${formatMicros(micros)} or more after the packet before`;
  return token < FIRST_LABEL ? undefined : `label ${vocabulary.text(token).slice(2, -2)}`;
}

/** Whether a token tells when its packet came: `<|dt:178us|>`. */
export function isTimeToken(token: number, vocabulary: Pick<Vocabulary, 'text'>): boolean {
  return token >= FIRST_LABEL && timeOfText(vocabulary.text(token)) !== undefined;
}

function timeOfText(text: string): number | undefined {
  const digits = /^<\|dt:(\d+)us\|>$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function formatMicros(micros: number): string {
  if (micros >= 1e6) return `${micros / 1e6} s`;
  return micros >= 1000 ? `${micros / 1000} ms` : `${micros} µs`;
}

/** What a byte says at a place of a `compact-rel` packet; undefined where it says nothing without those after it. */
export function relativeMeaning(place: RelativePlace, token: number): string | undefined {
  const { field, before, length } = place;
  const first = before.length === 0;
  switch (field) {
    case 'head':
    case 'new flow':
      return headMeaning(token);
    case 'kind':
      return token > 3 ? 'no kind' : `${token & 1 ? 'UDP' : 'TCP'} over IPv${token & 2 ? 6 : 4}`;
    case 'flags':
      return `[${formatTcpFlags(token)}]`;
    case 'mask':
      return place.transport === 'tcp' ? tcpMask(token) : udpMask(token);
    case 'xmask':
      return `other than expected: ${XMASK_BITS.filter((_, i) => token & (1 << i)).join(', ') || 'nothing'}`;
    case 'source address':
    case 'destination address':
      if (first) return token === 255 ? 'a new address' : `address ${token} of those seen`;
      return undefined;
    case 'source port':
    case 'destination port':
    case 'length':
    case 'window':
      return length === 2 ? wordMeaning(before, token) : undefined;
    case 'sequence number':
      return first ? sequenceMeaning(token) : undefined;
    case 'acknowledgement number':
      if (!first) return undefined;
      if (((place.mask >> ACK_CODE_SHIFT) & 3) === 2) return `end of the peer's open segment ${token}`;
      return token < 224 ? `${signed(unzigzag(token))} to the last one` : numberBegins(token);
    case 'IP id':
      if (place.xmask & ID_NEAR) return `${signed((token << 24) >> 24)} to the expected one`;
      return wordMeaning(before, token);
    case 'TTL, TOS, fragmentation':
      return first ? `TTL ${token}` : undefined;
    case 'option template':
      return first ? (token === 255 ? 'a new list of options' : `list of options ${token}`) : undefined;
    case 'timestamps and SACK':
      return first ? timestampMeaning(token) : undefined;
    default:
      return undefined;
  }
}

function headMeaning(token: number): string {
  if (token === NEW_FLOW) return 'a new flow';
  if (token === RAW) return 'header bytes as they are';
  if (token >= 224) return 'reserved';
  const at = token >= 160 ? token - 160 : token;
  const rank = at >> 1;
  const flow = `${token >= 160 ? 'UDP' : 'TCP'} flow ${rank === 0 ? 'used last' : `used ${rank + 1} flows ago`}`;
  return `${flow}, from its ${at & 1 ? 'server' : 'client'}`;
}

const LENGTHS = ['no payload', 'longest payload so far', 'length follows', 'payload as last time'];
const ACKS = ['same ack', 'acks everything', 'acks one segment', 'ack follows'];

function tcpMask(mask: number): string {
  const parts = [LENGTHS[mask & LENGTH_CODE], ACKS[(mask >> ACK_CODE_SHIFT) & 3]];
  if (mask & SEQ) parts.push('seq follows');
  if (mask & WINDOW) parts.push('window follows');
  if (mask & TIMESTAMPS_ONLY) parts.push('timestamps');
  if (mask & XMASK_FOLLOWS) parts.push('xmask follows');
  return parts.join(', ');
}

function udpMask(mask: number): string {
  const parts = [mask & UDP_LENGTH ? 'length follows' : 'same length'];
  const payload = mask & PAYLOAD_ABSENT;
  if (payload === PAYLOAD_ABSENT) parts.push('payload not captured');
  else if (payload === PAYLOAD_CHANGES) parts.push('some payload bytes changed');
  else if (payload === PAYLOAD_VERBATIM) parts.push('payload follows');
  else parts.push('same payload bytes');
  if (mask & XMASK_FOLLOWS) parts.push('xmask follows');
  return parts.join(', ');
}

const XMASK_BITS = [
  'IP id (near)',
  'TTL, TOS or fragmentation',
  'link header',
  'IP checksum',
  'rare fields',
  'options',
  'checksum',
  'IP id (two bytes)',
];

/** A two-byte number, high byte first: the first byte leaves 256 of them open. */
function wordMeaning(before: ArrayLike<number>, token: number): string {
  return before.length === 0 ? `${token * 256} to ${token * 256 + 255}` : String(before[0] * 256 + token);
}

function sequenceMeaning(token: number): string {
  if (token === 0) return "goes on at this direction's last end";
  if (token === 1) return 'what the peer has acknowledged';
  if (token === 249) return 'four bytes follow';
  return token < 224 ? `${signed(unzigzag(token - 2))} to the expected one` : numberBegins(token);
}

function timestampMeaning(token: number): string {
  if (token === 254) return 'the first timestamp: four bytes follow';
  if (token === 255) return 'an odd step of the clock follows';
  if (token >= 224) return numberBegins(token);
  return `clock +${token >> 1}, ${token & 1 ? 'the same echo' : "echoes the peer's last"}`;
}

function numberBegins(token: number): string {
  if (token > 248) return 'no number';
  return `a larger number: ${token < 240 ? 2 : token < 248 ? 3 : 6} bytes`;
}

const signed = (n: number): string => (n < 0 ? String(n) : `+${n}`);

/** Names of Wireshark's display filters, by protocol and field of `fieldRanges`. */
const WIRESHARK: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ethernet: { destination: 'eth.dst', source: 'eth.src', etherType: 'eth.type' },
  vlan: {
    priority: 'vlan.priority',
    dropEligible: 'vlan.dei',
    identifier: 'vlan.id',
    etherType: 'vlan.etype',
  },
  ipv4: {
    version: 'ip.version',
    headerLength: 'ip.hdr_len',
    dscp: 'ip.dsfield.dscp',
    ecn: 'ip.dsfield.ecn',
    totalLength: 'ip.len',
    identification: 'ip.id',
    flags: 'ip.flags',
    fragmentOffset: 'ip.frag_offset',
    timeToLive: 'ip.ttl',
    protocol: 'ip.proto',
    headerChecksum: 'ip.checksum',
    source: 'ip.src',
    destination: 'ip.dst',
    options: 'ip.options',
  },
  ipv6: {
    version: 'ipv6.version',
    trafficClass: 'ipv6.tclass',
    flowLabel: 'ipv6.flow',
    payloadLength: 'ipv6.plen',
    nextHeader: 'ipv6.nxt',
    hopLimit: 'ipv6.hlim',
    source: 'ipv6.src',
    destination: 'ipv6.dst',
  },
  tcp: {
    sourcePort: 'tcp.srcport',
    destinationPort: 'tcp.dstport',
    sequenceNumber: 'tcp.seq_raw',
    acknowledgmentNumber: 'tcp.ack_raw',
    dataOffset: 'tcp.hdr_len',
    reserved: 'tcp.flags.res',
    flags: 'tcp.flags',
    window: 'tcp.window_size_value',
    checksum: 'tcp.checksum',
    urgentPointer: 'tcp.urgent_pointer',
    'maximum segment size': 'tcp.options.mss',
    'window scale': 'tcp.options.wscale',
    'SACK permitted': 'tcp.options.sack_perm',
    SACK: 'tcp.options.sack',
    timestamps: 'tcp.options.timestamp',
    NOP: 'tcp.options.nop',
    'end of options': 'tcp.options.eol',
  },
  udp: {
    sourcePort: 'udp.srcport',
    destinationPort: 'udp.dstport',
    length: 'udp.length',
    checksum: 'udp.checksum',
  },
};

/**
 * Wireshark's name of a field; undefined for what only a layout knows, like a mask, or a number written as a
 * difference. `protocol` is empty for the fields of `compact-rel`.
 */
export function wiresharkName(
  field: string,
  protocol: string,
  packet: { transport: 'tcp' | 'udp'; version: 4 | 6 },
): string | undefined {
  if (protocol) {
    const names = field.split(', ').map((name) => WIRESHARK[protocol]?.[name]);
    return names.every((name) => name !== undefined) ? names.join(', ') : undefined;
  }
  const ip = packet.version === 6 ? 'ipv6' : 'ip';
  switch (field) {
    case 'source port':
      return `${packet.transport}.srcport`;
    case 'destination port':
      return `${packet.transport}.dstport`;
    case 'source address':
      return `${ip}.src`;
    case 'destination address':
      return `${ip}.dst`;
    case 'flags':
      return 'tcp.flags';
    case 'window':
      return 'tcp.window_size_value';
    case 'length':
      return packet.transport === 'tcp' ? 'tcp.len' : undefined;
    case 'timestamps and SACK':
      return 'tcp.options';
    case 'transport checksum':
      return `${packet.transport}.checksum`;
    case 'payload bytes':
    case 'payload':
      return `${packet.transport}.payload`;
    case 'link header':
      return 'eth';
    default:
      return undefined;
  }
}
