import type { LoadSize, Operator, Relation, Term } from './ast';
import { CONSTANTS } from './names';
import type { TokenReader } from './tokens';

/** What may stand before a bracket: `tcp[13]`. */
export const LOADABLE = new Set([
  ...['ether', 'link', 'fddi', 'wlan', 'ppp', 'slip', 'tr'],
  ...['ip', 'ip6', 'arp', 'rarp'],
  ...['tcp', 'udp', 'icmp', 'icmp6', 'igmp', 'igrp', 'pim', 'vrrp', 'sctp'],
]);

const RELATIONS: Readonly<Record<string, Relation>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '<': '<',
  '>': '>',
  '<=': '<=',
  '>=': '>=',
};

/** From loosest to tightest, as in C; comparisons bind loosest of all. */
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

export function relationOf(text: string): Relation | undefined {
  return Object.hasOwn(RELATIONS, text) ? RELATIONS[text] : undefined;
}

/** Could a term of arithmetic begin here? */
export function startsTerm(reader: TokenReader): boolean {
  const { kind, text } = reader.current;
  if (kind === 'number' || text === '(' || text === '-' || text === 'len') return true;
  if (kind !== 'word') return false;
  return Object.hasOwn(CONSTANTS, text) || (LOADABLE.has(text) && reader.ahead(1).text === '[');
}

/** `term := term operator term | - term | ( term ) | number | constant | len | protocol[term:size]`. */
export function parseTerm(reader: TokenReader, level = 0): Term {
  if (level === LEVELS.length) return parseFactor(reader);
  let left = parseTerm(reader, level + 1);
  for (;;) {
    const token = reader.current;
    const operator = reader.accept(...LEVELS[level]) as Operator | undefined;
    if (operator === undefined) return left;
    const right = parseTerm(reader, level + 1);
    if ((operator === '/' || operator === '%') && right.kind === 'number' && right.value === 0)
      throw reader.error('division by zero', token);
    left = { kind: 'operation', operator, left, right };
  }
}

function parseFactor(reader: TokenReader): Term {
  let negative = false;
  while (reader.accept('-') !== undefined) negative = !negative;
  if (negative) {
    return {
      kind: 'operation',
      operator: '-',
      left: { kind: 'number', value: 0 },
      right: parseFactor(reader),
    };
  }
  const token = reader.current;
  if (reader.accept('(') !== undefined) {
    const term = parseTerm(reader);
    reader.expect(')');
    return term;
  }
  if (token.kind === 'number') return { kind: 'number', value: parseNumber(reader) };
  if (token.kind === 'word' && token.text === 'len') {
    reader.next();
    return { kind: 'length' };
  }
  if (token.kind === 'word' && Object.hasOwn(CONSTANTS, token.text)) {
    reader.next();
    return { kind: 'number', value: CONSTANTS[token.text] };
  }
  if (token.kind === 'word' && LOADABLE.has(token.text) && reader.ahead(1).text === '[') {
    return parseLoad(reader);
  }
  throw reader.unexpected('a number, a constant such as tcp-syn, or bytes such as tcp[13]');
}

function parseLoad(reader: TokenReader): Term {
  const protocol = reader.next().text;
  reader.expect('[');
  const index = parseTerm(reader);
  let size: LoadSize = 1;
  if (reader.accept(':') !== undefined) {
    const token = reader.current;
    if (token.kind !== 'number') throw reader.unexpected('a size of 1, 2 or 4 bytes');
    const value = parseNumber(reader);
    if (value !== 1 && value !== 2 && value !== 4)
      throw reader.error(`a size of ${value} bytes; it must be 1, 2 or 4`, token);
    size = value;
  }
  reader.expect(']');
  return { kind: 'load', protocol, index, size };
}

/** A number token of at most 32 bits. */
export function parseNumber(reader: TokenReader): number {
  const token = reader.current;
  // A leading zero means octal to tcpdump; nobody who writes 080 means that.
  if (/^0\d/.test(token.text)) throw reader.error('a number with a leading zero', token);
  const value = Number(token.text);
  if (value > 0xffffffff) throw reader.error(`${token.text} is more than 32 bits`, token);
  reader.next();
  return value;
}
