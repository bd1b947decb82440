import type { NetssmError } from '../../util';
import { filterError, tokenise, type Token } from './lexer';

/** The tokens of an expression and where the parser stands among them. */
export class TokenReader {
  private readonly tokens: Token[];
  private at = 0;

  /** @throws NetssmError `filter_syntax`. */
  constructor(readonly text: string) {
    this.tokens = tokenise(text);
  }

  get current(): Token {
    return this.tokens[this.at];
  }

  /** The token `n` places on; the last one stands for all beyond it. */
  ahead(n: number): Token {
    return this.tokens[Math.min(this.at + n, this.tokens.length - 1)];
  }

  next(): Token {
    const token = this.current;
    if (token.kind !== 'end') this.at++;
    return token;
  }

  atEnd(): boolean {
    return this.current.kind === 'end';
  }

  /** Is the current token this word or symbol? */
  is(text: string): boolean {
    const { kind, text: found } = this.current;
    return (kind === 'word' || kind === 'symbol') && found === text;
  }

  /** Passes over the current token if it is one of these. */
  accept(...texts: string[]): string | undefined {
    return texts.some((text) => this.is(text)) ? this.next().text : undefined;
  }

  /** @throws NetssmError `filter_syntax`. */
  expect(text: string): void {
    if (this.accept(text) === undefined) throw this.unexpected(`"${text}"`);
  }

  save(): number {
    return this.at;
  }

  restore(place: number): void {
    this.at = place;
  }

  /** The error "expected ..., found ...", at the current token or a given one. */
  unexpected(wanted: string, token = this.current): NetssmError {
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
    return this.error(`expected ${wanted}, found ${found}`, token);
  }

  error(what: string, token = this.current, hint?: string): NetssmError {
    return filterError(this.text, token.column, what, token.text.length, hint);
  }
}
