/** Starting, waiting for and ending processes, inside a network namespace or outside. */
import { spawn } from 'node:child_process';

export const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * Starts a program; with `netns` inside that namespace (`ip netns exec` replaces itself by the
 * program, so the process id is the program's). `done` resolves to {code, stdout, stderr}.
 */
export function start(command, { netns, input, env, cwd } = {}) {
  const argv = netns ? ['ip', 'netns', 'exec', netns, ...command] : command;
  const child = spawn(argv[0], argv.slice(1), { env: { ...process.env, ...env }, cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdin.on('error', () => {}); // the program may end before it has read all its input
  if (input !== undefined) child.stdin.end(input);
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  done.catch(() => {}); // reported where it is awaited
  return {
    child,
    done,
    write: (text) => child.stdin.write(text),
    end: () => child.stdin.end(),
    kill: (signal = 'SIGTERM') => child.kill(signal),
    output: () => stdout,
    errors: () => stderr,
  };
}

/** Runs a program to its end and returns its standard output; a non-zero exit is an error. */
export async function run(command, options = {}) {
  const { code, stdout, stderr } = await start(command, { input: '', ...options }).done;
  if (code !== 0)
    throw new Error(`${command.slice(0, 4).join(' ')} exited ${code}: ${stderr.trim() || stdout}`);
  return stdout;
}

/** Waits until `ready()` is true, looking every 20 ms; fails after `seconds`. */
export async function waitFor(ready, seconds, what) {
  const end = Date.now() + seconds * 1000;
  while (!(await ready())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(0.02);
  }
}
