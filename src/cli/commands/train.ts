import { Option } from 'commander';
import { formatDuration, formatNumber, NetssmError, readJson } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';
import { collect, positiveNumber, positiveWhole, wholeNumber } from '../options';
import { readSettings } from '../settings';

interface TrainOptions {
  data: string;
  out: string;
  config?: string;
  set?: string[];
  init?: string;
  steps?: number;
  seconds?: number;
  seed?: number;
  recompute?: 'auto' | 'always' | 'never';
  memory?: number;
  precision?: 'float32' | 'bf16';
  engine: 'auto' | 'native' | 'wasm' | 'cpu' | 'tensorflow';
  resume?: boolean;
  overwrite?: boolean;
  json?: boolean;
}

/** `netssm train`. */
export const registerTrain: Register = (program, finish) => {
  newCommand(program, 'train', 'train a model on a dataset folder, into a run folder', [
    'netssm train --data out/tokens --out runs/first --config tiny --steps 500',
    'netssm train --data out/tokens --out runs/first --resume --steps 2000   # go on where it stopped',
    'netssm train --data out/tokens --out runs/mine --config mine.json --set lr=1e-3 --set model.n_layer=8',
    'netssm train --data out/flows --out runs/tuned/teardown --config demo --init runs/base --set phase=teardown --set lr=3e-4 --steps 300',
  ])
    .requiredOption('--data <dir>', 'dataset folder, as `netssm tokenize` writes it')
    .requiredOption('--out <dir>', 'run folder; it is a model folder too')
    .option('--config <name|file>', 'tiny, demo, or a JSON file with any of the settings (docs/training.md)')
    .option(
      '--set <key=value>',
      'one setting, over those of --config; again for more. phase=handshake, data or teardown fine-tunes for that part of flows',
      collect,
    )
    .option(
      '--init <model>',
      'model or run folder to start from: fine-tuning (a model in --config is left out)',
    )
    .option('--steps <n>', 'updates in all', positiveWhole)
    .option('--seconds <s>', 'stop after this much training time', positiveNumber)
    .option('--seed <n>', 'seed of weights and batches', wholeNumber)
    .addOption(
      new Option(
        '--recompute <when>',
        'compute activations twice instead of keeping them: auto (where memory asks for it), always, never',
      ).choices(['auto', 'always', 'never']),
    )
    .option('--memory <GB>', 'memory to stay within (default: half of the machine)', positiveNumber)
    .addOption(
      new Option(
        '--precision <name>',
        'of the operands of matrix products in training (weights stay float32)',
      ).choices(['float32', 'bf16']),
    )
    .addOption(
      new Option('--engine <name>', 'tensor engine')
        .choices(['auto', 'native', 'wasm', 'cpu', 'tensorflow'])
        .default('auto'),
    )
    .option('--resume', "go on from the run's last checkpoint")
    .option('--overwrite', 'replace a run that is already in the folder')
    .action((options: TrainOptions) => runAction(options, finish, (io) => train(options, io)));
};

async function train(options: TrainOptions, io: Io): Promise<number> {
  const { fit, TRAIN_PRESETS } = await import('../../train/index.js');
  const preset = options.config === undefined ? {} : { ...settings(options.config, TRAIN_PRESETS) };
  if (options.init !== undefined && 'model' in preset) {
    delete preset.model;
    io.note(`note: --init decides the model; that of --config ${options.config} is left out`);
  }
  const base = { ...preset, ...readSettings(options.set ?? [], preset) };
  const { modelFolder } = await import('../../generate/index.js');
  // An unusable folder is said at once, before an engine is compiled.
  const { openDataset } = await import('../../tokens/index.js');
  openDataset(options.data).close();
  const { useEngine } = await import('../../tensor/index.js');
  const engine = await useEngine(options.engine);
  io.note(
    `engine ${engine.name}, ${formatNumber(engine.gflops, 2)} GFLOP/s${engine.note ? ` (${engine.note})` : ''}`,
  );
  const progress = io.progress('train');
  // fit itself listens for Ctrl-C: it ends after the current step with everything saved.
  const history = await fit({
    run: options.out,
    data: options.data,
    engine,
    resume: options.resume,
    overwrite: options.overwrite,
    config: {
      ...base,
      steps: options.steps ?? base.steps,
      maxSeconds: options.seconds ?? base.maxSeconds,
      seed: options.seed ?? base.seed,
      recompute: options.recompute ?? base.recompute,
      memoryBudgetGB: options.memory ?? base.memoryBudgetGB,
      precision: options.precision ?? base.precision,
      init: options.init === undefined ? base.init : modelFolder(options.init),
    },
    onProgress: progress.report,
    onEval: (e) =>
      io.note(
        `step ${e.step}: validation loss ${formatNumber(e.lossNats, 4)} nats, ${formatNumber(e.bitsPerByte, 3)} bits a byte`,
      ),
  });
  progress.finish();
  for (const note of history.notes) io.note(`note: ${note}`);
  const last = history.steps[history.steps.length - 1];
  const best = history.best
    ? `, best validation loss ${formatNumber(history.best.lossNats, 4)} at step ${history.best.step}`
    : '';
  io.print(
    `${options.out}: step ${history.step}, ${history.parameters.toLocaleString('en')} parameters, ` +
      `${history.tokens.toLocaleString('en')} tokens in ${formatDuration(history.seconds)}` +
      `${last ? `, last loss ${formatNumber(last.lossNats, 4)} nats` : ''}${best}`,
  );
  if (history.stopped !== 'steps') {
    const reasons = {
      interrupt: 'Interrupted',
      time: 'Out of time',
      patience: 'No better evaluation any more',
    };
    const why = reasons[history.stopped];
    io.note(
      `${why}; everything is saved. Go on with: netssm train --data ${options.data} --out ${options.out} --resume`,
    );
  }
  const { steps: _steps, ...summary } = history;
  io.result({ ...summary, lastStep: last ?? null });
  return 0;
}

/** A preset's settings or those of a file. */
function settings<T extends object>(name: string, presets: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(presets, name)) return presets[name];
  if (!name.endsWith('.json')) {
    throw new NetssmError('config_unknown', `--config ${name} is neither a preset nor a .json file`, {
      hint: `Presets: ${Object.keys(presets).join(', ')}.`,
      exitCode: 2,
    });
  }
  return readJson<T>(name);
}
