import { NetssmError } from '../../util';

/** A piece of a filter expression. `column` counts from 0. */
export interface Token {
  readonly kind: 'word' | 'number' | 'ipv4' | 'ipv6' | 'mac' | 'symbol' | 'end';
  readonly text: string;
  readonly column: number;
}

const PATTERNS: readonly (readonly [Token['kind'], RegExp])[] = [
  ['mac', /(?:[0-9a-f]{1,2}([:-]))(?:[0-9a-f]{1,2}\1){4}[0-9a-f]{1,2}(?![\w:])/iy],
  ['mac', /[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])/iy],
  ['ipv6', /(?=[0-9a-f]*:[0-9a-f]*:)[0-9a-f:]+(?:\d+\.\d+\.\d+\.\d+)?(?![\w:])/iy],
  ['ipv4', /\d+(?:\.\d+){1,3}(?![\w.])/y],
  ['number', /0x[0-9a-f]+(?!\w)/iy],
  ['number', /\d+(?![\w])/y],
  ['symbol', /&&|\|\||<=|>=|==|!=|<<|>>|[()[\]!<>=+\-*/%&|^:]/y],
  ['word', /\\?[a-z_][\w.]*(?:-[\w.]+)*/iy],
];

/** Deeper nesting is refused rather than exhausting the stack. */
export const MAX_DEPTH = 100;

/** @throws NetssmError `filter_syntax`. The last token is of kind `end`. */
export function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let brackets = 0;
  let depth = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at++;
    if (at >= text.length) break;
    const found = match(text, at, brackets > 0);
    if (!found) {
      const word = /^\S+/.exec(text.slice(at))![0];
      throw filterError(text, at, `cannot read "${word}"`, word.length);
    }
    if (found.text === '[') brackets++;
    else if (found.text === ']') brackets--;
    if (found.text === '(' || found.text === '[') depth++;
    else if (found.text === ')' || found.text === ']') depth--;
    if (depth > MAX_DEPTH) throw filterError(text, at, `more than ${MAX_DEPTH} brackets inside each other`);
    tokens.push(found);
    at += found.text.length;
  }
  tokens.push({ kind: 'end', text: '', column: text.length });
  return tokens;
}

function match(text: string, at: number, inBrackets: boolean): Token | undefined {
  for (const [kind, pattern] of PATTERNS) {
    // `tcp[0:2]` holds numbers, not an address.
    if (inBrackets && (kind === 'mac' || kind === 'ipv6')) continue;
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) return { kind, text: found[0], column: at };
  }
  return undefined;
}

/** The error of an expression, with its line and a mark below the place. */
export function filterError(
  text: string,
  column: number,
  what: string,
  length = 1,
  hint = FILTER_HINT,
): NetssmError {
  const mark = ' '.repeat(column) + '^'.repeat(Math.max(1, length));
  // Line breaks and tabs would part the mark from its place.
  const line = text.replace(/\s/g, ' ');
  return new NetssmError('filter_syntax', `filter, column ${column + 1}: ${what}\n  ${line}\n  ${mark}`, {
    exitCode: 2,
    hint,
    context: { filter: text, column: column + 1 },
  });
}

export const FILTER_HINT =
  'Filters are written as for tcpdump: "tcp port 443 and host 192.0.2.1", "udp or icmp", "tcp[tcpflags] & tcp-syn != 0".';
