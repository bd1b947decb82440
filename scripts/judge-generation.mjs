// How well a model's captures hold together: continues the first packets of the test captures and checks the TCP numbers
// of what it generates, next to those of the real captures. Nothing is repaired.
//   node scripts/judge-generation.mjs --model data/models/demo --data data/captures --count 5 --packets 200
//     --count N          prompts a label: its first N test captures
//     --packets N        packets to generate for each; the real captures are judged over as many
//     --prompt-packets N --temperature T --tries N --seed S --jobs N --label L --root DIR (built package) --json
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, root } from './ensure.mjs';

const text = (value) => ({ type: 'string', default: value });
const { values: args } = parseArgs({
  options: {
    model: text(join(root, 'data', 'models', 'demo')),
    data: text(join(root, 'data', 'captures')),
    count: text('5'),
    packets: text('200'),
    'prompt-packets': text('1'),
    temperature: text('1'),
    tries: text('100'),
    seed: text('1'),
    jobs: { type: 'string' },
    label: { type: 'string' },
    root: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
if (args.root === undefined) ensureBuilt();
const require = createRequire(import.meta.url);
const from = (folder) => require(join(args.root ?? root, 'dist', folder, 'index.js'));
const { readCapture } = from('capture');
const { collectInputs, inputSource } = from('tokens');
const { checkTcpNumbers, emptyTcpNumbers, firstTryRate, generateTraces, loadModel } = from('generate');

const count = Number(args.count);
const packets = Number(args.packets);
const promptPackets = Number(args['prompt-packets']);
const model = await loadModel(args.model);
const captures = collectInputs([args.data]).filter(({ split }) => split === 'test');
const results = [];
for (const label of args.label === undefined ? model.labels : [args.label]) {
  const result = { label, prompts: 0, reports: [], made: emptyTcpNumbers(), real: emptyTcpNumbers() };
  for (const input of captures.filter((c) => c.label === label).slice(0, count)) {
    // What the layout cannot hold (ARP ...) is no packet of a prompt.
    const frames = (await readCapture(inputSource(input))).frames.filter(
      (frame) => model.layout.encoder({ linkType: frame.linkType }).encode(frame).ok,
    );
    if (frames.length <= promptPackets) continue;
    const [trace] = await generateTraces({
      model,
      label,
      packets,
      tries: Number(args.tries),
      seed: Number(args.seed) + result.prompts,
      sampling: { temperature: Number(args.temperature) },
      prompt: frames.slice(0, promptPackets),
      jobs: args.jobs === undefined ? undefined : Number(args.jobs),
    });
    result.prompts++;
    result.reports.push(trace.report);
    checkTcpNumbers(trace.frames, { from: trace.promptPackets, into: result.made });
    checkTcpNumbers(frames.slice(0, promptPackets + packets), { from: promptPackets, into: result.real });
  }
  results.push(result);
}

const add = (a, b) =>
  Object.fromEntries(
    Object.entries(a).map(([key, value]) => [
      key,
      typeof value === 'object' ? add(value, b[key]) : value + b[key],
    ]),
  );
const all = results.reduce(
  (sum, r) => ({
    label: 'all',
    prompts: sum.prompts + r.prompts,
    reports: [...sum.reports, ...r.reports],
    made: add(sum.made, r.made),
    real: add(sum.real, r.real),
  }),
  { label: 'all', prompts: 0, reports: [], made: emptyTcpNumbers(), real: emptyTcpNumbers() },
);

function measures({ label, prompts, reports, made, real }) {
  const sum = (key) => reports.reduce((n, report) => n + report[key], 0);
  const share = (a, b) => (b === 0 ? null : a / b);
  const numbers = ({ seq, ack, handshakes }) => ({
    seqAsExpected: share(seq.judged - seq.wrong, seq.judged),
    seqExact: share(seq.exact, seq.judged),
    retransmitted: share(seq.retransmitted, seq.judged),
    ackRight: share(ack.right, ack.judged),
    handshakes,
  });
  const refused = {};
  for (const report of reports)
    for (const [code, n] of Object.entries(report.refused)) refused[code] = (refused[code] ?? 0) + n;
  return {
    label,
    prompts,
    packets: sum('packets'),
    decoded: share(sum('packets'), sum('packets') + sum('skipped')),
    decodedAtFirstTry: firstTryRate(...reports) ?? null,
    triesPerPacket: share(sum('tries'), sum('packets') + sum('skipped')),
    endedByModel: reports.filter(({ stopped }) => stopped === 'end').length,
    unusable: reports.filter(({ stopped }) => stopped === 'unusable').length,
    refused,
    generated: { segments: made.segments, ...numbers(made) },
    real: { segments: real.segments, ...numbers(real) },
  };
}

const table = [...results, all].map(measures);
if (args.json) {
  const { model: name, data, temperature, tries, seed } = args;
  const request = {
    model: name,
    layout: model.layout.name,
    data,
    count,
    packets,
    promptPackets,
    temperature,
    tries,
    seed,
  };
  console.log(JSON.stringify({ request, results: table }, null, 1));
} else {
  const percent = (x, digits = 1) => (x === null ? '-' : `${(100 * x).toFixed(digits)} %`);
  const hands = ({ syn, answered, completed, wrong }) => `${syn} / ${answered} / ${completed} / ${wrong}`;
  const lines = table.flatMap((t) => [
    [
      t.label,
      `${t.packets} of ${t.prompts} x ${packets}`,
      percent(t.decoded),
      percent(t.decodedAtFirstTry),
      t.triesPerPacket?.toFixed(2) ?? '-',
      ...rowOf(t.generated),
    ],
    ['  real', '', '', '', '', ...rowOf(t.real)],
  ]);
  function rowOf(n) {
    return [
      percent(n.seqAsExpected),
      percent(n.seqExact),
      percent(n.retransmitted, 2),
      percent(n.ackRight),
      hands(n.handshakes),
    ];
  }
  const head = [
    'label',
    'packets',
    'decoded',
    'at first try',
    'tries',
    'seq as expected',
    'exact',
    'retransmitted',
    'ack right',
    'SYN / answered / completed / wrong',
  ];
  const widths = head.map((h, i) => Math.max(h.length, ...lines.map((l) => l[i].length)));
  for (const line of [head, ...lines])
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
  const refused = Object.entries(table.at(-1).refused).sort((a, b) => b[1] - a[1]);
  console.log(`runs that did not decode: ${refused.map(([code, n]) => `${n} ${code}`).join(', ') || 'none'}`);
  console.log(
    `traces ended by the model: ${table.at(-1).endedByModel} of ${all.prompts}; given up: ${table.at(-1).unusable}`,
  );
}
