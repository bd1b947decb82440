/** How every command speaks: results on stdout, everything about the work on stderr. */
import { NetssmError, TerminalProgress } from '../util';

/** One command's way to the terminal. */
export class Io {
  /** @param json machine-readable: stdout carries one JSON value and nothing else. */
  constructor(readonly json: boolean) {}

  /** A line for people, on stdout; with --json nothing. */
  print(text = ''): void {
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** The command's result as JSON, with --json. */
  result(value: unknown): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Something about the work, on stderr. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** A progress bar on stderr; pass its `report` as `onProgress` and call `finish`. */
  progress(title: string): TerminalProgress {
    return new TerminalProgress(title);
  }
}

/** Prints an error as message and hint (the stack only with NETSSM_DEBUG=1) and gives the exit code. */
export function reportError(error: unknown, io: Io): number {
  const known = error instanceof NetssmError ? error : undefined;
  const cause = error instanceof Error ? error : new Error(String(error));
  const hint =
    known === undefined
      ? 'This is unexpected: run again with NETSSM_DEBUG=1 to see where it comes from, and report it.'
      : known.hint;
  if (process.env.NETSSM_DEBUG === '1') io.note(cause.stack ?? cause.message);
  else io.note(`error: ${cause.message}`);
  if (hint) io.note(`Hint: ${hint}`);
  io.result({
    error: { code: known?.code ?? 'unexpected', message: cause.message, hint, ...known?.context },
  });
  return known?.exitCode ?? 1;
}

/**
 * Runs work that a first Ctrl-C ends gracefully, through the signal, and a second one at once. For commands whose
 * functions do not listen themselves.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('\ninterrupted: finishing what is under way; Ctrl-C again stops at once\n');
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}
