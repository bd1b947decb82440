import { parseIpv6, parseMac } from '../addresses';
import { parseNumber } from './arithmetic';
import type { Direction, FilterNode } from './ast';
import { IP_PROTOCOLS, LINK_WORDS, MORE_IP_PROTOCOLS, PORT_PROTOCOLS, SERVICES } from './names';
import type { TokenReader } from './tokens';

/** The words before a value: `tcp src port`. */
export interface Qualifiers {
  readonly protocol: string | undefined;
  readonly direction: Direction | undefined;
  readonly type: string | undefined;
}

const LINK_NAMES = new Set(['ether', 'link', 'fddi', 'wlan']);
const ALL_ONES = 0xffffffff;

/** Can a value without words before it begin here? */
export function isIdStart(reader: TokenReader): boolean {
  const { kind, text } = reader.current;
  return (
    kind === 'ipv4' || kind === 'ipv6' || kind === 'mac' || kind === 'number' || Object.hasOwn(SERVICES, text)
  );
}

/** `id := value | "not" id | "(" id { ("and" | "or") id } ")"`. */
export function parseId(reader: TokenReader, q: Qualifiers): FilterNode {
  if (reader.accept('not', '!') !== undefined) return { kind: 'not', of: parseId(reader, q) };
  if (reader.accept('(') !== undefined) {
    let left = parseId(reader, q);
    for (;;) {
      const kind = reader.accept('and', '&&') ? 'and' : reader.accept('or', '||') ? 'or' : undefined;
      if (!kind) break;
      left = { kind, left, right: parseId(reader, q) };
    }
    reader.expect(')');
    return left;
  }
  switch (q.type) {
    case 'port':
    case 'portrange':
      return parsePort(reader, q);
    case 'proto':
      return parseProto(reader, q);
    default:
      return parseAddress(reader, q);
  }
}

function parsePort(reader: TokenReader, q: Qualifiers): FilterNode {
  const token = reader.current;
  let low: number;
  let protocols = q.protocol === undefined ? Object.values(PORT_PROTOCOLS) : [PORT_PROTOCOLS[q.protocol]];
  if (token.kind === 'number') low = portNumber(reader);
  else if (token.kind === 'word' && Object.hasOwn(SERVICES, token.text)) {
    reader.next();
    const [port, only] = SERVICES[token.text];
    low = port;
    if (only !== undefined) {
      if (!protocols.includes(only))
        throw reader.error(`${token.text} is not a port of ${q.protocol}`, token);
      protocols = [only];
    } else if (q.protocol === undefined)
      protocols = [PORT_PROTOCOLS.tcp, PORT_PROTOCOLS.udp, PORT_PROTOCOLS.sctp];
  } else throw reader.unexpected('a port number or name');
  let high = low;
  if (q.type === 'portrange') {
    if (reader.accept('-') === undefined) throw reader.unexpected('"-" and the last port of the range');
    if (reader.current.kind !== 'number') throw reader.unexpected('the last port of the range');
    high = portNumber(reader);
    if (high < low) [low, high] = [high, low];
  }
  return { kind: 'port', protocols, direction: q.direction ?? 'either', low, high };
}

function portNumber(reader: TokenReader): number {
  const token = reader.current;
  const value = parseNumber(reader);
  if (value > 65535) throw reader.error(`port ${value} is more than 65535`, token);
  return value;
}

function parseProto(reader: TokenReader, q: Qualifiers): FilterNode {
  const token = reader.current;
  const isLink = q.protocol !== undefined && LINK_NAMES.has(q.protocol);
  let value: number | undefined;
  if (token.kind === 'number') {
    value = parseNumber(reader);
    const limit = isLink ? 0xffff : 255;
    if (value > limit) throw reader.error(`protocol ${value} is more than ${limit}`, token);
  } else if (token.kind === 'word') {
    // tcpdump wants `\tcp` here, because tcp is a keyword; both are fine.
    const name = token.text.replace(/^\\/, '');
    if (isLink) value = Object.hasOwn(LINK_WORDS, name) ? LINK_WORDS[name] : undefined;
    else if (Object.hasOwn(IP_PROTOCOLS, name)) value = IP_PROTOCOLS[name][0];
    else if (Object.hasOwn(MORE_IP_PROTOCOLS, name)) value = MORE_IP_PROTOCOLS[name];
    if (value !== undefined) reader.next();
  }
  if (value === undefined) throw reader.unexpected('a protocol number or name', token);
  if (isLink) return { kind: 'link', type: value };
  const family = q.protocol === 'ip' || q.protocol === 'ip6' ? q.protocol : 'both';
  return { kind: 'ipProtocol', family, protocol: value };
}

function parseAddress(reader: TokenReader, q: Qualifiers): FilterNode {
  const token = reader.current;
  const direction = q.direction ?? 'either';
  const isLink = q.protocol !== undefined && LINK_NAMES.has(q.protocol);
  if (isLink || token.kind === 'mac') {
    if (token.kind !== 'mac') throw reader.unexpected('a MAC address such as 00:1b:44:11:3a:b7');
    if (!isLink) {
      throw reader.error('a MAC address without "ether"', token, `Write "ether host ${token.text}".`);
    }
    reader.next();
    return { kind: 'mac', direction, address: macBytes(token.text) };
  }
  if (token.kind === 'ipv6') return parseHost6(reader, q, direction);
  if (token.kind === 'ipv4' || (token.kind === 'number' && q.type === 'net'))
    return parseHost4(reader, q, direction);
  const what = q.type === 'net' ? 'a network such as 192.0.2.0/24' : 'an IP address such as 192.0.2.1';
  if (token.kind === 'word') {
    throw reader.error(
      `expected ${what}, found "${token.text}"`,
      token,
      'Names are not looked up: give addresses.',
    );
  }
  throw reader.unexpected(what);
}

function macBytes(text: string): Uint8Array {
  if (!text.includes('.')) return parseMac(text);
  return Uint8Array.from(Buffer.from(text.replaceAll('.', ''), 'hex'));
}

/** `192.0.2.1`; `10.1` and `net 10` are all addresses that begin so. */
function parseHost4(reader: TokenReader, q: Qualifiers, direction: Direction): FilterNode {
  const token = reader.next();
  if (q.protocol === 'ip6') throw reader.error('an IPv4 address after "ip6"', token);
  const octets = token.text.split('.').map(Number);
  if (octets.some((octet) => octet > 255))
    throw reader.error(`"${token.text}" is not an IPv4 address`, token);
  let bits = octets.length * 8;
  const padded = [...octets, 0, 0, 0].slice(0, 4);
  const address = padded.reduce((sum, octet) => sum * 256 + octet, 0);
  let mask = maskOf(bits);
  if (q.type === 'net') {
    if (reader.accept('/') !== undefined) {
      bits = prefixLength(reader, 32);
      mask = maskOf(bits);
    } else if (reader.accept('mask') !== undefined) {
      const given = reader.next();
      const parts = given.text.split('.').map(Number);
      if (given.kind !== 'ipv4' || parts.length !== 4 || parts.some((part) => part > 255))
        throw reader.unexpected('a netmask such as 255.255.255.0', given);
      mask = parts.reduce((sum, octet) => sum * 256 + octet, 0);
    }
    if ((address & ~mask) !== 0) {
      const net = (address & mask) >>> 0;
      const text = [net >>> 24, (net >>> 16) & 255, (net >>> 8) & 255, net & 255].join('.');
      throw reader.error(`${token.text} has bits outside its mask`, token, `The network is ${text}.`);
    }
  } else noMask(reader);
  const family = q.protocol === 'ip' || q.protocol === 'arp' || q.protocol === 'rarp' ? q.protocol : 'any';
  return { kind: 'host4', family, direction, address, mask };
}

function parseHost6(reader: TokenReader, q: Qualifiers, direction: Direction): FilterNode {
  const token = reader.next();
  if (q.protocol !== undefined && q.protocol !== 'ip6')
    throw reader.error(`an IPv6 address after "${q.protocol}"`, token);
  let bytes: Uint8Array;
  try {
    bytes = parseIpv6(token.text);
  } catch {
    throw reader.error(`"${token.text}" is not an IPv6 address`, token);
  }
  const view = new DataView(bytes.buffer);
  const address = [0, 4, 8, 12].map((at) => view.getUint32(at));
  let mask = [ALL_ONES, ALL_ONES, ALL_ONES, ALL_ONES];
  if (q.type === 'net') {
    if (reader.accept('/') !== undefined) {
      const bits = prefixLength(reader, 128);
      mask = mask.map((_, i) => maskOf(Math.min(32, Math.max(0, bits - 32 * i))));
    }
    if (address.some((word, i) => (word & ~mask[i]) !== 0))
      throw reader.error(`${token.text} has bits outside its mask`, token);
  } else noMask(reader);
  return { kind: 'host6', direction, address, mask };
}

function noMask(reader: TokenReader): void {
  if (reader.is('/')) throw reader.error('a mask after a host', reader.current, 'Write "net" for a network.');
}

function prefixLength(reader: TokenReader, limit: number): number {
  const token = reader.current;
  if (token.kind !== 'number') throw reader.unexpected(`a prefix length of 0 to ${limit}`);
  const bits = parseNumber(reader);
  if (bits > limit) throw reader.error(`a prefix of ${bits} bits; at most ${limit}`, token);
  return bits;
}

function maskOf(bits: number): number {
  return bits === 0 ? 0 : (ALL_ONES << (32 - bits)) >>> 0;
}
