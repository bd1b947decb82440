/**
 * Writes what tshark says of the TCP segments of a folder of captures: test/golden/tcp-analysis.json, by file the numbers
 * of the packets that it calls retransmissions (fast and spurious ones included), out-of-order, keep-alives and duplicate
 * acknowledgments, and the number of all TCP packets. Files without any of these are left out but counted.
 *
 *   node scripts/golden/tcp_analysis.mjs DATA_FOLDER
 *
 * DATA_FOLDER holds MANIFEST.tsv, whose first column names the captures.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const data = process.argv[2];
if (!data) throw new Error('name the folder that holds MANIFEST.tsv');

const FIELDS = {
  retransmission: 'tcp.analysis.retransmission',
  outOfOrder: 'tcp.analysis.out_of_order',
  keepAlive: 'tcp.analysis.keep_alive',
  duplicateAck: 'tcp.analysis.duplicate_ack',
};
const quiet = { maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] };
const files = {};
for (const line of readFileSync(join(data, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n').slice(1)) {
  const file = line.split('\t')[0];
  const fields = ['frame.number', ...Object.values(FIELDS)].flatMap((name) => ['-e', name]);
  const args = ['-r', join(data, file), '-n', '-Y', 'tcp', '-T', 'fields', ...fields];
  const rows = execFileSync('tshark', args, quiet).toString().trimEnd().split('\n').filter(Boolean);
  const found = { tcp: rows.length };
  for (const row of rows) {
    const [number, ...cells] = row.split('\t');
    Object.keys(FIELDS).forEach((name, i) => {
      if (cells[i]) (found[name] ??= []).push(Number(number));
    });
  }
  files[file] = found;
}
const version = execFileSync('tshark', ['--version'], quiet).toString().split('\n')[0];
const lines = Object.entries(files).map(
  ([file, found]) => `${JSON.stringify(file)}:${JSON.stringify(found)}`,
);
const out = join(root, 'test', 'golden', 'tcp-analysis.json');
writeFileSync(out, `{"version":${JSON.stringify(version)},"files":{\n${lines.join(',\n')}\n}}\n`);
console.log(`${out}: ${lines.length} captures, ${version}`);
