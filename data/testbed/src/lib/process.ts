/** Starting, waiting for and ending processes, inside a network namespace or outside. */
import { spawn, type ChildProcess } from 'node:child_process';

export const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export interface StartOptions {
  /** The network namespace it runs in; without, this process's own. */
  netns?: string;
  /** Standard input, whole; without, `write` and `end` give it. */
  input?: string | Buffer;
  env?: Record<string, string>;
  cwd?: string;
  /** More file descriptors than the three standard ones, as pipes (for Chromium's control pipe). */
  extraPipes?: number;
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** What was started, for messages. */
  name: string;
  done: Promise<Finished>;
  write(text: string): void;
  end(): void;
  kill(signal?: NodeJS.Signals): void;
  output(): string;
  errors(): string;
}

/**
 * Starts a program; with `netns` inside that namespace (`ip netns exec` replaces itself by the
 * program, so the process id is the program's). It leads a process group of its own, so that a
 * Ctrl-C at the terminal reaches only the testbed, which then ends things in order.
 */
export function start(command: string[], options: StartOptions = {}): Running {
  const { netns, input, env, cwd, extraPipes = 0 } = options;
  const argv = netns ? ['ip', 'netns', 'exec', netns, ...command] : command;
  const child = spawn(argv[0], argv.slice(1), {
    env: { ...process.env, ...env },
    cwd,
    detached: true,
    stdio: Array.from({ length: 3 + extraPipes }, () => 'pipe' as const),
  });
  const text = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text[0] += chunk));
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (text[1] += chunk));
  child.stdin!.on('error', () => {}); // the program may end before it has read all its input
  if (input !== undefined) child.stdin!.end(input);
  const done = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout: text[0], stderr: text[1] }));
  });
  done.catch(() => {}); // reported where it is awaited
  return {
    child,
    name: command.slice(0, 3).join(' '),
    done,
    write: (line) => void child.stdin!.write(line),
    end: () => void child.stdin!.end(),
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    output: () => text[0],
    errors: () => text[1],
  };
}

/** Runs a program to its end and returns its standard output; a non-zero exit is an error. */
export async function run(command: string[], options: StartOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await start(command, { input: '', ...options }).done;
  if (code !== 0)
    throw new Error(`${command.slice(0, 4).join(' ')} ended with ${code ?? signal}: ${tail(stderr || stdout)}`);
  return stdout;
}

/** Waits for a started program's end; a non-zero exit is an error. */
export async function ended(program: Running): Promise<Finished> {
  const finished = await program.done;
  if (finished.code !== 0)
    throw new Error(
      `${program.name} ended with ${finished.code ?? finished.signal}: ${tail(finished.stderr || finished.stdout)}`,
    );
  return finished;
}

/** Waits until `ready()` is true, looking every 20 ms; fails after `seconds`. */
export async function waitFor(
  ready: () => boolean | Promise<boolean>,
  seconds: number,
  what: string,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await ready())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(0.02);
  }
}

/** The last lines of a program's complaints. */
export const tail = (text: string): string => text.trim().split('\n').slice(-6).join('\n').slice(-800);
