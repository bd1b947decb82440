// One large pcap file made of small real captures, for measuring speed and memory:
//
//   node scripts/big-capture.mjs --from ../shared/data/pcaps --out /tmp/big.pcap --bytes 1e9
//
// Several captures are played at once, as on a link that many people share, and each is played again and again. Every
// repetition comes later in time and with other IPv4 and IPv6 addresses, so that the number of flows grows with the
// file. Checksums stay as right or wrong as they were. Only Ethernet captures are taken: a pcap file has one link type.
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '../shared/data/pcaps' },
    out: { type: 'string' },
    bytes: { type: 'string', default: '1e9' },
    lanes: { type: 'string', default: '24' },
  },
});
if (!values.out) {
  console.error('usage: node scripts/big-capture.mjs --out FILE [--from DIR] [--bytes 1e9] [--lanes 24]');
  process.exit(2);
}
const { listCaptures, openCapture, PcapWriter } = await import('../dist/capture/index.js');

const target = Number(values.bytes);
const lanes = Number(values.lanes);
const START_MICROS = 1_700_000_000_000_000;

/** The Ethernet captures, in memory, each with times from 0. */
async function loadCaptures() {
  const captures = [];
  for (const file of listCaptures(values.from)) {
    const reader = await openCapture(file);
    const frames = [];
    for await (const batch of reader.batches())
      for (const frame of batch) frames.push({ ...frame, data: new Uint8Array(frame.data) });
    if (frames.length === 0 || frames.some((frame) => frame.linkType !== 1)) continue;
    const first = frames.reduce((least, frame) => Math.min(least, frame.tsMicros), Infinity);
    frames.sort((a, b) => a.tsMicros - b.tsMicros);
    captures.push({ file, frames: frames.map((frame) => ({ ...frame, tsMicros: frame.tsMicros - first })) });
  }
  return captures;
}

const word = (bytes, at) => (bytes[at] << 8) | bytes[at + 1];

/** Changes one 16-bit word and corrects a checksum that covers it (RFC 1624, equation 3). */
function setWord(bytes, at, value, checksums) {
  const old = word(bytes, at);
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
  for (const c of checksums) {
    if (c < 0 || c + 2 > bytes.length) continue;
    let sum = (~word(bytes, c) & 0xffff) + (~old & 0xffff) + value;
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = (sum & 0xffff) + (sum >>> 16);
    bytes[c] = (~sum >> 8) & 255;
    bytes[c + 1] = ~sum & 255;
  }
}

/** The same packet between hosts whose numbers are `round` further on: a word of each address changes. */
function renumbered(data, round) {
  let at = 14;
  while (at <= data.length && [0x8100, 0x88a8].includes(word(data, at - 2))) at += 4;
  const type = at + 20 <= data.length ? word(data, at - 2) : 0;
  if (round === 0 || (type !== 0x0800 && type !== 0x86dd)) return data;
  const out = new Uint8Array(data);
  const v4 = type === 0x0800;
  const end = v4 ? at + (out[at] & 15) * 4 : at + 40;
  const protocol = v4 ? out[at + 9] : out[at + 6];
  const fragment = v4 && (word(out, at + 6) & 0x1fff) !== 0;
  const sumAt = fragment ? -1 : protocol === 6 ? end + 16 : protocol === 17 ? end + 6 : -1;
  // A UDP checksum of 0 says that there is none.
  const noSum = protocol === 17 && sumAt > 0 && sumAt + 2 <= out.length && word(out, sumAt) === 0;
  const checksums = [v4 ? at + 10 : -1, noSum ? -1 : sumAt];
  for (const place of v4 ? [at + 12, at + 16] : [at + 12, at + 28]) {
    if (place + 2 > out.length || out[place - (v4 ? 0 : 4)] >= (v4 ? 224 : 255)) continue;
    setWord(out, place, word(out, place) ^ round, checksums);
  }
  return out;
}

const captures = await loadCaptures();
if (captures.length === 0) {
  console.error(`no Ethernet captures below ${values.from}`);
  process.exit(1);
}
rmSync(values.out, { force: true });
const writer = new PcapWriter(values.out, { linkType: 1 });
let written = 24;
let next = 0;
let now = START_MICROS;

/** The next capture to play, from now on. */
function play() {
  const capture = captures[next % captures.length];
  const round = Math.floor(next / captures.length);
  next++;
  return { frames: capture.frames, at: 0, start: now, round };
}

const playing = Array.from({ length: lanes }, play);
while (written < target) {
  let first = 0;
  for (let i = 1; i < playing.length; i++) {
    const a = playing[i];
    const b = playing[first];
    if (a.start + a.frames[a.at].tsMicros < b.start + b.frames[b.at].tsMicros) first = i;
  }
  const lane = playing[first];
  const frame = lane.frames[lane.at++];
  now = lane.start + frame.tsMicros;
  writer.write({ ...frame, data: renumbered(frame.data, lane.round), tsMicros: now, tsNanos: 0 });
  written += 16 + frame.data.length;
  if (lane.at === lane.frames.length) playing[first] = play();
}
writer.close();
console.log(
  JSON.stringify({
    file: values.out,
    bytes: written,
    packets: writer.frames,
    captures: captures.length,
    plays: next,
  }),
);
