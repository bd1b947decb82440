/**
 * Packs finished sessions into the data set:
 *
 *   CLASS-SPLIT.pcapng.zst   Zstandard frames behind one another, one for each session; each holds one
 *                            PCAPNG section, so the whole file is one PCAPNG file of many sections
 *   sessions.jsonl.br        the ground truth, one `session.json` a line
 *   manifest.json            how it was made, files, and for each session where its frame lies
 */
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import type { TrafficClass } from '../classes/types';
import type { SessionId, SessionTruth } from '../session';
import { sha256, findSession } from './spool';

export interface ManifestSession {
  id: string;
  label: string;
  service: string;
  split: 'train' | 'test';
  /** Where its frame lies: file, first byte, length; and how long the section in it is. */
  file: string;
  offset: number;
  bytes: number;
  sectionBytes: number;
  sha256: string;
  packets: number;
  seconds: number;
  flows: number;
  tcpFlows: number;
  handshakes: number;
  closed: number;
  mtu: number;
  /** IPv4 packets and TCP segments while whole, and those of them with right checksums. */
  ipv4: number;
  ipv4Right: number;
  tcp: number;
  tcpRight: number;
}

export interface Manifest {
  version: 1;
  name: string;
  licence: string;
  made: unknown;
  classes: { label: string; service: string; description: string }[];
  files: { path: string; bytes: number; sha256: string; sessions: number; packets: number }[];
  sessions: ManifestSession[];
}

export const TRUTH_FILE = 'sessions.jsonl.br';

/** Writes the set; sessions that are not finished are left out and counted. */
export function pack(
  out: string,
  work: string,
  classes: TrafficClass[],
  list: SessionId[],
  made: unknown,
): { manifest: Manifest; missing: number } {
  mkdirSync(out, { recursive: true });
  const manifest: Manifest = {
    version: 1,
    name: 'netssm testbed',
    licence: 'CC-BY-4.0',
    made,
    classes: classes.map(({ name, service, description }) => ({ label: name, service, description })),
    files: [],
    sessions: [],
  };
  const truths: string[] = [];
  let missing = 0;
  for (const { name } of classes)
    for (const split of ['train', 'test'] as const) {
      const ids = list.filter((s) => s.label === name && s.split === split);
      const path = `${name}-${split}.pcapng.zst`;
      const part = join(out, `${path}.part`);
      const file = openSync(part, 'w');
      const hash = createHash('sha256');
      const first = manifest.sessions.length;
      let offset = 0;
      for (const id of ids) {
        const found = findSession(work, id);
        if (!found) {
          missing++;
          continue;
        }
        writeSync(file, found.frame);
        hash.update(found.frame);
        manifest.sessions.push(entry(found.truth, path, offset, found.frame, found.sectionBytes));
        truths.push(JSON.stringify(found.truth));
        offset += found.frame.length;
      }
      closeSync(file);
      const mine = manifest.sessions.slice(first);
      if (mine.length === 0) {
        rmSync(part);
        rmSync(join(out, path), { force: true });
        continue;
      }
      renameSync(part, join(out, path));
      const packets = mine.reduce((sum, s) => sum + s.packets, 0);
      manifest.files.push({ path, bytes: offset, sha256: hash.digest('hex'), sessions: mine.length, packets });
    }
  const truth = brotliCompressSync(`${truths.join('\n')}\n`, {
    params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT },
  });
  writeFileSync(join(out, TRUTH_FILE), truth);
  manifest.files.push({
    path: TRUTH_FILE,
    bytes: truth.length,
    sha256: sha256(truth),
    sessions: 0,
    packets: 0,
  });
  const wanted = new Set(manifest.files.map((f) => f.path));
  for (const old of readdirSync(out)) if (/(\.pcapng\.zst|^sessions\..*)$/.test(old) && !wanted.has(old)) rmSync(join(out, old));
  writeFileSync(join(out, 'manifest.json'), manifestText(manifest));
  return { manifest, missing };
}

function entry(truth: SessionTruth, file: string, offset: number, frame: Buffer, sectionBytes: number): ManifestSession {
  const tcp = truth.flows.filter((f) => f.protocol === 'tcp');
  const { id, application: label, service, split, packets, seconds, checksums } = truth;
  return {
    id, label, service, split, file, offset, bytes: frame.length, sectionBytes, sha256: sha256(frame),
    packets, seconds, flows: truth.flows.length, tcpFlows: tcp.length,
    handshakes: tcp.filter((f) => f.handshake).length, closed: tcp.filter((f) => f.end !== 'open').length,
    mtu: truth.conditions.mtu, ipv4: checksums.ipv4, ipv4Right: checksums.ipv4Right,
    tcp: checksums.tcp, tcpRight: checksums.tcpRight,
  }; // prettier-ignore
}

/**
 * JSON with one session a line, so that changes can be read. Sessions stand in their file, what they share with the file
 * is said once: a tenth of the set would be repeated words otherwise.
 */
function manifestText({ sessions, files, ...rest }: Manifest): string {
  const head = JSON.stringify(rest, null, 1).replace(/\n}$/, '');
  const parts = files.map(({ sessions: _, ...file }) => {
    const mine = sessions.filter((s) => s.file === file.path);
    const [first] = mine;
    const named = first ? { ...file, label: first.label, split: first.split } : file;
    const rows = mine.map(({ file: _f, label: _l, service: _s, split: _t, ...row }) => JSON.stringify(row)); // prettier-ignore
    return `${JSON.stringify(named).slice(0, -1)},"sessions":[${rows.length ? `\n${rows.join(',\n')}\n` : ''}]}`;
  });
  return `${head},\n "files": [\n${parts.join(',\n')}\n]}\n`;
}
