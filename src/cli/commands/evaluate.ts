import { join } from 'node:path';
import { formatNumber } from '../../util';
import { newCommand, runAction, type Register } from '../command';
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
    .action((options: EvaluateOptions) =>
      runAction(options, finish, async (io) => {
        const { evaluateTraces } = await import('../../evaluate/index.js');
        const { writeReport } = await import('../../viz/index.js');
        const progress = io.progress('evaluate');
        const evaluation = await evaluateTraces({
          real: options.real,
          synthetic: options.synthetic,
          heldOut: options.heldOut,
          suites: options.suite,
          seed: options.seed,
          onProgress: progress.report,
        });
        progress.finish();
        void [join, formatNumber, writeReport];
        io.result(evaluation);
      }),
    );
};
