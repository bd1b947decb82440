/** One session from its seed: network, servers, capture, clients, verification. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCapture, verifyCapture } from './capture.mjs';
import { buildNetwork, drawConditions } from './network.mjs';
import { run, start, waitFor } from './process.mjs';
import { random } from './random.mjs';

const PROGRAMS = fileURLToPath(new URL('../programs/', import.meta.url));
const LONGEST_SECONDS = 60;

/**
 * Runs a session of `profile` and returns {pcap, summary, conditions}.
 * @param {{prefix: string, shared: string, temporary: string, seed: string}} where
 */
export async function runSession(profile, { prefix, shared, temporary, seed }) {
  const rng = random(seed);
  const conditions = drawConditions(rng.child('conditions'));
  const names = Object.keys(conditions.names);
  const plan = profile.plan({ rng: rng.child('plan'), names, conditions });
  mkdirSync(temporary, { recursive: true });
  const folder = mkdtempSync(join(temporary, `${profile.label}-`));
  let network;
  try {
    network = await buildNetwork(prefix, conditions, folder);
    const session = sessionTools(network, { plan, folder, shared });
    await profile.serve(session);
    const file = join(folder, 'whole.pcap');
    const capture = await startCapture(network.client, file);
    await Promise.race([profile.use(session), tooLong(profile.label)]);
    await capture.stop();
    return { ...(await verifyCapture(file, conditions.mtu)), conditions };
  } finally {
    await network?.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a profile works with. */
function sessionTools(network, { plan, folder, shared }) {
  const session = {
    plan,
    folder,
    shared,
    path: (program) => join(PROGRAMS, program),
    /** Starts a program at the client. */
    client: (command) => start(command, { netns: network.client }),
    /** Starts a server program. */
    serve: (command) => start(command, { netns: network.server }),
    /** Waits until a TCP port is listened on at the server. */
    listening: (port) =>
      waitFor(
        async () => (await run(['ss', '-Hltn', `sport = :${port}`], { netns: network.server })) !== '',
        10,
        `port ${port}`,
      ),
    /** Waits for a client program's end; a non-zero exit is an error. */
    async ended(process) {
      const { code, stderr } = await process.done;
      if (code !== 0) throw new Error(`${process.child.spawnargs[4]} exited ${code}: ${stderr.trim()}`);
    },
    /** Runs one of our own client programs with its plan. */
    program: (name, ...values) =>
      session.ended(
        session.client([
          process.execPath,
          session.path(name),
          ...values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))),
        ]),
      ),
  };
  return session;
}

const tooLong = (label) =>
  new Promise((_, reject) =>
    setTimeout(
      () => reject(new Error(`${label} ran over ${LONGEST_SECONDS} s`)),
      LONGEST_SECONDS * 1000,
    ).unref(),
  );
