import { NetssmError } from '../../util';
import { parseNumber, parseTerm, relationOf, startsTerm } from './arithmetic';
import type { Direction, FilterNode } from './ast';
import { MAX_DEPTH } from './lexer';
import { IP_PROTOCOLS, LINK_WORDS } from './names';
import { isIdStart, parseId, type Qualifiers } from './primitive';
import { TokenReader } from './tokens';

/*
 * The grammar of pcap-filter(7), written by recursive descent:
 *
 *   expression := term { ("and" | "or") (term | id) }      both bind equally, from left to right
 *   term       := "not" term | "(" expression ")" | relation | primitive
 *   primitive  := [protocol] [direction] [type] id | word
 *   id         := value | "not" id | "(" id { ("and" | "or") id } ")"
 *   relation   := arithmetic ("=" | "!=" | "<" | ">" | "<=" | ">=") arithmetic
 *
 * An id without words before it takes those of the primitive before it: `tcp port 80 or 443`.
 */

const TYPES = ['host', 'net', 'port', 'portrange', 'proto'] as const;
const LINK_NAMES = ['ether', 'link', 'fddi', 'wlan'];
const PROTOCOLS = [...LINK_NAMES, ...Object.keys(LINK_WORDS), ...Object.keys(IP_PROTOCOLS)];
/** Words of pcap-filter(7) that are understood there and not here. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  gateway: 'it needs name resolution; use "ether host MAC and not host ADDRESS"',
  protochain: 'use "ip6 proto" or a byte test',
  geneve: 'tunnels are not looked into; use "udp port 6081"',
  vxlan: 'tunnels are not looked into; use "udp port 4789"',
  llc: 'use a byte test on ether[12:2] and ether[14]',
  iso: 'use "ether proto 0xfe"',
};

/** @throws NetssmError `filter_syntax`. Undefined: an empty expression, which accepts everything. */
export function parse(text: string): FilterNode | undefined {
  const parser = new Parser(new TokenReader(text));
  return parser.parse();
}

class Parser {
  private last?: Qualifiers;
  private depth = 0;

  constructor(private readonly reader: TokenReader) {}

  parse(): FilterNode | undefined {
    if (this.reader.atEnd()) return undefined;
    const node = this.expression();
    if (!this.reader.atEnd()) throw this.reader.unexpected('"and", "or" or the end');
    return node;
  }

  private expression(): FilterNode {
    let left = this.term();
    for (;;) {
      const kind = this.reader.accept('and', '&&')
        ? 'and'
        : this.reader.accept('or', '||')
          ? 'or'
          : undefined;
      if (!kind) return left;
      left = { kind, left, right: this.term() };
    }
  }

  private term(): FilterNode {
    if (++this.depth > MAX_DEPTH)
      throw this.reader.error(`more than ${MAX_DEPTH} negations or brackets inside each other`);
    try {
      if (this.reader.accept('not', '!') !== undefined) return { kind: 'not', of: this.term() };
      if (startsTerm(this.reader)) {
        const relation = this.relationOrNothing();
        if (relation) return relation;
      }
      if (this.reader.accept('(') !== undefined) {
        const node = this.expression();
        this.reader.expect(')');
        return node;
      }
      return this.primitive();
    } finally {
      this.depth--;
    }
  }

  /**
   * A relation, if this is one: `(` may open arithmetic as well as a term, and a number may be an id. What follows
   * decides, so it is tried; an error counts where brackets with bytes of a packet leave no other reading.
   */
  private relationOrNothing(): FilterNode | undefined {
    const { reader } = this;
    const start = reader.save();
    const certain = reader.current.kind === 'word';
    try {
      const left = parseTerm(reader);
      const operator = relationOf(reader.current.text);
      if (operator !== undefined) {
        reader.next();
        return { kind: 'relation', operator, left, right: parseTerm(reader) };
      }
      if (certain) throw reader.unexpected('a comparison (=, !=, <, >, <=, >=)');
    } catch (error) {
      if (certain || !(error instanceof NetssmError) || this.sawRelation(start)) throw error;
    }
    reader.restore(start);
    return undefined;
  }

  /** Did the attempt get as far as an operator of comparison outside all brackets? */
  private sawRelation(start: number): boolean {
    const { reader } = this;
    const end = reader.save();
    reader.restore(start);
    let depth = 0;
    let seen = false;
    while (reader.save() < end) {
      const { text } = reader.next();
      if (text === '(' || text === '[') depth++;
      else if (text === ')' || text === ']') depth--;
      else if (depth === 0 && relationOf(text) !== undefined) seen = true;
    }
    return seen;
  }

  private primitive(): FilterNode {
    const { reader } = this;
    const word = reader.current;
    if (isIdStart(reader))
      return parseId(reader, this.last ?? { protocol: undefined, type: undefined, direction: undefined });
    if (word.kind !== 'word') throw reader.unexpected('a filter');
    if (Object.hasOwn(UNSUPPORTED, word.text))
      throw reader.error(`"${word.text}" is not supported: ${UNSUPPORTED[word.text]}`, word);
    const special = this.special();
    if (special) return special;

    const protocol = reader.accept(...PROTOCOLS);
    const plain = this.plain(protocol);
    if (plain) return plain;
    const direction = this.direction();
    const typeToken = reader.current;
    const type = reader.accept(...TYPES);
    if (protocol === undefined && direction === undefined && type === undefined) {
      throw reader.error(`"${word.text}" is no word of filters`, word);
    }
    if (
      protocol !== undefined &&
      direction === undefined &&
      type === undefined &&
      !LINK_NAMES.includes(protocol)
    ) {
      // `tcp`, `ip6`: only the protocol.
      if (!isIdStart(reader)) return protocolNode(protocol);
      throw reader.unexpected(`"and", "or", or what of ${protocol} (host, net, port, src, dst)`);
    }
    const qualifiers: Qualifiers = { protocol, direction, type };
    checkQualifiers(reader, qualifiers, typeToken);
    this.last = qualifiers;
    return parseId(reader, qualifiers);
  }

  /** Words that stand for themselves, some with a number. */
  private special(): FilterNode | undefined {
    const { reader } = this;
    const word = reader.accept(
      ...['vlan', 'mpls', 'pppoes', 'less', 'greater', 'broadcast', 'multicast', 'inbound', 'outbound'],
    );
    const optionalNumber = (limit: number): number | undefined => {
      if (reader.current.kind !== 'number') return undefined;
      const token = reader.current;
      const value = parseNumber(reader);
      if (value > limit) throw reader.error(`${word} ${value} is more than ${limit}`, token);
      return value;
    };
    switch (word) {
      case 'vlan':
        return { kind: 'vlan', id: optionalNumber(4095) };
      case 'mpls':
        return { kind: 'mpls', label: optionalNumber(0xfffff) };
      case 'pppoes':
        return { kind: 'pppoes', session: optionalNumber(0xffff) };
      case 'less':
      case 'greater': {
        if (reader.current.kind !== 'number') throw reader.unexpected('a length in bytes');
        const right = { kind: 'number', value: parseNumber(reader) } as const;
        return { kind: 'relation', operator: word === 'less' ? '<=' : '>=', left: { kind: 'length' }, right };
      }
      case 'broadcast':
        return { kind: 'broadcast' };
      case 'multicast':
        return { kind: 'multicast', family: 'ether' };
      case 'inbound':
      case 'outbound':
        return { kind: 'outbound', outbound: word === 'outbound' };
    }
    return undefined;
  }

  /** `ether broadcast`, `ip multicast` and the like. */
  private plain(protocol: string | undefined): FilterNode | undefined {
    const { reader } = this;
    if (protocol === undefined) return undefined;
    const token = reader.current;
    if (reader.accept('broadcast') !== undefined) {
      if (LINK_NAMES.includes(protocol)) return { kind: 'broadcast' };
      throw reader.error(
        `"${protocol} broadcast" needs the netmask of the network`,
        token,
        'Use "dst host 192.0.2.255".',
      );
    }
    if (reader.accept('multicast') !== undefined) {
      if (LINK_NAMES.includes(protocol)) return { kind: 'multicast', family: 'ether' };
      if (protocol === 'ip' || protocol === 'ip6') return { kind: 'multicast', family: protocol };
      throw reader.error(`"${protocol}" has no multicast`, token);
    }
    return undefined;
  }

  private direction(): Direction | undefined {
    const { reader } = this;
    const first = reader.accept('src', 'dst');
    if (first === undefined) return undefined;
    const other = first === 'src' ? 'dst' : 'src';
    const joint = reader.current.text;
    if (
      (joint === 'or' || joint === '||' || joint === 'and' || joint === '&&') &&
      reader.ahead(1).text === other
    ) {
      // `src or dst port 53`, but not `src 192.0.2.1 or dst ...`: there the address stands between.
      reader.next();
      reader.next();
      return joint === 'or' || joint === '||' ? 'either' : 'both';
    }
    return first as Direction;
  }
}

function protocolNode(protocol: string): FilterNode {
  if (Object.hasOwn(LINK_WORDS, protocol)) return { kind: 'link', type: LINK_WORDS[protocol] };
  const [number, family] = IP_PROTOCOLS[protocol];
  return { kind: 'ipProtocol', family, protocol: number };
}

/** Which words may stand before which type. */
function checkQualifiers(reader: TokenReader, q: Qualifiers, token = reader.current): void {
  const { protocol, type } = q;
  if (protocol === undefined) {
    if (type === 'proto' && q.direction) throw reader.error('"proto" has no direction', token);
    return;
  }
  const allowed: Record<string, string[]> = {
    host: [...LINK_NAMES, 'ip', 'ip6', 'arp', 'rarp'],
    net: ['ip', 'ip6', 'arp', 'rarp'],
    port: ['tcp', 'udp', 'sctp'],
    portrange: ['tcp', 'udp', 'sctp'],
    proto: [...LINK_NAMES, 'ip', 'ip6'],
  };
  const name = type ?? 'host';
  if (!allowed[name].includes(protocol)) {
    throw reader.error(
      `"${name}" does not go with "${protocol}"`,
      token,
      name === 'host' || name === 'net'
        ? `Join two filters: "${protocol} and ${name} ...".`
        : `Use it with ${allowed[name].join(', ')}, or alone.`,
    );
  }
}
