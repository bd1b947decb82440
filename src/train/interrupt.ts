/**
 * Runs `work` with a signal that is aborted by Ctrl-C (a notebook's interrupt button), or by `outer`.
 *
 * A notebook kernel resets its own handler when one is installed while a cell is starting, and dies at the next
 * interrupt: so one macrotask passes first, the existing listeners are put aside, and put back at the end. A second
 * Ctrl-C gives up waiting where nobody else listens (a terminal); work on disk is safe, for it is written atomically.
 */
export async function withInterrupt<T>(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await macrotask();
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort);
  const others = process.listeners('SIGINT');
  process.removeAllListeners('SIGINT');
  const onInterrupt = () => {
    if (controller.signal.aborted && others.length === 0) process.exit(130);
    abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await work(controller.signal);
  } finally {
    outer?.removeEventListener('abort', abort);
    process.removeListener('SIGINT', onInterrupt);
    for (const listener of others) process.on('SIGINT', listener);
  }
}

/** Lets timers, signals and the display run: once per training step is enough. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
