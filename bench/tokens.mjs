/*
 * Layouts: packets a second on one core, and tokens a packet, over captures.
 *
 *   node bench/tokens.mjs [FILE_OR_FOLDER ...] [--seconds 2] [--dist DIR]
 *
 * Default: data/captures. Every capture is a sequence of its own. Times are CPU time of this process, so other work on
 * the machine disturbs little; reading the files is not in them.
 */
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { cpuUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '2' },
    dist: { type: 'string', default: join(root, 'dist') },
  },
});
const require = createRequire(import.meta.url);
const { listCaptures, openCapture } = require(resolve(values.dist, 'capture'));
const { checksumOptions, getLayout, LAYOUT_NAMES } = require(resolve(values.dist, 'tokens'));

const sequences = [];
for (const path of positionals.length ? positionals : [join(root, 'data', 'captures')]) {
  for (const file of listCaptures(path)) {
    const frames = [];
    for await (const frame of await openCapture(file))
      frames.push({ ...frame, data: frame.data.slice(0, 160) });
    if (frames.length) sequences.push({ frames, linkType: frames[0].linkType });
  }
}

/** CPU seconds of the fastest of the runs that fit the budget. */
function fastest(run) {
  let best = Infinity;
  const end = cpuSeconds() + Number(values.seconds);
  for (let n = 0; n < 3 || cpuSeconds() < end; n++) {
    const started = cpuSeconds();
    run();
    best = Math.min(best, cpuSeconds() - started);
  }
  return best;
}

function cpuSeconds() {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

const row = (...cells) =>
  console.log(cells.map((c, i) => (i < 2 ? String(c).padEnd(12) : String(c).padStart(14))).join(''));
const number = (n) => Math.round(n).toLocaleString('en');

console.log(
  `${sequences.length} captures, ${number(sequences.reduce((n, s) => n + s.frames.length, 0))} packets`,
);
row('layout', 'checksums', 'packets', 'tokens/packet', 'encoded/s', 'decoded/s');
for (const name of LAYOUT_NAMES)
  for (const checksums of checksumOptions(name)) {
    const layout = getLayout(name, { checksums });
    const runs = [];
    const encode = (keep) => {
      for (const [i, { frames, linkType }] of sequences.entries()) {
        const encoder = layout.encoder({ linkType });
        for (const frame of frames) {
          const result = encoder.encode(frame);
          if (keep && result.ok) (runs[i] ??= []).push(result.bytes);
        }
      }
    };
    encode(true);
    const decode = () => {
      for (const [i, packets] of runs.entries()) {
        if (!packets) continue;
        const decoder = layout.decoder({ linkType: sequences[i].linkType });
        for (const bytes of packets) decoder.decode(bytes);
      }
    };
    const held = runs.flat();
    const tokens = held.reduce((n, bytes) => n + bytes.length + 1, 0);
    const [encoding, decoding] = [fastest(() => encode(false)), fastest(decode)];
    const all = sequences.reduce((n, s) => n + s.frames.length, 0);
    row(
      name,
      checksums,
      number(held.length),
      (tokens / held.length).toFixed(2),
      number(all / encoding),
      number(held.length / decoding),
    );
  }
