/** Options of {@link NetssmError}. */
export interface NetssmErrorOptions {
  /** What the reader can do about it, as one sentence. */
  hint?: string;
  /** The error that led to this one. */
  cause?: unknown;
  /** Numbers and names that a program may want (file, offset, shapes ...). */
  context?: Record<string, unknown>;
  /** 1: the run failed. 2: the arguments were unusable. */
  exitCode?: 1 | 2;
}

/**
 * An error that a user can act on: a stable `code`, a message with place and numbers, and a `hint` with the remedy.
 * Malformed *packets* are never errors; they are {@link Problem}s.
 */
export class NetssmError extends Error {
  readonly code: string;
  readonly hint?: string;
  readonly context: Record<string, unknown>;
  readonly exitCode: 1 | 2;

  constructor(code: string, message: string, options: NetssmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NetssmError';
    this.code = code;
    this.hint = options.hint;
    this.context = options.context ?? {};
    this.exitCode = options.exitCode ?? 1;
  }

  override toString(): string {
    return `${this.message}${this.hint ? `\nHint: ${this.hint}` : ''}`;
  }
}
