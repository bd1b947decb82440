import { generateTraces, openStepper, type LoadedModel, type LoadOptions, type Sampling } from '../generate';
import { derivedSizes } from '../model';
import { decodeFrame, summarize } from '../packets';
import type { ModelInTraining } from '../train';

/** A packet that a model drew, or that there was none. */
export interface SampledPacket {
  ok: boolean;
  /** Runs of tokens until one was a packet, that one included. */
  tries: number;
  /** The packet in a line, or the last refusal. */
  text: string;
}

export interface SampleOptions {
  /** Default: the model's first label. */
  label?: string;
  /** Packets to draw. Default 3. */
  packets?: number;
  /** Runs of tokens for a packet at most. Default 50. */
  tries?: number;
  seed?: number;
  sampling?: Sampling;
  /** Who computes; see `loadModel`. Default `auto`, which may have to compile the native decoder first. */
  engine?: LoadOptions['engine'];
}

/** A model in training as one that can draw traces. Its timing is unknown: all packets have the same time. */
export async function asLoadedModel(
  { config, weights, vocabulary, dataset }: ModelInTraining,
  options: LoadOptions = {},
): Promise<LoadedModel> {
  const { layout, checksums } = dataset.meta;
  return {
    name: 'in training',
    dir: '',
    labels: vocabulary.labels,
    vocabulary,
    layout: dataset.layout,
    checksums,
    timing: undefined,
    card: { labels: [...vocabulary.labels], layout, checksums },
    logitsLength: derivedSizes(config).padded_vocab_size,
    stepper: await openStepper(config, weights, options),
  };
}

/** The first packets of a session as a model in training would write them. */
export async function samplePackets(
  model: ModelInTraining,
  options: SampleOptions = {},
): Promise<SampledPacket[]> {
  const { packets = 3, tries = 50, label = model.vocabulary.labels[0], seed = 1, sampling } = options;
  const loaded = await asLoadedModel(model, { engine: options.engine });
  const [trace] = await generateTraces({
    model: loaded,
    label,
    packets,
    tokens: packets * TOKENS,
    tries,
    seed,
    sampling,
    jobs: 1,
  });
  const { frames, report } = trace;
  const refusals = (packet: number) => report.refusals.filter((refusal) => refusal.packet === packet);
  const drawn = frames.map((frame, i): SampledPacket => {
    return { ok: true, tries: refusals(i).length + 1, text: summarize(decodeFrame(frame)) };
  });
  const missed = refusals(frames.length);
  if (frames.length < packets && missed.length > 0) {
    const { code, message } = missed.filter((refusal) => refusal.code !== 'unfinished').at(-1) ?? missed[0];
    drawn.push({ ok: false, tries: missed.length, text: `${code}: ${message}` });
  }
  return drawn;
}

/** Tokens a packet that the model may use up, failed tries included: a model that knows nothing is stopped here. */
const TOKENS = 400;
