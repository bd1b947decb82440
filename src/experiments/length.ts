import { checkFrames } from '../evaluate';
import { generateTraces, loadModel } from '../generate';
import { NetssmError, Rng } from '../util';
import type { ExperimentSession } from './data';
import type { Cell, Experiment, ExperimentJob, JobContext, ResultFigure, ResultTable } from './experiment';
import { modelLabels } from './generated';
import { checkSampling, SAMPLING_DEFAULTS, samplingOf, type SamplingSettings } from './samplingSettings';
import { badOptions, modelFingerprint } from './settings';
import { column } from './tables';
import { packetLosses, type PacketLosses } from './traceLoss';

export interface LengthSettings extends SamplingSettings {
  classes: string[] | null;
  testSessions: number | null;
  /** Generated traces, dealt to the classes in turn, and packets of each. */
  traces: number;
  packets: number;
  /** Packets of a slice. */
  slice: number;
  /** Long real sessions on which the loss is measured, too. */
  realSessions: number;
}

/** One slice of a trace; null where there is nothing to judge. */
export interface LengthSlice {
  packets: number;
  /** Nats a token that the model gives to the slice, everything before it known. */
  lossNats: number | null;
  tokensPerPacket: number | null;
  /** Share of packets whose first try decoded; null where too many were refused to know. */
  firstTry: number | null;
  /** Shares of segments. */
  seqProgress: number | null;
  ackProgress: number | null;
}

export interface LengthResult {
  kind: 'generated' | 'real';
  label: string;
  packets: number;
  stopped: string;
  slices: LengthSlice[];
}

/** A slice may differ from the mean of all by so much. */
const FLAT = 0.1;

const MEASURES = [
  { key: 'lossNats', title: 'loss, nats a token' },
  { key: 'tokensPerPacket', title: 'tokens a packet' },
  { key: 'firstTry', title: 'decoded at first try' },
  { key: 'seqProgress', title: 'SEQ progress' },
  { key: 'ackProgress', title: 'ACK progress' },
] as const;

/** Does a model keep what it has learnt over traces far longer than those it was trained on? */
export const lengthExperiment: Experiment<LengthSettings, LengthResult> = {
  name: 'length',
  title: 'long traces, slice by slice',
  description:
    'Traces of 10,000 packets from a prompt of one: loss, decode rate and progress of the numbers in each slice of ' +
    '1,000 packets, and the loss on long real sessions.',
  reproduces: [],
  needs: { model: true },
  options: {
    classes: null,
    testSessions: 30,
    traces: 20,
    packets: 10_000,
    slice: 1000,
    realSessions: 10,
    ...SAMPLING_DEFAULTS,
  },
  fast: { testSessions: 3, traces: 4, packets: 300, slice: 60, realSessions: 3 },
  check(options) {
    checkSampling('length', options);
    if (options.packets < 2 * options.slice)
      throw badOptions('length', [
        `packets (${options.packets}) must be two slices (${options.slice}) at least`,
      ]);
  },
  async plan({ options, config, data }) {
    const fingerprint = modelFingerprint(config.model as string);
    const { classes, sessions } = await data();
    const known = await modelLabels(config.model as string);
    const labels = classes.filter((label) => known.includes(label));
    if (labels.length === 0)
      throw badOptions('length', [`${config.model} knows none of ${classes.join(', ')}`]);
    const jobs: ExperimentJob[] = Array.from({ length: options.traces }, (_, i) => ({
      key: `trace-${i}`,
      params: { i, label: labels[i % labels.length], fingerprint },
    }));
    const tests = sessions.filter((s) => s.split === 'test' && labels.includes(s.label));
    const longest = await longestSessions(tests, options.realSessions);
    longest.forEach((id, i) => jobs.push({ key: `real-${i}`, params: { id, fingerprint } }));
    return jobs;
  },
  run(job, context) {
    return job.key.startsWith('trace-')
      ? generatedTrace(job.params.i as number, job.params.label as string, context)
      : realSession(job.params.id as string, context);
  },
  summarise(results, { options }) {
    const all = [...results.values()].map(({ result }) => result);
    const [generated, real] = ['generated', 'real'].map((kind) => all.filter((each) => each.kind === kind));
    return Promise.resolve({
      tables: [sliceTable(generated, real, options), flatTable(generated)],
      figures: [sliceFigure(generated, real, options)],
    });
  },
};

/** Ids of the sessions with most packets: they show most slices. */
async function longestSessions(sessions: readonly ExperimentSession[], most: number): Promise<string[]> {
  const sizes: { id: string; packets: number }[] = [];
  for (const { id, packets, frames } of sessions)
    sizes.push({ id, packets: packets ?? (await frames()).length });
  return sizes
    .sort((a, b) => b.packets - a.packets || (a.id < b.id ? -1 : 1))
    .slice(0, most)
    .map(({ id }) => id);
}

async function generatedTrace(
  i: number,
  label: string,
  context: JobContext<LengthSettings>,
): Promise<LengthResult> {
  const { options, config, signal, onProgress } = context;
  const model = await loadModel(config.model as string);
  const { sessions } = await context.data();
  const own = sessions.filter((s) => s.label === label && s.split === 'test');
  const rng = new Rng(config.seed).split(`length/${i}`);
  const frames = await own[rng.int(own.length)].frames();
  const prompt = frames.find((frame) => model.layout.encoder({ linkType: frame.linkType }).encode(frame).ok);
  if (!prompt) throw new NetssmError('prompt_unusable', `no packet of ${label} fits ${model.layout.name}`);
  const [trace] = await generateTraces({
    model,
    label,
    packets: options.packets - 1,
    prompt: [prompt],
    seed: rng.uint32(),
    sampling: samplingOf(options),
    tries: options.tries,
    continueAfterEnd: true,
    jobs: context.threads,
    onProgress,
    signal,
  });
  if (!trace || trace.report.stopped === 'aborted')
    throw new NetssmError('aborted', `trace ${i} was stopped`);
  const { report } = trace;
  const known = report.refusals.length >= 1000 ? report.refusals[999].packet : Infinity;
  const refused = new Set(report.refusals.map(({ packet }) => packet));
  const losses = packetLosses(model, label, trace.frames);
  const slices = sliceBounds(trace.frames.length, options.slice).map(([from, to]): LengthSlice => {
    const packets = Array.from({ length: to - from }, (_, k) => from + k);
    const { tcp } = checkFrames(trace.frames.slice(0, to), { promptPackets: Math.max(from, 1), examples: 0 });
    return {
      ...lossOf(losses, from, to),
      firstTry: to > known ? null : 1 - packets.filter((k) => refused.has(k)).length / packets.length,
      seqProgress: share(tcp.seqProgress, tcp.seqChecked),
      ackProgress: share(tcp.ackProgress, tcp.ackRepeatable),
    };
  });
  return { kind: 'generated', label, packets: trace.frames.length, stopped: report.stopped, slices };
}

async function realSession(id: string, context: JobContext<LengthSettings>): Promise<LengthResult> {
  const { options, config } = context;
  const { sessions } = await context.data();
  const session = sessions.find((each) => each.id === id)!;
  const frames = (await session.frames()).slice(0, options.packets);
  const model = await loadModel(config.model as string);
  const losses = packetLosses(model, session.label, frames);
  const slices = sliceBounds(losses.nats.length, options.slice).map(([from, to]): LengthSlice => ({
    ...lossOf(losses, from, to),
    firstTry: null,
    seqProgress: null,
    ackProgress: null,
  }));
  return { kind: 'real', label: session.label, packets: losses.nats.length, stopped: 'end', slices };
}

/** Whole slices only: a short one says little. */
function sliceBounds(packets: number, slice: number): [from: number, to: number][] {
  return Array.from({ length: Math.floor(packets / slice) }, (_, k) => [k * slice, (k + 1) * slice]);
}

function lossOf(
  losses: PacketLosses,
  from: number,
  to: number,
): Pick<LengthSlice, 'packets' | 'lossNats' | 'tokensPerPacket'> {
  const sum = (values: readonly number[]): number => values.slice(from, to).reduce((a, b) => a + b, 0);
  const [nats, tokens] = [sum(losses.nats), sum(losses.tokens)];
  return { packets: to - from, lossNats: share(nats, tokens), tokensPerPacket: share(tokens, to - from) };
}

function share(part: number, of: number): number | null {
  return of === 0 ? null : part / of;
}

function meanOf(results: readonly LengthResult[], k: number, key: keyof LengthSlice): number | null {
  const values = results.flatMap(({ slices }) => slices[k]?.[key] ?? []);
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
}

function slicesOf(results: readonly LengthResult[]): number {
  return Math.max(0, ...results.map(({ slices }) => slices.length));
}

function sliceTable(
  generated: readonly LengthResult[],
  real: readonly LengthResult[],
  { slice }: LengthSettings,
): ResultTable {
  const count = (results: readonly LengthResult[], k: number): number =>
    results.filter(({ slices }) => slices.length > k).length;
  const n = Math.max(slicesOf(generated), slicesOf(real));
  return {
    id: 'length',
    title: `Means over the traces by slice of ${slice.toLocaleString('en')} packets`,
    reproduces: [],
    columns: [
      column.name('packets'),
      column.ours('traces'),
      ...MEASURES.map(({ title }) => column.ours(title, 4)),
      column.ours('real sessions'),
      column.ours('loss on real', 4),
      column.ours('tokens a packet, real', 4),
    ],
    rows: Array.from({ length: n }, (_, k): Cell[] => [
      `${(k * slice).toLocaleString('en')} to ${((k + 1) * slice).toLocaleString('en')}`,
      count(generated, k),
      ...MEASURES.map(({ key }) => meanOf(generated, k, key)),
      count(real, k),
      meanOf(real, k, 'lossNats'),
      meanOf(real, k, 'tokensPerPacket'),
    ]),
    notes: [
      'Loss on a generated trace: what the model gives to its own output, everything before it known. Real sessions are ' +
        'of different lengths, so later slices are of fewer and other ones.',
    ],
  };
}

function flatTable(generated: readonly LengthResult[]): ResultTable {
  const n = slicesOf(generated);
  return {
    id: 'flatness',
    title: 'Largest deviation of a slice from the mean of all slices, generated traces',
    reproduces: [],
    columns: [
      column.name('measure'),
      column.ours('mean', 4),
      column.ours('deviation, %'),
      column.bar('at most 10 %'),
    ],
    rows: MEASURES.map(({ key, title }): Cell[] => {
      const values = Array.from({ length: n }, (_, k) => meanOf(generated, k, key)).filter((v) => v !== null);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const off = Math.max(...values.map((value) => Math.abs(value - mean) / mean));
      return values.length === 0
        ? [title, null, null, null]
        : [title, mean, 100 * off, off <= FLAT ? 'met' : 'missed'];
    }),
    notes: [],
  };
}

function sliceFigure(
  generated: readonly LengthResult[],
  real: readonly LengthResult[],
  { slice }: LengthSettings,
): ResultFigure {
  const curve = (results: readonly LengthResult[], key: keyof LengthSlice, name: string, panel: string) => {
    const x = Array.from({ length: slicesOf(results) }, (_, k) => (k + 0.5) * slice);
    return { name, from: 'ours' as const, panel, x, y: x.map((_, k) => meanOf(results, k, key)) };
  };
  return {
    id: 'length',
    title: 'Long traces, slice by slice',
    reproduces: [],
    x: 'packet',
    y: 'by panel',
    series: [
      ...MEASURES.map(({ key, title }) => curve(generated, key, 'generated', title)),
      curve(real, 'lossNats', 'real', MEASURES[0].title),
    ],
    notes: [],
  };
}
