/** One session from its seed: script, network, servers, capture, clients, verification, ground truth. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFlows, type Flow } from './capture/flows';
import { pcapngSection, readPcap } from './capture/pcap';
import { startCapture } from './capture/tcpdump';
import { checkLengths, verifyChecksums, type Checksums } from './capture/verify';
import type { TrafficClass } from './classes/types';
import { ended, run, sleep, start, waitFor, type Running } from './lib/process';
import { random } from './lib/random';
import { drawConditions, type Conditions } from './net/conditions';
import { buildNetwork, type Network, type WireCounts } from './net/network';
import type { WireKind } from './net/wire';
import type { ObjectRecord } from './programs/client';
import type { Certificate } from './servers/certificates';
import type { Catalogue } from './servers/media';

/** What all sessions of a run share. */
export interface Shared {
  folder: string;
  media: Catalogue;
  certificates: Certificate[];
  relay: string;
  wire: WireKind;
  /** Bytes that do not compress, for bodies without meaning. */
  filler: Buffer;
  /** Where the files of sessions that fail are kept, if they are. */
  keepFailed?: string;
}

export interface SessionId {
  id: string;
  label: string;
  split: 'train' | 'test';
  seed: string;
  /** One of the long sessions of a streaming class (10,000 packets and more). */
  long: boolean;
}

/** What a class works with while its session runs. */
export interface Session {
  script: unknown;
  conditions: Conditions;
  folder: string;
  shared: Shared;
  certificate: Certificate;
  /** The authority's certificate, for clients. */
  ca: string;
  /** Where client programs log objects. */
  log: string;
  filler(bytes: number): Buffer;
  /** Starts a program at the client, or at the server. */
  client(command: string[], env?: Record<string, string>, extraPipes?: number): Running;
  serve(command: string[], env?: Record<string, string>): Running;
  /** The address that server programs take when they do not bind to one; elsewise any of the servers'. */
  serveFrom(address: string): Promise<void>;
  /** Waits until a TCP port is listened on at the server. */
  listening(port: number): Promise<void>;
  /** Runs one of our client programs (`programs/NAME`) with the session's script to its end. */
  program(name: string, more?: Record<string, unknown>): Promise<void>;
  /** The path of a program of ours. */
  path(name: string): string;
  /** Notes an object that the class itself saw. */
  note(record: ObjectRecord): void;
}

/** The ground truth of a session: `session.json`. */
export interface SessionTruth {
  id: string;
  application: string;
  service: string;
  split: 'train' | 'test';
  seed: string;
  /** First packet, seconds since 1970; times below count from it. */
  began: number;
  seconds: number;
  packets: number;
  conditions: Conditions;
  /** What the user did: drawn from the seed before anything ran. */
  script: unknown;
  objects: ObjectRecord[];
  flows: Flow[];
  wire: (WireCounts & { kind: WireKind }) | { kind: WireKind };
  /** Checksums of the whole packets, before they were cut. */
  checksums: Checksums;
}

const LONGEST_SECONDS = 65;

/** The script and conditions of a session: the same for the same seed and media. */
export function planSession(kind: TrafficClass, { seed, long }: SessionId, media: Catalogue) {
  const rng = random(seed);
  const conditions = drawConditions(rng.child('conditions'), kind.tuning, long);
  const names = Object.keys(conditions.names);
  const script = kind.plan({ rng: rng.child('script'), names, conditions, media, long });
  return { conditions, script };
}

/** Runs a session; returns its packets as a PCAPNG section and its ground truth. */
export async function runSession(
  kind: TrafficClass,
  id: SessionId,
  shared: Shared,
  prefix: string,
): Promise<{ section: Buffer; truth: SessionTruth }> {
  const { conditions, script } = planSession(kind, id, shared.media);
  const rng = random(`${id.seed}/run`);
  const folder = mkdtempSync(join(shared.folder, `${kind.name}-`));
  const options = { prefix, folder, wire: shared.wire, relay: shared.relay, seed: rng.integer(1, 2 ** 31) };
  const network = await buildNetwork(conditions, options).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  try {
    const certificate = shared.certificates[rng.integer(0, shared.certificates.length - 1)];
    const session = sessionTools(network, { script, conditions, folder, shared, certificate });
    await kind.serve(session);
    const file = join(folder, 'whole.pcap');
    const capture = await startCapture(network.client, file);
    network.startRateSteps();
    await Promise.race([kind.use(session), tooLong(kind.name)]);
    await connectionsClosed(network.client);
    await capture.stop();
    const wire = await network.wireCounts();
    const packets = readPcap(readFileSync(file));
    if (packets.length < 20) throw new Error(`only ${packets.length} packets`);
    checkLengths(packets, conditions.mtu);
    const checksums = await verifyChecksums(file, packets.length);
    const began = packets[0].tsMicros / 1e6;
    const seconds = packets[packets.length - 1].tsMicros / 1e6 - began;
    const objects = [...readLog(session.log), ...(kind.objects?.(session) ?? [])]
      .map((object) => ({ ...object, at: Number((object.at - began).toFixed(4)) }))
      .sort((a, b) => a.at - b.at);
    const truth: SessionTruth = {
      id: id.id, application: kind.name, service: kind.service, split: id.split, seed: id.seed,
      began, seconds: Number(seconds.toFixed(4)), packets: packets.length,
      conditions, script, objects, flows: findFlows(packets, conditions.client),
      wire: { kind: shared.wire, ...wire }, checksums,
    }; // prettier-ignore
    kind.check?.(truth);
    return { section: pcapngSection(packets, id.id), truth };
  } catch (error) {
    if (shared.keepFailed) cpSync(folder, join(shared.keepFailed, id.id), { recursive: true });
    throw error;
  } finally {
    await network.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface ToolOptions {
  script: unknown;
  conditions: Conditions;
  folder: string;
  shared: Shared;
  certificate: Certificate;
}

function sessionTools(network: Network, options: ToolOptions): Session {
  const { folder, shared, script } = options;
  const log = join(folder, 'objects.jsonl');
  const ca = join(shared.folder, 'ca.crt');
  const session: Session = {
    ...options,
    log,
    ca,
    filler(bytes) {
      const from = bytes < shared.filler.length ? (bytes * 7919) % (shared.filler.length - bytes) : 0;
      return bytes < shared.filler.length
        ? shared.filler.subarray(from, from + bytes)
        : Buffer.alloc(bytes, shared.filler);
    },
    client: (command, env, extraPipes) => start(command, { netns: network.client, env, extraPipes }),
    serve: (command, env) => start(command, { netns: network.server, env }),
    serveFrom: network.serveFrom,
    listening: (port) =>
      waitFor(
        async () => (await run(['ss', '-Hltn', `sport = :${port}`], { netns: network.server })) !== '',
        20,
        `port ${port}`,
      ),
    path: (name) => join(__dirname, 'programs', name),
    async program(name, more = {}) {
      const file = join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify({ script, log, ca, ...more }));
      await ended(session.client([process.execPath, session.path(`${name}.js`), file]));
    },
    note: (record) => writeFileSync(log, `${JSON.stringify(record)}\n`, { flag: 'a' }),
  };
  return session;
}

/** Waits until the client's connections have been closed by both sides, or 4 s. */
async function connectionsClosed(netns: string): Promise<void> {
  const open = ['established', 'fin-wait-1', 'fin-wait-2', 'close-wait', 'last-ack', 'closing', 'syn-sent'];
  const command = ['ss', '-Htn', ...open.flatMap((state) => ['state', state])];
  for (let tries = 0; tries < 40 && (await run(command, { netns })) !== ''; tries++) await sleep(0.1);
}

function readLog(path: string): ObjectRecord[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as ObjectRecord);
}

const tooLong = (name: string): Promise<never> =>
  new Promise((_, reject) => {
    const message = `${name} ran over ${LONGEST_SECONDS} s`;
    setTimeout(() => reject(new Error(message)), LONGEST_SECONDS * 1000).unref();
  });
