// The median session of real applications, to hold the testbed's against: numbers only, no packets.
//   node scripts/real-sessions.mjs --data ../shared/data > data/testbed/real-sessions.json
//     --data DIR          folder with pcaps/CLASS/FILE (real captures, no part of this project)
//     --root DIR (built package)
// Captures of few packets, carved or generated ones are left out: a session is everything that one use of an application
// caused, as far as a capture has it. What each is to be compared with is said here, too.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const { values: args } = parseArgs({ options: { data: { type: 'string' }, root: { type: 'string' } } });
if (args.data === undefined) {
  console.error('Give the folder of real captures: --data DIR, which holds pcaps/CLASS/FILE.');
  process.exit(2);
}
if (args.root === undefined) ensureBuilt();
const require = createRequire(import.meta.url);
const from = (folder) => require(join(args.root ?? root, 'dist', folder, 'index.js'));
const { readCapture } = from('capture');
const { medianNumbers, sessionNumbers, toSession } = from('flows');

const LEAST_PACKETS = 100;
/** real class -> classes of the testbed; `files` where not all of its captures are sessions; what to know. */
const CLASSES = [
  { real: 'netflix', like: ['dash', 'hls'], files: /^ndpi/, note: 'browsing and starting a film on a phone; 70 % of the flows' },
  { real: 'youtube', like: ['progressive', 'hls'], files: /^requet/, note: 'mostly QUIC, so UDP; 2018' },
  { real: 'zoom', like: ['webrtc'], files: /./, note: 'calls and their set-up' },
  { real: 'tencent-meeting', like: ['webrtc'], files: /./, note: 'the media flows only, limited bandwidth' },
  { real: 'voip-sip', like: ['sip'], files: /rtp|voip|Call-Flow|sip-flow/, note: 'signalling and calls' },
  { real: 'teams', like: ['tlsconf'], files: /flows/, note: '70 % of the flows; media is a small part' },
  { real: 'webex', like: ['tlsconf'], files: /./, note: 'over TCP; captured where segments are joined, so packets are longer than the wire had them' },
  { real: 'reddit', like: ['feed'], files: /./, note: 'an app on an Android emulator' },
  { real: 'pinterest', like: ['feed'], files: /./, note: 'over IPv6' },
  { real: 'seznam-news', like: ['browse'], files: /./, note: 'an app on an Android emulator' },
  { real: 'web-https', like: ['browse'], files: /./, note: 'browsers' },
  { real: 'whatsapp', like: ['chat'], files: /./, note: 'messages, photos, one call' },
  { real: 'telegram', like: ['chat'], files: /./, note: 'a call over UDP among it' },
  { real: 'iot-small', like: ['mqtt'], files: /./, note: 'sensors and plugs being set up' },
  { real: 'dns', like: ['background'], files: /googledns/, note: 'lookups over TLS' },
]; // prettier-ignore

const classes = [];
for (const { real, like, files, note } of CLASSES) {
  const folder = join(args.data, 'pcaps', real);
  const measured = [];
  for (const name of readdirSync(folder)
    .filter((file) => files.test(file))
    .sort()) {
    // prettier-ignore
    const { frames } = await readCapture(join(folder, name));
    if (frames.length < LEAST_PACKETS) continue;
    measured.push(sessionNumbers(toSession(name, frames)));
  }
  if (measured.length === 0) throw new Error(`${real}: no capture has ${LEAST_PACKETS} packets`);
  const rounded = Object.entries(medianNumbers(measured)).map(([key, value]) => [key, Number(value.toPrecision(4))]); // prettier-ignore
  classes.push({ real, like, note, ...Object.fromEntries(rounded) });
}
const lines = classes.map((each) => `    ${JSON.stringify(each)}`).join(',\n');
process.stdout.write(`{
  "made": "node scripts/real-sessions.mjs --data DIR",
  "what": "Medians over captures of real applications from public repositories (nDPI, ja3s-fingerprinting, RequetDataSet, VCA-sense, IoT_Sentinel and others); the captures are no part of this project. Captures of fewer than ${LEAST_PACKETS} packets are left out. Fields: SessionNumbers of netssm/flows.",
  "classes": [
${lines}
  ]
}
`);
