import { join } from 'node:path';
import type { Evaluation, EvaluatedSource } from '../../evaluate';
import { formatNumber, writeJson } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';
import { list, positiveWhole, wholeNumber } from '../options';

interface EvaluateOptions {
  real: string;
  synthetic?: string;
  heldOut?: string;
  suite?: string[];
  firstPackets?: number;
  maxPackets?: number;
  out: string;
  seed: number;
  json?: boolean;
}

/** `netssm evaluate`. */
export const registerEvaluate: Register = (program, finish) => {
  newCommand(program, 'evaluate', 'judge generated captures against real ones', [
    'netssm evaluate --real data/captures --synthetic out/generated --out out/report',
    'netssm evaluate --real day1 --held-out day2 --synthetic out/generated --suite similarity,utility --out out/report',
    'netssm evaluate --real data/captures --out out/floor      # real against real, and the trivial baselines',
  ])
    .requiredOption('--real <dir>', 'real captures; subfolders are labels. Also a packed data set')
    .option('--synthetic <dir>', 'generated captures; subfolders are labels (default: none)')
    .option('--held-out <dir>', 'more real captures, for the floor (default: a part of --real)')
    .option(
      '--suite <names>',
      'what to measure, separated by commas: similarity, validity, compliance, semantics, memorisation, utility (default: all)',
      list,
    )
    .option('--first-packets <n>', 'only so many packets of each capture, on all sides', positiveWhole)
    .option('--max-packets <n>', 'packets of each label at most (default: 200,000)', positiveWhole)
    .requiredOption('--out <dir>', 'folder for metrics.json and report.html')
    .option('--seed <s>', 'decides samples and splits', wholeNumber, 1)
    .action((options: EvaluateOptions) => runAction(options, finish, (io) => evaluate(options, io)));
};

async function evaluate(options: EvaluateOptions, io: Io): Promise<void> {
  const { evaluateTraces } = await import('../../evaluate/index.js');
  const { trivialBaselines } = await import('../../generators/index.js');
  const { version } = await import('../../index.js');
  const { writeReport } = await import('../../viz/index.js');
  const progress = io.progress('evaluate');
  const evaluation = await evaluateTraces({
    real: options.real,
    synthetic: options.synthetic ?? null,
    heldOut: options.heldOut,
    baselines: trivialBaselines(),
    suites: options.suite,
    firstPackets: options.firstPackets,
    maxPackets: options.maxPackets,
    seed: options.seed,
    provenance: { netssm: version, command: 'netssm evaluate' },
    onProgress: progress.report,
  });
  progress.report({ done: evaluation.sources.length, unit: 'sources' });
  progress.finish();
  const metrics = join(options.out, 'metrics.json');
  const report = join(options.out, 'report.html');
  writeJson(metrics, evaluation);
  writeReport(report, {
    title: options.synthetic ? 'Generated captures beside real ones' : 'Real captures beside real ones',
    subtitle: `${options.synthetic ?? 'real captures and baselines'} against ${options.real}`,
    evaluation,
    provenance: { netssm: version, command: 'netssm evaluate', seed: options.seed, node: process.version },
  });
  await printSummary(evaluation, io);
  for (const note of evaluation.notes) io.note(`note: ${note}`);
  io.print(`Report:  ${report}`);
  io.print(`Metrics: ${metrics}`);
  io.result({ report, metrics, evaluation });
}

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : `${(value * 100).toFixed(1)} %`;

/** A column of the summary: what it is called, what it means, and its value for a source. */
interface SummaryColumn {
  name: string;
  meaning: string;
  of: (source: string) => string;
}

function summaryColumns({
  similarity,
  validity,
  compliance,
  semantics,
  memorisation,
  utility,
  sources,
}: Evaluation): SummaryColumn[] {
  const distance = (source: string, what: string): string => {
    const row = similarity.find((r) => r.source === source && r.label === 'macro' && r.what === what);
    return row?.jsDistance == null ? '-' : formatNumber(row.jsDistance, 3);
  };
  const accuracy = (source: string, task: string): string =>
    percent(utility?.rows.find((r) => r.source === source && r.task === task)?.accuracy?.mean);
  const columns: (SummaryColumn | false)[] = [
    similarity.length > 0 && {
      name: 'TCP bits',
      meaning: 'mean Jensen-Shannon distance to the real captures, 0 (same) to 1',
      of: (source) => distance(source, 'tcp'),
    },
    similarity.length > 0 && {
      name: 'fields',
      meaning: 'the same of header fields',
      of: (source) => distance(source, 'mean'),
    },
    sources.some(({ decodeRate }) => decodeRate !== null) && {
      name: 'decode',
      meaning: 'attempts that became packets',
      of: (source) => percent(sources.find(({ name }) => name === source)?.decodeRate),
    },
    validity.length > 0 && {
      name: 'no fault',
      meaning: 'packets that pass every check',
      of: (source) => {
        const row = validity.find((r) => r.source === source && r.label === 'pooled');
        return row && row.allChecks.checked > 0 ? percent(row.allChecks.ok / row.allChecks.checked) : '-';
      },
    },
    compliance !== null && {
      name: 'rules kept',
      meaning: 'flows without a violation of their protocols',
      of: (source) => {
        const row = compliance.rows.find((r) => r.source === source && r.label === 'pooled');
        return row && row.flows.all > 0 ? percent(1 - row.flows.violating / row.flows.all) : '-';
      },
    },
    semantics !== null && {
      name: 'segments',
      meaning: 'median Kolmogorov-Smirnov distance of segment sizes, 0 to 1',
      of: (source) => {
        const row = semantics.comparisons.find(
          (r) => r.source === source && r.label === 'all' && r.evaluation === 'sizes',
        );
        return row?.median.ks == null ? '-' : formatNumber(row.median.ks, 3);
      },
    },
    memorisation !== null && {
      name: 'nearest',
      meaning: 'mean distance of a TCP header to the nearest training packet; real ones: see reference',
      of: (source) => {
        // The floor is what was trained on: each capture is held against the others.
        const name = sources.find((each) => each.name === source)?.role === 'floor' ? 'training' : source;
        const row = memorisation.rows.find((r) => r.source === name && r.label === 'pooled');
        return row?.nearest ? formatNumber(row.nearest.mean, 3) : '-';
      },
    },
    utility !== null && {
      name: 'forest: packets',
      meaning: 'mean recall on real captures of a forest trained on the source',
      of: (source) => accuracy(source, 'packet'),
    },
    utility !== null && {
      name: 'flows',
      meaning: 'the same of flows by their first 10 packets',
      of: (source) => accuracy(source, 'flow'),
    },
  ];
  return columns.filter((column) => column !== false);
}

/** One row a source, one column a suite. */
async function printSummary(evaluation: Evaluation, io: Io): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  const columns = summaryColumns(evaluation);
  const reference = { name: 'reference', role: 'real, held out' };
  const rows: { name: string; role: EvaluatedSource['role'] | string }[] = [reference, ...evaluation.sources];
  io.print(
    textTable(
      ['', 'what', ...columns.map(({ name }) => name)],
      rows.map(({ name, role }) => [name, role, ...columns.map(({ of }) => of(name))]),
      ['left', 'left', ...columns.map(() => 'right' as const)],
    ),
  );
  for (const { name, meaning } of columns) io.print(`${name}: ${meaning}.`);
}
