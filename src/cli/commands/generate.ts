import { formatDuration, NetssmError } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { positiveNumber, positiveWhole, share, wholeNumber } from '../options';

interface GenerateOptions {
  model: string;
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
  prompt?: string;
  promptPackets: number;
  jobs?: number;
  json?: boolean;
}

/** `netssm generate`. */
export const registerGenerate: Register = (program, finish) => {
  newCommand(program, 'generate', 'sample new captures from a model', [
    'netssm generate --model demo --label web --packets 200 --count 3 --out out/generated',
    'netssm generate --model runs/first --label mqtt --count 10 --temperature 0.8 --top-p 0.95 --out out/mqtt',
    'netssm generate --model demo --label web --prompt real.pcap --prompt-packets 10 --out out/continued',
  ])
    .option('--model <dir>', 'model or run folder; `demo` is the one that ships with netssm', 'demo')
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
    .option('--prompt <file>', 'continue this capture')
    .option(
      '--prompt-packets <n>',
      'with --prompt: how many of its first packets are given',
      positiveWhole,
      10,
    )
    .option('--jobs <n>', 'processes at work at once', positiveWhole)
    .action((options: GenerateOptions) =>
      runAction(options, finish, (io) => interruptible((signal) => generate(options, io, signal))),
    );
};

async function generate(options: GenerateOptions, io: Io, signal: AbortSignal): Promise<number> {
  const { generateTraces, loadModel, writeTraces } = await import('../../generate/index.js');
  const { readCapture } = await import('../../capture/index.js');
  const model = await loadModel(options.model);
  const labels = options.label === undefined ? model.labels : [options.label];
  const prompt = options.prompt && (await readCapture(options.prompt)).frames.slice(0, options.promptPackets);
  if (options.prompt && (!prompt || prompt.length === 0)) {
    throw new NetssmError('prompt_empty', `${options.prompt} holds no packets`, { exitCode: 2 });
  }
  const sampling = {
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    minP: options.minP,
    repetitionPenalty: options.repetitionPenalty,
    greedy: options.greedy,
  };
  const started = Date.now();
  const written = [];
  for (const label of labels) {
    if (signal.aborted) break;
    const progress = io.progress(`generate ${label}`);
    const traces = await generateTraces({
      model,
      label,
      packets: options.packets,
      tokens: options.tokens,
      count: options.count,
      seed: options.seed,
      sampling,
      prompt: prompt || undefined,
      jobs: options.jobs,
      onProgress: progress.report,
      signal,
    });
    progress.finish();
    const files = writeTraces(options.out, traces, { model: options.model, seed: options.seed, sampling });
    for (const [i, trace] of traces.entries()) {
      const refused = Object.entries(trace.report.refused);
      const note =
        refused.length > 0 ? `; not decodable: ${refused.map(([code, n]) => `${n} ${code}`).join(', ')}` : '';
      io.print(`${files[i]}: ${trace.frames.length} packets, ${trace.report.tokens} tokens${note}`);
      written.push({
        file: files[i],
        label,
        packets: trace.frames.length,
        promptPackets: trace.promptPackets,
        report: trace.report,
      });
    }
  }
  io.note(`${written.length} captures in ${formatDuration((Date.now() - started) / 1000)}`);
  if (signal.aborted)
    io.note('Interrupted: what was finished is written. The same command and seed make the rest.');
  io.result({ model: options.model, seed: options.seed, files: written, interrupted: signal.aborted });
  return written.length > 0 ? 0 : 1;
}
