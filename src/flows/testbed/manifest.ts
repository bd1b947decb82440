import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetssmError, projectRoot, readJson } from '../../util';

/** Where the set that comes with the project lies. */
export const TESTBED_SET: string = join(projectRoot, 'data', 'testbed', 'set');

/** One session in `manifest.json`: where its packets lie, and the numbers that were counted when it was made. */
export interface TestbedManifestSession {
  /** `dash-test-001`. */
  id: string;
  /** The class: `dash`. */
  label: string;
  /** The group of classes: `streaming`. */
  service: string;
  split: 'train' | 'test';
  /** File, first byte and length of its Zstandard frame; length of the PCAPNG section in it. */
  file: string;
  offset: number;
  bytes: number;
  sectionBytes: number;
  /** Of the frame. */
  sha256: string;
  packets: number;
  seconds: number;
  flows: number;
  tcpFlows: number;
  /** TCP flows that begin with SYN, SYN+ACK, ACK, and those that end by FIN from both sides or by RST. */
  handshakes: number;
  closed: number;
  mtu: number;
  /** IPv4 packets and TCP segments while packets were whole, and those of them with right checksums. */
  ipv4: number;
  ipv4Right: number;
  tcp: number;
  tcpRight: number;
}

/** What `manifest.json` of a packed set tells (docs/testbed.md): there the sessions stand in their files. */
export interface TestbedManifest {
  version: 1;
  name: string;
  licence: string;
  /** Command, seed, kernel, versions of all programs. */
  made: Record<string, unknown>;
  classes: { label: string; service: string; description: string }[];
  files: { path: string; bytes: number; sha256: string; sessions: number; packets: number }[];
  sessions: TestbedManifestSession[];
}

/** The folder of a set: the project's own for `testbed`, else the path itself. */
export function testbedFolder(name: string): string {
  return name === 'testbed' ? TESTBED_SET : name;
}

/**
 * Is there a packed set in this folder? By its manifest, without reading packets.
 */
export function isTestbedSet(dir: string): boolean {
  const path = join(dir, 'manifest.json');
  if (!existsSync(path)) return false;
  try {
    return unfold(JSON.parse(readFileSync(path, 'utf8'))) !== undefined;
  } catch {
    return false; // somebody else's file
  }
}

/** The packed set that a capture file is part of: `data/testbed/set` for `data/testbed/set/dash-train.pcapng.zst`. */
export function testbedSetOf(file: string): string | undefined {
  return /\.pcapng\.zst$/.test(file) && isTestbedSet(dirname(file)) ? dirname(file) : undefined;
}

/** @throws NetssmError `testbed_missing`, `testbed_invalid`, `json_invalid`. */
export function readTestbedManifest(dir: string): TestbedManifest {
  const path = join(dir, 'manifest.json');
  if (!existsSync(path)) {
    const own = dir === TESTBED_SET;
    throw new NetssmError('testbed_missing', `${dir} holds no packed set: there is no manifest.json`, {
      exitCode: 2,
      context: { folder: dir },
      hint: own
        ? "The set is in the project's repository: check it out whole, or make it anew (Linux, root): sudo node data/testbed/make.mjs --sessions 100 --test-sessions 30 --out data/testbed/set"
        : 'Give the folder that data/testbed/make.mjs --out has written, or "testbed" for the set of the project.',
    });
  }
  const manifest = unfold(readJson<unknown>(path));
  if (!manifest) {
    throw new NetssmError('testbed_invalid', `${path} is not the manifest of a packed set, version 1`, {
      exitCode: 2,
      hint: 'Folders of captures are read by tokenize and inspect as they are; docs/testbed.md has the format of a packed set.',
    });
  }
  return manifest;
}

/** The manifest from its file's form; undefined for anything else. */
function unfold(value: unknown): TestbedManifest | undefined {
  const { files: packed, ...rest } = (value ?? {}) as Omit<TestbedManifest, 'files' | 'sessions'> & {
    files: (TestbedManifest['files'][number] & {
      label: string;
      split: 'train' | 'test';
      sessions: TestbedManifestSession[];
    })[];
  };
  const { version, classes } = rest;
  if (version !== 1 || ![classes, packed].every(Array.isArray)) return undefined;
  const service = new Map(classes.map((each) => [each.label, each.service]));
  const files: TestbedManifest['files'] = [];
  const sessions: TestbedManifestSession[] = [];
  for (const { path, bytes, sha256, packets, label, split, sessions: own } of packed) {
    if (!Array.isArray(own)) return undefined;
    files.push({ path, bytes, sha256, packets, sessions: own.length });
    for (const s of own)
      sessions.push({ ...s, label, split, service: service.get(label) as string, file: path });
  }
  const right = sessions.every(
    (s) =>
      [s.id, s.label, s.service, s.file, s.sha256].every((text) => typeof text === 'string') &&
      [s.offset, s.bytes, s.packets].every((n) => Number.isSafeInteger(n)),
  );
  return right ? { ...rest, files, sessions } : undefined;
}
