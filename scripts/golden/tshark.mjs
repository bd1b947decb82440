/**
 * Writes the samples of test/packets/protocolSamples.ts as captures, one for each link type, and what tshark reads in
 * them: test/golden/tshark/linktype-N.pcap and .json (one packet a line, without tshark's own "frame" layer).
 *
 *   npm run build && node scripts/golden/tshark.mjs [--dist DIR]
 *
 * Fragments are not put together, checksums are checked, and the heuristics for RTP and RTCP are on, which tshark
 * leaves off.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const given = process.argv.indexOf('--dist');
const dist = given > 0 ? resolve(process.argv[given + 1]) : join(root, 'dist');
const require = createRequire(import.meta.url);
const { writePcap } = require(join(dist, 'capture', 'index.js'));
const packets = require(join(dist, 'packets', 'index.js'));

const OPTIONS = [
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'sctp.checksum:crc-32c',
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'wlan.check_fcs:FALSE',
].flatMap((option) => ['-o', option]);
const HEURISTICS = ['rtp_udp', 'rtcp_udp'].flatMap((name) => ['--enable-heuristic', name]);

const out = join(root, 'test', 'golden', 'tshark');
mkdirSync(out, { recursive: true });
const byLinkType = new Map();
for (const sample of loadSamples()) {
  byLinkType.set(sample.linkType, [...(byLinkType.get(sample.linkType) ?? []), sample]);
}
for (const [linkType, samples] of byLinkType) {
  const file = join(out, `linktype-${linkType}.pcap`);
  const frames = samples.map(({ layers, payload }, i) => {
    const data = packets.encodePacket(layers, payload);
    const tsMicros = 1_700_000_000_000_000 + i * 1000;
    return { data, wireLen: data.length, tsMicros, tsNanos: 0, linkType, interfaceId: 0 };
  });
  writePcap(file, frames, { linkType });
  const args = ['-r', file, '-n', ...OPTIONS, ...HEURISTICS, '-T', 'json', '--no-duplicate-keys'];
  const json = JSON.parse(
    execFileSync('tshark', args, { maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const lines = json.map(({ _source: { layers } }) => {
    const { frame, ...rest } = layers;
    return JSON.stringify({ protocols: frame['frame.protocols'], ...rest });
  });
  writeFileSync(file.replace(/pcap$/, 'json'), `[\n${lines.join(',\n')}\n]\n`);
  console.log(`${file}: ${frames.length} packets`);
}
const version = execFileSync('tshark', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
writeFileSync(join(out, 'VERSION'), `${version.split('\n')[0]}\n`);

/** The samples, their module loaded with the built packet code in place of its sources. */
function loadSamples() {
  const source = readFileSync(join(root, 'test', 'packets', 'protocolSamples.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.CommonJS } });
  const exported = {};
  new Function('require', 'exports', outputText)(() => packets, exported);
  return exported.protocolSamples;
}
