/** The manifest: what was made, by which programs, with a hash for every file. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { start } from './process.mjs';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The manifest in `folder`, without the files that are missing or changed. */
export function readManifest(folder) {
  const path = join(folder, 'manifest.json');
  if (!existsSync(path)) return { version: 1, made: {}, files: [] };
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  manifest.files = manifest.files.filter((entry) => {
    const file = join(folder, entry.path);
    return existsSync(file) && sha256(readFileSync(file)) === entry.sha256;
  });
  return manifest;
}

/** Writes it whole or not at all, files in the order of their paths, one line a file. */
export function writeManifest(folder, { version, made, files }) {
  const lines = [...files].sort((a, b) => (a.path < b.path ? -1 : 1)).map((f) => JSON.stringify(f));
  const text = `{"version": ${version},\n"made": ${JSON.stringify(made, null, 2)},\n"files": [\n${lines.join(',\n')}\n]}\n`;
  const path = join(folder, 'manifest.json');
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}

const PROGRAMS = {
  nginx: ['nginx', '-v'],
  mosquitto: ['mosquitto', '-h'],
  dnsmasq: ['dnsmasq', '-v'],
  dig: ['dig', '-v'],
  openssh: ['ssh', '-V'],
  rsync: ['rsync', '--version'],
  tcpdump: ['tcpdump', '--version'],
  tshark: ['tshark', '--version'],
  python: ['python3', '--version'],
};

/** Kernel and program versions; names the programs that are missing. */
export async function describePrograms() {
  const programs = { node: process.versions.node };
  const missing = [];
  for (const [name, command] of Object.entries(PROGRAMS))
    try {
      const { stdout, stderr } = await start(command, { input: '' }).done;
      programs[name] = /\d+\.\d+[.\w]*/.exec(stdout + stderr)?.[0] ?? 'unknown';
    } catch {
      missing.push(command[0]);
    }
  return { kernel: release().split('.').slice(0, 2).join('.'), programs, missing };
}

/** The set as a table in Markdown, a line for each label. */
export function describeSet(files) {
  const sum = (list, field) => list.reduce((total, file) => total + file[field], 0);
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const share = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
  const row = (label, list) =>
    `| ${label} | ${list.filter((f) => f.split === 'train').length} + ` +
    `${list.filter((f) => f.split === 'test').length} | ${sum(list, 'packets')} | ${sum(list, 'flows')} | ` +
    `${sum(list, 'tcpFlows')} | ${share(sum(list, 'handshakes'), sum(list, 'tcpFlows'))} | ` +
    `${share(sum(list, 'closed'), sum(list, 'tcpFlows'))} | ${median(list.map((f) => f.packets))} packets, ` +
    `${median(list.map((f) => f.flows))} flows, ${median(list.map((f) => f.seconds)).toFixed(1)} s |`;
  const labels = [...new Set(files.map((file) => file.label))].sort();
  return [
    '| label | sessions (train + test) | packets | flows | TCP flows | with handshake | closed | median session |',
    '|---|---|---|---|---|---|---|---|',
    ...labels.map((label) =>
      row(
        label,
        files.filter((file) => file.label === label),
      ),
    ),
    row('all', files),
  ].join('\n');
}
