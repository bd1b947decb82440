/** The demo's steps, each a call of the library with the demo's sizes. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenBaseline } from '../evaluate';
import type { GeneratedTrace, LoadedModel } from '../generate';
import type { Engine } from '../tensor';
import type { DatasetMeta } from '../tokens';
import type { History } from '../train';
import { projectRoot } from '../util';
import type { Io } from './io';

/** How much the demo does. */
export interface DemoSizes {
  /** Seconds of training. */
  trainSeconds: number;
  /** Traces a label and packets a trace, from the shipped model. */
  traces: number;
  packets: number;
  /** The same from the model just trained. */
  freshTraces: number;
  freshPackets: number;
  /** Held-out tokens that model and token baselines are judged on: as many of each test capture, from its start. */
  judgedTokens: number;
}

export const DEMO_SIZES: DemoSizes = {
  trainSeconds: 60,
  traces: 3,
  packets: 60,
  freshTraces: 1,
  freshPackets: 30,
  judgedTokens: 250_000,
};

export const FAST_DEMO_SIZES: DemoSizes = {
  trainSeconds: 6,
  traces: 1,
  packets: 15,
  freshTraces: 1,
  freshPackets: 5,
  judgedTokens: 20_000,
};

/** Where the demo's captures and folders are. */
export interface DemoFolders {
  captures: string;
  tokens: string;
  run: string;
  /** Captures from the shipped model, and from the one just trained. */
  generated: string;
  generatedFresh: string;
  metrics: string;
  report: string;
}

export function demoFolders(out: string): DemoFolders {
  return {
    captures: join(projectRoot, 'data', 'captures'),
    tokens: join(out, 'tokens'),
    run: join(out, 'run'),
    generated: join(out, 'generated'),
    generatedFresh: join(out, 'generated-just-trained'),
    metrics: join(out, 'metrics.json'),
    report: join(out, 'report.html'),
  };
}

export async function tokenizeDemo(folders: DemoFolders, io: Io): Promise<DatasetMeta> {
  const { buildDataset, collectInputs } = await import('../tokens/index.js');
  const progress = io.progress('1/5 tokenize');
  const meta = await buildDataset({
    inputs: collectInputs(folders.captures),
    out: folders.tokens,
    onProgress: progress.report,
  });
  progress.finish(
    `${meta.totals.packets.toLocaleString('en')} packets -> ${meta.totals.tokens.toLocaleString('en')} tokens`,
  );
  return meta;
}

/** A small model from scratch, for as long as asked: long enough to see the loss fall. */
export async function trainDemo(
  folders: DemoFolders,
  engine: Engine,
  seconds: number,
  seed: number,
  io: Io,
): Promise<History> {
  const { fit, TRAIN_PRESETS } = await import('../train/index.js');
  const progress = io.progress('2/5 train');
  const history = await fit({
    run: folders.run,
    data: folders.tokens,
    engine,
    overwrite: true,
    config: {
      ...TRAIN_PRESETS.tiny,
      mode: 'packed',
      renumber: true,
      // How many steps fit into the time depends on the machine: no schedule that counts on them.
      schedule: 'constant',
      steps: 100_000,
      maxSeconds: seconds,
      evalEvery: 0,
      seed,
    },
    onProgress: progress.report,
  });
  progress.finish();
  return history;
}

/** The loss at a few moments of a run, each the mean of the steps around it. */
export function lossCurve(history: History, points = 6): { step: number; lossNats: number }[] {
  const { steps } = history;
  const size = Math.max(1, Math.floor(steps.length / 20));
  return Array.from({ length: Math.min(points, steps.length) }, (_, i) => {
    const at = Math.round((i * (steps.length - 1)) / Math.max(1, Math.min(points, steps.length) - 1));
    const from = Math.max(0, Math.min(steps.length - size, at - Math.floor(size / 2)));
    const around = steps.slice(from, from + size);
    const lossNats = around.reduce((sum, step) => sum + step.lossNats, 0) / around.length;
    return { step: steps[at].step, lossNats };
  });
}

/** The shipped model, or undefined in a checkout without it. */
export async function shippedModel(): Promise<LoadedModel | undefined> {
  const { DEMO_MODEL_DIR, loadModel } = await import('../generate/index.js');
  return existsSync(join(DEMO_MODEL_DIR, 'model.safetensors')) ? loadModel(DEMO_MODEL_DIR) : undefined;
}

/** Captures of every label, written to `out` in place of what was there. */
export async function generateDemo(
  model: LoadedModel,
  out: string,
  title: string,
  sizes: { traces: number; packets: number },
  seed: number,
  io: Io,
  signal: AbortSignal,
): Promise<{ traces: GeneratedTrace[]; files: string[] }> {
  const { generateTraces, writeTraces } = await import('../generate/index.js');
  rmSync(out, { recursive: true, force: true });
  const progress = io.progress(title);
  const traces: GeneratedTrace[] = [];
  const total = model.labels.length * sizes.traces * sizes.packets;
  for (const [i, label] of model.labels.entries()) {
    if (signal.aborted) break;
    const done = i * sizes.traces * sizes.packets;
    traces.push(
      ...(await generateTraces({
        model,
        label,
        packets: sizes.packets,
        // A model that has not learnt to end its packets must not take the whole evening.
        tokens: sizes.packets * 120,
        count: sizes.traces,
        jobs: 2,
        seed,
        onProgress: (update) =>
          progress.report({
            done: done + (update.unit === 'packets' ? update.done : 0),
            total,
            unit: 'packets',
            detail: label,
          }),
        signal,
      })),
    );
  }
  const files = writeTraces(out, traces, { model: model.name, seed });
  const usable = traces.reduce((sum, trace) => sum + trace.report.packets, 0);
  progress.report({ done: usable, total, unit: 'packets' });
  progress.finish(`${files.length} captures`);
  return { traces, files };
}

/** Held-out losses of the shown model, of the one just trained and of simpler predictors, all on the same tokens. */
export interface JudgedLoss {
  baselines: TokenBaseline[];
  lossNats: number;
  freshLossNats: number;
  /** Tokens of the test captures that were judged: each capture's first ones. */
  tokens: number;
}

export async function judgeLoss(
  folders: DemoFolders,
  engine: Engine,
  sizes: DemoSizes,
  model: LoadedModel,
  io: Io,
): Promise<JudgedLoss> {
  const { openDataset } = await import('../tokens/index.js');
  const { fitTokenBaselines } = await import('../evaluate/index.js');
  const { evaluateLoss } = await import('../train/index.js');
  const { loadModelFiles, toParams } = await import('../model/index.js');
  const dataset = openDataset(folders.tokens);
  try {
    const progress = io.progress('4/5 held-out loss');
    const baselines = fitTokenBaselines(dataset, {
      maxTestTokens: sizes.judgedTokens,
      onProgress: progress.report,
    });
    const judge = async (dir: string) => {
      const { config, weights } = loadModelFiles(dir);
      const params = toParams(engine.tf, weights);
      const result = await evaluateLoss(engine, config, params, dataset, 'test', {
        maxTokens: sizes.judgedTokens,
        onProgress: progress.report,
      });
      engine.tf.dispose(params);
      return result;
    };
    const fresh = await judge(folders.run);
    const shown = model.dir === folders.run ? fresh : await judge(model.dir);
    progress.finish();
    return { baselines, lossNats: shown.lossNats, freshLossNats: fresh.lossNats, tokens: fresh.tokens };
  } finally {
    dataset.close();
  }
}
