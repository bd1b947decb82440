import { Option } from 'commander';
import { formatDuration, NetssmError, Rng } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { list, positiveNumber, positiveWhole, share, wholeNumber } from '../options';
import type { GeneratedTrace, GenerateRequest, WeightFormat } from '../../generate';
import { openPrompts, type PromptChoice } from '../prompts';

interface GenerateOptions {
  model: string;
  phases?: string;
  timing?: 'tokens' | 'resample';
  label?: string;
  packets?: number;
  tokens?: number;
  count: number;
  out: string;
  seed: number;
  temperature: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  greedy?: boolean;
  tries?: number;
  repair?: boolean;
  continueAfterEnd?: boolean;
  rewriteAddresses?: string[];
  prompt?: string;
  promptPackets: number;
  weights?: WeightFormat;
  jobs?: number;
  json?: boolean;
}

/** `netssm generate`. */
export const registerGenerate: Register = (program, finish) => {
  newCommand(program, 'generate', 'sample new captures from a model', [
    'netssm generate --model demo --label web --packets 200 --count 3 --out out/generated',
    'netssm generate --model runs/first --label mqtt --count 10 --temperature 0.8 --top-p 0.95 --out out/mqtt',
    'netssm generate --model demo --label web --prompt real.pcap --prompt-packets 1 --out out/continued',
    'netssm generate --phases runs/tuned --label web --out out/by-phase    # runs/tuned/handshake, data, teardown',
    'netssm generate --model testbed --prompt testbed --count 5 --packets 500 --out out/twins',
  ])
    .option('--model <dir>', 'model or run folder; `demo` and `testbed` ship with netssm', 'demo')
    .addOption(
      new Option(
        '--phases <dir|list>',
        'three models that draw a flow together, each its phase: a folder with subfolders handshake, data, teardown, or handshake=DIR,data=DIR,teardown=DIR',
      ).conflicts('model'),
    )
    .option('--label <name>', 'what kind of traffic (default: every label of the model)')
    .option('--packets <n>', 'packets a capture (the model may end earlier)', positiveWhole)
    .option('--tokens <n>', 'tokens a capture at most', positiveWhole)
    .option('--count <k>', 'captures a label', positiveWhole, 1)
    .requiredOption('--out <dir>', 'folder for the captures')
    .option('--seed <s>', 'same seed, same captures', wholeNumber, 1)
    .option('--temperature <t>', 'below 1 more likely, above 1 more varied', positiveNumber, 1)
    .option('--top-k <k>', 'only the k likeliest tokens', positiveWhole)
    .option('--top-p <p>', 'only the likeliest tokens that together have this probability', share)
    .option('--min-p <p>', 'only tokens with at least this share of the likeliest one', share)
    .option('--repetition-penalty <r>', 'above 1 makes earlier tokens less likely', positiveNumber)
    .option('--greedy', 'always the likeliest token')
    .option(
      '--tries <n>',
      'draw a packet that does not decode again, up to n times in all (default 100; 1: never, as in the paper)',
      positiveWhole,
    )
    .option('--continue-after-end', 'never let the model end a capture')
    .addOption(
      new Option(
        '--timing <how>',
        'gaps between packets: tokens (as the model says, where it has time tokens; default then) or resample (real ones, one by one)',
      ).choices(['tokens', 'resample']),
    )
    .option('--repair', 'fix lengths and checksums, and count what was changed')
    .option(
      '--rewrite-addresses <subnet,...>',
      'map all addresses into these subnets, e.g. 192.168.7.0/24,198.51.100.0/24',
      list,
    )
    .option(
      '--prompt <path>',
      'continue the beginning of this capture; of a folder or data set: each trace that of another test capture of its label',
    )
    .option('--prompt-packets <n>', 'with --prompt: how many first packets are given', positiveWhole, 1)
    .addOption(
      new Option(
        '--weights <format>',
        'how the native decoder keeps the matrices: bf16 and int8 read less memory and change the samples',
      )
        .choices(['float32', 'bf16', 'int8'])
        .default('float32'),
    )
    .option('--jobs <n>', 'processes at work at once', positiveWhole)
    .action((options: GenerateOptions) =>
      runAction(options, finish, (io) => interruptible((signal) => generate(options, io, signal))),
    );
};

async function generate(options: GenerateOptions, io: Io, signal: AbortSignal): Promise<number> {
  const {
    firstTryRate,
    generateTraces,
    loadModel,
    loadPhaseModels,
    parsePhaseFolders,
    parseSubnet,
    rewriteAddresses,
    samplingWarnings,
    writeTraces,
  } = await import('../../generate/index.js');
  const subnets = options.rewriteAddresses ?? [];
  for (const subnet of subnets) parseSubnet(subnet); // an unusable one is said before anything is drawn
  const model =
    options.phases === undefined
      ? await loadModel(options.model, { weights: options.weights })
      : await loadPhaseModels(parsePhaseFolders(options.phases), { weights: options.weights });
  const named = options.phases === undefined ? options.model : model.name;
  const prompts =
    options.prompt === undefined
      ? undefined
      : await openPrompts(options.prompt, options.promptPackets, model.layout, options.seed);
  const labels = options.label === undefined ? promptedLabels(model.labels, prompts, io) : [options.label];
  const sampling = {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    repetitionPenalty: options.repetitionPenalty,
    greedy: options.greedy,
  };
  for (const warning of samplingWarnings(sampling, model.layout)) io.note(`warning: ${warning}`);
  const settings = {
    tries: options.tries,
    repair: options.repair,
    continueAfterEnd: options.continueAfterEnd,
    timing: options.timing,
  };
  const started = Date.now();
  const written = [];
  for (const label of labels) {
    if (signal.aborted) break;
    const progress = io.progress(`generate ${label}`);
    let traces = await drawTraces(
      generateTraces,
      {
        model,
        label,
        packets: options.packets,
        tokens: options.tokens,
        count: options.count,
        seed: options.seed,
        sampling,
        ...settings,
        jobs: options.jobs,
        onProgress: progress.report,
        signal,
      },
      prompts,
    );
    progress.finish();
    if (subnets.length > 0)
      traces = traces.map((trace) => ({ ...trace, frames: rewriteAddresses(trace.frames, subnets).frames }));
    const files = writeTraces(options.out, traces, {
      model: named,
      layout: model.layout.name,
      seed: options.seed,
      sampling,
      ...settings,
      ...(options.weights !== 'float32' && { weights: options.weights }),
      ...(subnets.length > 0 && { rewriteAddresses: subnets }),
      ...(options.prompt && { prompt: options.prompt, promptPackets: options.promptPackets }),
    });
    for (const [i, trace] of traces.entries()) {
      io.print(`${files[i]}: ${describe(trace)}`);
      written.push({
        file: files[i],
        label,
        packets: trace.frames.length,
        promptPackets: trace.promptPackets,
        ...(trace.promptSource && { prompt: trace.promptSource }),
        report: trace.report,
      });
    }
  }
  const reports = written.map(({ report }) => report);
  const rate = firstTryRate(...reports);
  const count = (key: 'packets' | 'skipped') =>
    reports.reduce((sum, report) => sum + report[key], 0).toLocaleString('en');
  io.print(
    `${written.length} captures, ${count('packets')} packets generated` +
      (rate === undefined ? '' : `, ${(100 * rate).toFixed(1)} % of them decoded at first try`) +
      `, ${count('skipped')} given up; ${formatDuration((Date.now() - started) / 1000)}`,
  );
  if (signal.aborted)
    io.note('Interrupted: what was finished is written. The same command and seed make the rest.');
  io.result({
    model: named,
    seed: options.seed,
    firstTryRate: rate ?? null,
    files: written,
    interrupted: signal.aborted,
  });
  return written.length > 0 ? 0 : 1;
}

/** Without a label named, those of the model that there are prompts for. */
function promptedLabels(
  known: readonly string[],
  prompts: PromptChoice | undefined,
  io: Io,
): readonly string[] {
  const prompted = prompts?.labels;
  if (!prompted) return known;
  const [labels, without] = [true, false].map((has) =>
    known.filter((label) => prompted.includes(label) === has),
  );
  if (labels.length === 0)
    throw new NetssmError(
      'prompt_missing',
      'there are no captures of any label of the model to take prompts from',
      {
        hint: `The model knows ${known.join(', ')}; there are ${prompted.join(', ')}.`,
        exitCode: 2,
      },
    );
  if (without.length > 0) io.note(`note: not generated, for there is no prompt: ${without.join(', ')}`);
  return labels;
}

/** The traces of a label, all from one prompt or each from its own; a trace with its own has a seed of its own. */
async function drawTraces(
  generateTraces: (request: GenerateRequest) => Promise<GeneratedTrace[]>,
  request: GenerateRequest & { count: number; seed: number },
  prompts: PromptChoice | undefined,
): Promise<GeneratedTrace[]> {
  if (!prompts) return generateTraces(request);
  const { label, count, seed, signal } = request;
  if (!prompts.several) {
    const { frames, source } = await prompts.of(label, 0);
    const traces = await generateTraces({ ...request, prompt: frames });
    return traces.map((trace) => ({ ...trace, promptSource: source }));
  }
  const traces: GeneratedTrace[] = [];
  for (let index = 0; index < count && !(signal?.aborted ?? false); index++) {
    const { frames, source } = await prompts.of(label, index);
    const own = { count: 1, seed: new Rng(seed).split(`prompt/${label}/${index}`).uint32(), prompt: frames };
    const [trace] = await generateTraces({ ...request, ...own });
    if (trace) traces.push({ ...trace, index, promptSource: source });
  }
  return traces;
}

/** A capture in a line: its packets, where they come from, and why there are not more. */
function describe({ frames, promptPackets, report }: GeneratedTrace): string {
  const parts = [`${frames.length} packets`];
  if (promptPackets > 0) parts.push(`${promptPackets} of them the prompt's`);
  parts.push(`${report.tokens.toLocaleString('en')} tokens drawn`);
  if (report.stopped === 'end') parts.push('ended by the model');
  if (report.stopped === 'unusable') parts.push('given up: too few packets decode');
  const refused = Object.entries(report.refused).sort((a, b) => b[1] - a[1]);
  const codes = refused.map(([code, n]) => `${n} ${code}`).join(', ');
  return parts.join(', ') + (codes === '' ? '' : `; runs that did not decode: ${codes}`);
}
