// Is the label in the addresses? Is it in the headers? Random forests over a packed set (data/testbed/set), and segments
// found by the paper's rule against those that were really served.
//   node scripts/testbed-forests.mjs
//     --set DIR               packed set; default data/testbed/set
//     --train-packets N       packets of each training session, evenly spread over its largest flow; default 40
//     --test-packets N        packets of each test session that vote; default 100
//     --trees N --seed S --threads N    default 100, 0, 2
//     --largest packets|bytes           which flow is a session's largest; default packets
//     --only forests|segments --root DIR (built package) --json FILE
// A flow is a bidirectional five-tuple; DNS (port 53) is none. A packet's features are its nPrint bits (Holland et al., CCS
// 2021) without payload; a session is what most of its packets are taken for. Only classes of the three services count.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const text = (value) => ({ type: 'string', default: value });
const { values: args } = parseArgs({
  options: {
    set: text('testbed'),
    'train-packets': text('40'),
    'test-packets': text('100'),
    trees: text('100'),
    seed: text('0'),
    threads: text('2'),
    largest: text('packets'),
    only: { type: 'string' },
    root: { type: 'string' },
    json: { type: 'string' },
  },
});
if (args.root === undefined) ensureBuilt();
const require = createRequire(import.meta.url);
const from = (folder) => require(join(args.root ?? root, 'dist', folder, 'index.js'));
const { loadDataset, toSession, flowFrames } = from('flows');
const { NPRINT_FIELDS, NPRINT_HEADER_BITS, writeNprintRow } = from('packets');
const { accuracy, matrix, RandomForestClassifier } = from('stats');
const { extractSegments, flowTrace, matchSegments } = from('evaluate');

const dataset = loadDataset(args.set);
const sessions = dataset.sessions.filter(({ service }) => service !== 'extra');
const classes = [...new Set(sessions.map(({ label }) => label))];
const serviceOf = Object.fromEntries(sessions.map(({ label, service }) => [label, service]));
const say = (line = '') => process.stdout.write(`${line}\n`);
const result = { set: dataset.dir, seed: Number(args.seed), trees: Number(args.trees), classes };
say(String(dataset));

if (args.only !== 'segments') await forests();
if (args.only !== 'forests') segments();
if (args.json) writeFileSync(args.json, `${JSON.stringify(result, null, 2)}\n`);

async function forests() {
  const started = Date.now();
  const train = collect('train', Number(args['train-packets']));
  const test = collect('test', Number(args['test-packets']));
  say(
    `forests of ${args.trees} trees: ${train.labels.length} packets of ${train.sessions} training sessions, ` +
      `${test.labels.length} of ${test.sessions} test sessions; largest flow by ${args.largest}`,
  );
  const hasName = (names) => (column) => names.includes(column.name);
  const addresses = ['ipv4_src', 'ipv4_dst'];
  const ports = ['tcp_sprt', 'tcp_dprt', 'udp_sport', 'udp_dport'];
  const macs = { from: NPRINT_HEADER_BITS, bits: 96 };
  const spans = (names) => NPRINT_FIELDS.filter(hasName(names));
  const others = NPRINT_FIELDS.filter((field) => !hasName([...addresses, ...ports])(field));
  const rows = [
    ['addresses', spans(addresses), 'at most 0.15 by application'],
    ['addresses of Ethernet and IP', [...spans(addresses), macs], 'reported'],
    ['ports', spans(ports), 'reported'],
    ['all but addresses and ports', others, 'at least 0.95 by application, 0.98 by service'],
  ];
  say('features                        columns  packets  by application  by service  wanted');
  result.forests = [];
  for (const [name, fields, wanted] of rows) {
    const columns = varying(train, fields);
    const forest = new RandomForestClassifier({
      nEstimators: Number(args.trees),
      seed: Number(args.seed),
      jobs: Number(args.threads),
    });
    await forest.fit(select(train, columns), train.labels);
    const predicted = forest.predict(select(test, columns));
    const votes = vote(test, predicted);
    const measured = {
      features: name,
      columns: columns.length,
      packetAccuracy: accuracy(test.labels, predicted),
      applicationAccuracy: accuracy(votes.truth, votes.application),
      serviceAccuracy: accuracy(votes.truth.map((label) => serviceOf[label]), votes.service), // prettier-ignore
      perClass: Object.fromEntries(
        classes.map((label) => {
          const own = votes.truth.flatMap((truth, i) => (truth === label ? [votes.application[i]] : []));
          const wrong = own.filter((p) => p !== label);
          return [label, { right: own.length - wrong.length, of: own.length, takenFor: count(wrong) }];
        }),
      ),
    };
    result.forests.push(measured);
    const show = (value, width) => value.toFixed(3).padStart(width);
    say(
      `${name.padEnd(30)} ${String(columns.length).padStart(8)} ${show(measured.packetAccuracy, 8)} ` +
        `${show(measured.applicationAccuracy, 15)} ${show(measured.serviceAccuracy, 11)}  ${wanted}`,
    );
  }
  say();
  for (const [label, { right, of, takenFor }] of Object.entries(result.forests.at(-1).perClass)) {
    const wrong = Object.entries(takenFor).map(([as, n]) => `${n} as ${as}`);
    say(`  ${label.padEnd(12)} ${right} of ${of}${wrong.length > 0 ? `; ${wrong.join(', ')}` : ''}`);
  }
  say(`  ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** Rows of nPrint bits, and 96 bits of MAC addresses behind them; which session each is of. */
function collect(split, perSession) {
  const width = NPRINT_HEADER_BITS + 96;
  const chosen = sessions.filter((s) => s.split === split);
  const data = new Int8Array(chosen.length * perSession * width);
  const labels = [];
  const owner = [];
  for (const [i, session] of chosen.entries()) {
    const frames = largestFlow(session);
    const taken = Math.min(perSession, frames.length);
    for (let k = 0; k < taken; k++) {
      const { data: bytes, linkType } = frames[Math.floor((k * frames.length) / taken)];
      const row = data.subarray(labels.length * width, (labels.length + 1) * width);
      writeNprintRow(bytes, linkType, row.subarray(0, NPRINT_HEADER_BITS));
      for (let bit = 0; bit < 96; bit++)
        row[NPRINT_HEADER_BITS + bit] = (bytes[bit >> 3] >> (7 - (bit & 7))) & 1;
      labels.push(session.label);
      owner.push(i);
    }
  }
  return { data, width, labels, owner, sessions: chosen.length, truth: chosen.map((s) => s.label) };
}

function largestFlow(session) {
  const { frames, flows } = toSession(session.id, session.frames());
  let best;
  let most = -1;
  for (const flow of flows) {
    if (flow.client.port === 53 || flow.server.port === 53) continue;
    const own = flowFrames(frames, flow);
    const size = args.largest === 'bytes' ? own.reduce((sum, f) => sum + f.wireLen, 0) : own.length;
    if (size > most) [best, most] = [own, size];
  }
  if (!best) throw new Error(`${session.id} has no flow but DNS`);
  return best;
}

/** Columns that are not the same in all training packets: the others split nothing. */
function varying({ data, width, labels }, fields) {
  const wanted = fields.flatMap((field) => Array.from({ length: field.bits }, (_, i) => field.from + i));
  return wanted.filter((column) => {
    for (let row = 1; row < labels.length; row++)
      if (data[row * width + column] !== data[column]) return true;
    return false;
  });
}

function select({ data, width, labels }, columns) {
  const out = new Int8Array(labels.length * columns.length);
  for (let row = 0, at = 0; row < labels.length; row++)
    for (const column of columns) out[at++] = data[row * width + column];
  return matrix(out, labels.length, columns.length);
}

/** What most packets of a session say; of the service, what most say of any of its applications. */
function vote(test, predicted) {
  const application = [];
  const service = [];
  for (let i = 0; i < test.sessions; i++) {
    const own = predicted.filter((_, k) => test.owner[k] === i);
    application.push(winner(own));
    service.push(winner(own.map((label) => serviceOf[label])));
  }
  return { truth: test.truth, application, service };
}

function winner(votes) {
  return Object.entries(count(votes)).sort((a, b) => b[1] - a[1])[0]?.[0];
}

function count(items) {
  const counts = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}

/** Segments of the DASH sessions by NetSSM's rule for Netflix, from the servers that media came from. */
function segments() {
  result.segments = [];
  say('segments of dash                            found  served  matched  precision  recall     F1');
  for (const [name, least] of [
    ['4 kB and more', 4096],
    ['all', 1],
  ]) {
    // prettier-ignore
    let [found, served, matched] = [0, 0, 0];
    for (const session of sessions.filter(({ label }) => label === 'dash')) {
      const { objects } = session.truth;
      const trace = flowTrace(session.frames());
      const media = objects.filter((o) => o.kind === 'video' || o.kind === 'audio');
      const servers = [...new Set(media.flatMap((o) => (o.server ? [o.server] : [])))];
      if (servers.length === 0) continue;
      const rule = { minRequestBytes: 1, minSegmentBytes: least, servers };
      const truth = objects
        .filter((o) => o.bytes >= least && servers.includes(o.server))
        .map((o) => ({ start: o.at, bytes: o.bytes, flow: o.clientPort }));
      const match = matchSegments(trace, extractSegments(trace, rule), truth);
      found += match.segments;
      served += match.objects;
      matched += match.matched;
    }
    const measured = { segments: name, found, served, matched, f1: (2 * matched) / (found + served) };
    result.segments.push(measured);
    say(
      `  ${name.padEnd(40)} ${String(found).padStart(6)} ${String(served).padStart(7)} ${String(matched).padStart(8)} ` +
        `${(matched / found).toFixed(3).padStart(10)} ${(matched / served).toFixed(3).padStart(7)} ${measured.f1.toFixed(3).padStart(6)}`,
    );
  }
}
