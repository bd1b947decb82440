/**
 * Makes the captures: `node data/testbed/make.mjs --seed 1 --sessions 20 --out data/captures`.
 * Needs root (network namespaces) and the packages of install.sh. Sessions that are there already,
 * made with the same seed, are skipped; remove a file to have it made again.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { describePrograms, describeSet, readManifest, sha256, writeManifest } from './lib/manifest.mjs';
import { listNamespaces, removeNamespaces } from './lib/network.mjs';
import { makeCertificate } from './lib/nginx.mjs';
import { sleep } from './lib/process.mjs';
import { runSession } from './lib/session.mjs';
import { PROFILES } from './profiles/index.mjs';

const HELP = `node data/testbed/make.mjs [options]
  --out DIR         where the captures go (data/captures)
  --seed N          seed of the training sessions; test sessions use seeds of their own (1)
  --sessions N      sessions an application (20)
  --test-share S    share of them with split "test" (0.25)
  --labels A,B      only these applications (${PROFILES.map((p) => p.label).join(',')})
  --jobs N          sessions at a time (4)`;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'data/captures' },
    seed: { type: 'string', default: '1' },
    sessions: { type: 'string', default: '20' },
    'test-share': { type: 'string', default: '0.25' },
    labels: { type: 'string' },
    jobs: { type: 'string', default: '4' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const [seed, sessions, jobs] = [values.seed, values.sessions, values.jobs].map(Number);
const tests = Math.round(sessions * Number(values['test-share']));
const labels = values.labels?.split(',') ?? PROFILES.map((p) => p.label);
const profiles = PROFILES.filter((p) => labels.includes(p.label));

if (process.getuid?.() !== 0) fail('network namespaces need root: run it with sudo');
const { missing, ...versions } = await describePrograms();
if (missing.length > 0) fail(`missing: ${missing.join(', ')}. Run sh data/testbed/install.sh`);

/** Every session, applications taking turns so that a part of a run has all of them. */
const wanted = [];
for (let n = 1; n <= sessions; n++)
  for (const profile of profiles) {
    const split = n > sessions - tests ? 'test' : 'train';
    const name = `${profile.label}-${String(n).padStart(2, '0')}`;
    // A seed for each split: no test session shares its draw with a training session.
    const sessionSeed = `${seed}/${split}/${profile.label}/${n}`;
    wanted.push({ profile, split, path: `${profile.label}/${name}.pcap`, seed: sessionSeed });
  }

mkdirSync(values.out, { recursive: true });
const manifest = readManifest(values.out);
const command =
  `node data/testbed/make.mjs --seed ${seed} --sessions ${sessions}` +
  (values['test-share'] === '0.25' ? '' : ` --test-share ${values['test-share']}`);
manifest.made = { ...versions, seed, command };
const have = new Set(manifest.files.map((f) => `${f.path} ${f.seed}`));
const todo = wanted.filter((s) => !have.has(`${s.path} ${s.seed}`));
console.log(`${wanted.length} sessions, ${todo.length} to make, ${jobs} at a time`);

const temporary = mkdtempSync(join(tmpdir(), 'netssm-testbed-'));
const runName = `nssm${process.pid}`;
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, async () => {
    if (stopping) return;
    stopping = true;
    console.log('\nstopping: removing namespaces');
    await cleanUp();
    process.exit(130);
  });

const started = Date.now();
let made = 0;
const failures = [];
let workers = Promise.resolve();
try {
  await makeCertificate(temporary);
  for (const profile of profiles) await profile.prepare?.(temporary);
  workers = Promise.all(Array.from({ length: Math.min(jobs, todo.length) }, (_, slot) => worker(slot)));
  await workers;
} catch (error) {
  if (!stopping) throw error; // a stopped run fails where it was stopped
} finally {
  if (!stopping) await cleanUp();
}
if (!stopping) {
  const total = manifest.files.reduce((sum, f) => sum + f.packets, 0);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`made ${made} in ${seconds} s; ${manifest.files.length} files, ${total} packets`);
  console.log(describeSet(manifest.files));
  for (const failure of failures) console.error(`failed: ${failure}`);
  process.exit(failures.length > 0 ? 1 : 0);
}

/** Takes sessions from the list until none is left; a failed one is tried once more. */
async function worker(slot) {
  for (let item; !stopping && (item = todo.shift());) {
    const prefix = `${runName}-${slot}`;
    try {
      const where = { prefix, shared: temporary, temporary, seed: item.seed };
      const result = await runSession(item.profile, where);
      if (stopping) return;
      keep(item, result);
    } catch (error) {
      if (stopping) return;
      if (item.again) failures.push(`${item.path}: ${error.message}`);
      else todo.push({ ...item, again: true });
    }
  }
}

function keep({ profile, split, path, seed }, { pcap, summary, conditions }) {
  const file = join(values.out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, pcap);
  const { hops, mtu, downMbit, upMbit, delayMs, loss, congestion, timestamps, sack, windowScaling } =
    conditions;
  manifest.files = manifest.files.filter((f) => f.path !== path);
  manifest.files.push({
    path, label: profile.label, split, ...summary, sha256: sha256(pcap), seed,
    conditions: { hops, mtu, downMbit, upMbit, delayMs, loss, congestion, timestamps, sack, windowScaling },
  }); // prettier-ignore
  writeManifest(values.out, manifest);
  made++;
  const seconds = (Date.now() - started) / 1000;
  const left = Math.round((seconds / made) * (todo.length + jobs - 1));
  console.log(
    `${String(made).padStart(4)}  ${path}  ${summary.packets} packets, ${summary.flows} flows, ` +
      `${summary.handshakes}/${summary.tcpFlows} handshakes, ${summary.closed} closed  (about ${left} s left)`,
  );
}

/** Removes every namespace of this run and the temporary folder, once the sessions have ended. */
async function cleanUp() {
  let running = true;
  workers.finally(() => (running = false));
  for (let ours = [], tries = 0; tries < 50 && (running || ours.length > 0 || tries === 0); tries++) {
    ours = (await listNamespaces()).filter((name) => name.startsWith(`${runName}-`));
    await removeNamespaces(ours);
    for (const name of ours) rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
    await sleep(0.1);
  }
  rmSync(temporary, { recursive: true, force: true });
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
