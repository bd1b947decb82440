/** Network namespaces: which there are, ending what runs in them, removing them. */
import { sleep, start } from '../lib/process';

/** The names of all network namespaces. */
export async function listNamespaces(): Promise<string[]> {
  const lines = (await output(['ip', 'netns', 'list'])).split('\n');
  return lines.map((line) => line.split(' ')[0]).filter(Boolean);
}

/**
 * Ends what runs in our namespaces, by process id, and deletes them. One that has gone meanwhile
 * (a stopped run and its sessions clean up at the same time) is no error.
 */
export async function removeNamespaces(names: string[]): Promise<void> {
  const existing = new Set(await listNamespaces());
  const ours = names.filter((name) => existing.has(name));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    let left = 0;
    for (const ns of ours)
      for (const pid of (await output(['ip', 'netns', 'pids', ns])).split('\n').filter(Boolean)) {
        left++;
        try {
          process.kill(Number(pid), signal);
        } catch {
          // it has ended by itself
        }
      }
    if (left === 0) break;
    await sleep(0.15);
  }
  if (ours.length > 0)
    await start(['ip', '-force', '-batch', '-'], { input: ours.map((ns) => `netns del ${ns}\n`).join('') }).done;
}

const output = async (command: string[]): Promise<string> => (await start(command, { input: '' }).done).stdout;
