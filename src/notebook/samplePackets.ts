import { generateTraces, openStepper, type LoadedModel, type LoadOptions, type Sampling } from '../generate';
import type { Frame } from '../capture';
import { derivedSizes } from '../model';
import { decodeFrame, summarize } from '../packets';
import { decodeTokens, type TokenDataset } from '../tokens';
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
  /** Packets of a validation session that stand before them; 0: nothing but the label. Default 8. */
  prompt?: number;
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

/** The next packets of a session, or its first ones, as a model in training would write them. */
export async function samplePackets(
  model: ModelInTraining,
  options: SampleOptions = {},
): Promise<SampledPacket[]> {
  const { packets = 3, prompt = 8, tries = 50, seed = 1, sampling } = options;
  const label = options.label ?? model.vocabulary.labels[0];
  const loaded = await asLoadedModel(model, { engine: options.engine });
  const [trace] = await generateTraces({
    model: loaded,
    label,
    prompt: beginning(model.dataset, label, prompt),
    packets,
    tokens: packets * TOKENS,
    tries,
    seed,
    sampling,
    jobs: 1,
  });
  const { report } = trace;
  const frames = trace.frames.slice(trace.promptPackets);
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

/** The first packets of the label's first validation session; undefined where there is none. */
function beginning(dataset: TokenDataset, label: string, packets: number): Frame[] | undefined {
  const at = dataset.sequences.findIndex((s) => s.split === 'validation' && s.label === label);
  if (at < 0 || packets === 0) return undefined;
  const { layout, vocabulary, sequences } = dataset;
  const tokens = dataset.tokens(at, 0, 1 + packets * (layout.maxBytes + 1));
  const decoded = decodeTokens(tokens, vocabulary, layout, { linkType: sequences[at].linkType });
  let tsMicros = 0;
  return decoded.packets.slice(0, packets).map(({ data, wireLen, linkType }, i) => {
    // Of the time since the packet before, a time token tells the bin.
    tsMicros += vocabulary.times?.edgesMicros[decoded.timeBins?.[i] ?? -1] ?? 0;
    return { data, wireLen, linkType, tsMicros, tsNanos: 0, interfaceId: 0 };
  });
}

/** Tokens a packet that the model may use up, failed tries included: a model that knows nothing is stopped here. */
const TOKENS = 400;
