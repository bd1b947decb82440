import { join } from 'node:path';
import type { Evaluation } from '../../evaluate';
import { formatNumber, writeJson } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';
import { list, wholeNumber } from '../options';

interface EvaluateOptions {
  real: string;
  synthetic: string;
  heldOut?: string;
  suite: string[];
  out: string;
  seed: number;
  json?: boolean;
}

/** `netssm evaluate`. */
export const registerEvaluate: Register = (program, finish) => {
  newCommand(program, 'evaluate', 'judge generated captures against real ones', [
    'netssm evaluate --real data/captures --synthetic out/generated --out out/report',
    'netssm evaluate --real day1 --held-out day2 --synthetic out/generated --suite similarity --out out/report',
  ])
    .requiredOption('--real <dir>', 'real captures; subfolders are labels')
    .requiredOption('--synthetic <dir>', 'generated captures; subfolders are labels')
    .option('--held-out <dir>', 'more real captures, for the floor (default: a part of --real)')
    .option('--suite <names>', 'what to measure, separated by commas', list, ['similarity', 'validity'])
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
    synthetic: options.synthetic,
    heldOut: options.heldOut,
    baselines: trivialBaselines(),
    suites: options.suite,
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
    title: 'Generated captures beside real ones',
    subtitle: `${options.synthetic} against ${options.real}`,
    evaluation,
    provenance: { netssm: version, command: 'netssm evaluate', seed: options.seed, node: process.version },
  });
  await printSummary(evaluation, io);
  for (const note of evaluation.notes) io.note(`note: ${note}`);
  io.print(`Report:  ${report}`);
  io.print(`Metrics: ${metrics}`);
  io.result({ report, metrics, evaluation });
}

/** One row a source: how far from the reference, how many packets decode and pass every check. */
async function printSummary(evaluation: Evaluation, io: Io): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  const distance = (source: string, what: string): string => {
    const row = evaluation.similarity.find(
      (r) => r.source === source && r.label === 'macro' && r.what === what,
    );
    return row?.jsDistance == null ? '-' : formatNumber(row.jsDistance, 3);
  };
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const valid = (source: string): string => {
    const row = evaluation.validity.find((r) => r.source === source && r.label === 'pooled');
    return row && row.allChecks.checked > 0 ? percent(row.allChecks.ok / row.allChecks.checked) : '-';
  };
  io.print(
    textTable(
      ['', 'what', 'TCP bits', 'fields', 'decode', 'no fault'],
      evaluation.sources.map(({ name, role, decodeRate }) => [
        name,
        role,
        distance(name, 'tcp'),
        distance(name, 'mean'),
        decodeRate === null ? '-' : percent(decodeRate),
        valid(name),
      ]),
      ['left', 'left', 'right', 'right', 'right', 'right'],
    ),
  );
  io.print('TCP bits and fields: mean Jensen-Shannon distance to the real captures, 0 (same) to 1.');
}
