import { join, relative } from 'node:path';
import type { Evaluation } from '../../evaluate';
import type { LoadedModel } from '../../generate';
import type { History, ModelCard } from '../../train';
import { formatDuration, formatNumber, NetssmError, writeJson } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { DEMO_SIZES, demoFolders, FAST_DEMO_SIZES } from '../demoPipeline';
import { interruptible, type Io } from '../io';
import { positiveNumber, wholeNumber } from '../options';

interface DemoOptions {
  out: string;
  fast?: boolean;
  seconds?: number;
  seed: number;
  json?: boolean;
}

/** `netssm demo`. */
export const registerDemo: Register = (program, finish) => {
  newCommand(program, 'demo', 'the whole path on the bundled captures, in about two minutes', [
    'netssm demo',
    'netssm demo --fast --out out/quick      # under a minute: everything runs, nothing is learnt',
    'netssm demo --seconds 300               # five minutes of training instead of one',
  ])
    .option('--out <dir>', 'folder for everything that is made', join('out', 'demo'))
    .option('--fast', 'small sizes, for checking that everything runs')
    .option('--seconds <s>', 'training time (default: 60; with --fast 6)', positiveNumber)
    .option('--seed <n>', 'seed of training and generation', wholeNumber, 1)
    .action((options: DemoOptions) =>
      runAction(options, finish, (io) => interruptible((signal) => demo(options, io, signal))),
    );
};

async function demo(options: DemoOptions, io: Io, signal: AbortSignal): Promise<number> {
  const started = Date.now();
  const steps = await import('../demoPipeline.js');
  const { useEngine } = await import('../../tensor/index.js');
  const { version } = await import('../../index.js');
  const base = options.fast ? FAST_DEMO_SIZES : DEMO_SIZES;
  const sizes = { ...base, trainSeconds: options.seconds ?? base.trainSeconds };
  const folders = demoFolders(options.out);
  const stopIfAsked = (alsoIf = false): void => {
    if (signal.aborted || alsoIf) {
      throw new NetssmError('interrupted', 'interrupted', {
        hint: `What was finished is in ${options.out}; the same command starts over.`,
      });
    }
  };

  const engine = await useEngine();
  io.note(`netssm ${version}, engine ${engine.name} (${formatNumber(engine.gflops, 2)} GFLOP/s)`);
  if (engine.note) io.note(engine.note);
  const meta = await steps.tokenizeDemo(folders, io);
  stopIfAsked();

  const history = await steps.trainDemo(folders, engine, sizes.trainSeconds, options.seed, io);
  const curve = steps.lossCurve(history);
  io.print(
    `  loss in nats a token: ${curve.map((p) => `${formatNumber(p.lossNats, 3)} (step ${p.step})`).join(' -> ')}`,
  );
  // fit listens for Ctrl-C itself, so it may know what the signal does not.
  stopIfAsked(history.stopped === 'interrupt');

  const { firstTryRate, loadModel } = await import('../../generate/index.js');
  const fresh = await loadModel(folders.run);
  const shipped = await steps.shippedModel();
  if (!shipped) {
    io.note(
      'data/models/demo is not in this checkout: the model just trained stands in for the shipped one.',
    );
  }
  const main = shipped ?? fresh;
  const generated = await steps.generateDemo(
    main,
    folders.generated,
    '3/5 generate',
    sizes,
    options.seed,
    io,
    signal,
  );
  stopIfAsked();
  const freshSizes = { traces: sizes.freshTraces, packets: sizes.freshPackets };
  const generatedFresh =
    shipped &&
    (await steps.generateDemo(
      fresh,
      folders.generatedFresh,
      '3/5 generate, just trained',
      freshSizes,
      options.seed,
      io,
      signal,
    ));
  stopIfAsked();

  const loss = await steps.judgeLoss(folders, engine, sizes, main, io);
  const { bestBaseline, evaluateTraces } = await import('../../evaluate/index.js');
  const { trivialBaselines } = await import('../../generators/index.js');
  const judge = async (synthetic: string, title: string, suites?: string[]): Promise<Evaluation> => {
    const progress = io.progress(title);
    const evaluation = await evaluateTraces({
      real: folders.captures,
      synthetic,
      baselines: trivialBaselines(),
      suites,
      // A few seconds for all suites: enough to see what they tell, not for publishing the numbers.
      memorisation: { maxQueries: 200, maxReference: 3000 },
      utility: { trees: 25, seeds: 1, trainItems: 100, testItems: 150 },
      seed: options.seed,
      // Generated captures are starts of sessions: they are held against starts.
      firstPackets: sizes.packets,
      ...(options.fast ? { maxPackets: 400, baselinePackets: 100 } : {}),
      provenance: { netssm: version, engine: engine.name, command: 'netssm demo' },
      onProgress: progress.report,
    });
    progress.report({ done: evaluation.sources.length, unit: 'sources' });
    progress.finish();
    return evaluation;
  };
  const evaluation = await judge(folders.generated, '5/5 evaluate');
  stopIfAsked();
  const evaluationFresh =
    generatedFresh &&
    (await judge(folders.generatedFresh, '5/5 evaluate, just trained', ['similarity', 'validity']));

  const reports = generated.traces.map(({ report }) => report);
  const drawn = reports.reduce((n, report) => n + report.packets, 0);
  const skipped = reports.reduce((n, report) => n + report.skipped, 0);
  const decoded = drawn + skipped > 0 ? drawn / (drawn + skipped) : null;
  const numbers = keyNumbers(evaluation, bestBaseline(loss.baselines), loss.lossNats, {
    shipped: shipped !== undefined,
    decoded,
    firstTry: firstTryRate(...reports) ?? null,
  });
  const metrics = {
    version,
    seed: options.seed,
    fast: options.fast === true,
    engine: { name: engine.name, gflops: engine.gflops },
    seconds: (Date.now() - started) / 1000,
    dataset: { labels: meta.labels, totals: meta.totals, contentHash: meta.contentHash },
    training: { steps: history.step, tokens: history.tokens, seconds: history.seconds, lossCurve: curve },
    heldOutLoss: {
      baselines: loss.baselines,
      shipped: shipped ? { lossNats: loss.lossNats, tokens: loss.tokens } : null,
      justTrained: { lossNats: loss.freshLossNats, tokens: loss.tokens },
    },
    keyNumbers: numbers,
    evaluation,
    evaluationJustTrained: evaluationFresh ?? null,
  };
  writeJson(folders.metrics, metrics);
  const { lossCurve, writeReport } = await import('../../viz/index.js');
  writeReport(folders.report, {
    title: 'netssm demo',
    subtitle: shipped
      ? 'Captures from the model that ships with netssm, judged against real ones, and a model trained just now.'
      : 'Captures from a model trained just now (none ships with this checkout), judged against real ones.',
    evaluation,
    model: { ...main.card, heldOutLossNats: loss.lossNats },
    baselines: loss.baselines,
    traces: generated.traces.map(({ label, frames, report }, i) => ({
      file: relative(options.out, generated.files[i]),
      label,
      packets: frames.length,
      tokens: report.tokens,
      refused: Object.values(report.refused).reduce((sum, n) => sum + n, 0),
    })),
    sections: [
      {
        title: 'The model trained just now',
        text: freshText(history, loss, evaluationFresh),
        figure: lossCurve(history),
        caption:
          'Each update of this run; one minute is enough to see what is learnt first: which bytes there are.',
      },
    ],
    provenance: {
      netssm: version,
      command: `netssm demo${options.fast ? ' --fast' : ''}`,
      seed: options.seed,
      engine: `${engine.name}, ${formatNumber(engine.gflops, 2)} GFLOP/s`,
      node: process.version,
      ...(shipped ? { 'shipped model on all test tokens': wholeLoss(shipped) } : {}),
    },
  });
  io.print();
  const width = Math.max(...numbers.map((line) => line.name.length));
  for (const line of numbers) io.print(`  ${line.name.padEnd(width)}  ${line.text}`);
  io.print();
  const shown = (path: string): string => relative(process.cwd(), path) || path;
  io.print(`Report:             ${shown(folders.report)}`);
  io.print(`Generated captures: ${shown(folders.generated)} (${generated.files.length} files)`);
  io.print(`Metrics:            ${shown(folders.metrics)}`);
  io.print(`Everything took ${formatDuration((Date.now() - started) / 1000)}.`);
  io.result({ out: options.out, report: folders.report, metrics: folders.metrics, keyNumbers: numbers });
  return 0;
}

/** What the shipped model's card says of the whole test split. */
function wholeLoss({ card }: LoadedModel): string {
  const { heldOutLossNats, heldOutTokens, baselines } = card as Partial<ModelCard>;
  if (!heldOutLossNats || !heldOutTokens) return 'not measured';
  const others = (baselines ?? []).map((b) => `${b.name} ${b.lossNats.toFixed(4)}`).join(', ');
  return `${heldOutLossNats.toFixed(4)} nats a token on ${heldOutTokens.toLocaleString('en')} tokens (${others})`;
}

function freshText(
  history: History,
  loss: { freshLossNats: number; tokens: number },
  evaluation: Evaluation | undefined,
): string {
  const decoded = evaluation?.sources.find((source) => source.role === 'synthetic')?.decodeRate;
  const traffic =
    decoded === null || decoded === undefined
      ? ''
      : ` Of the packets that it was asked for, ${(decoded * 100).toFixed(1)} % decode.`;
  return (
    `${history.parameters.toLocaleString('en')} parameters, ${history.step.toLocaleString('en')} updates, ` +
    `${history.tokens.toLocaleString('en')} tokens in ${formatDuration(history.seconds)}. ` +
    `Its loss on the same ${loss.tokens.toLocaleString('en')} tokens of the held-out captures is ` +
    `${formatNumber(loss.freshLossNats, 3)} nats a token.${traffic}`
  );
}

/** One of the five numbers that the demo ends with. */
interface KeyNumber {
  name: string;
  value: number | null;
  /** The value beside what it is to be compared with. */
  text: string;
}

function keyNumbers(
  evaluation: Evaluation,
  best: { name: string; lossNats: number },
  heldOutLossNats: number,
  { shipped, decoded, firstTry }: { shipped: boolean; decoded: number | null; firstTry: number | null },
): KeyNumber[] {
  const distance = (source: string, what: string): number | null =>
    evaluation.similarity.find((row) => row.source === source && row.label === 'macro' && row.what === what)
      ?.jsDistance ?? null;
  const valid = (source: string): number | null => {
    const row = evaluation.validity.find((each) => each.source === source && each.label === 'pooled');
    return row && row.allChecks.checked > 0 ? row.allChecks.ok / row.allChecks.checked : null;
  };
  const percent = (share: number | null): string => (share === null ? '-' : `${(share * 100).toFixed(1)} %`);
  const number = (value: number | null): string => (value === null ? '-' : formatNumber(value, 3));
  const compared = (what: string): string =>
    `${number(distance('synthetic', what))} (other real captures: ${number(distance('real', what))})`;
  return [
    {
      name: `held-out loss of the ${shipped ? 'shipped' : 'just trained'} model, nats a token`,
      value: heldOutLossNats,
      text: `${number(heldOutLossNats)} (best simple predictor, ${best.name}: ${number(best.lossNats)})`,
    },
    {
      name: 'generated packets that decode',
      value: decoded,
      text: `${percent(decoded)} (at first try: ${percent(firstTry)}; others were drawn again)`,
    },
    {
      name: 'generated packets without any fault',
      value: valid('synthetic'),
      text: `${percent(valid('synthetic'))} (real ones: ${percent(valid('reference'))})`,
    },
    {
      name: 'TCP header bits, JS distance to real',
      value: distance('synthetic', 'tcp'),
      text: compared('tcp'),
    },
    {
      name: 'header fields, mean JS distance to real',
      value: distance('synthetic', 'mean'),
      text: compared('mean'),
    },
  ];
}
