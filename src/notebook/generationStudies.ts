/** Measurements of how models draw packets, for notebooks: loops belong here, not into cells. */
import type { Frame } from '../capture';
import { toSession } from '../flows';
import {
  buildProcessors,
  buildPrompt,
  firstTryRate,
  generateTraces,
  impossibleIds,
  maskIds,
  readPrompt,
  validateSampling,
  type GeneratedTrace,
  type GenerateRequest,
  type LoadedModel,
  type Sampling,
} from '../generate';
import { countDistances, countValues } from '../stats';

/** What {@link nextTokens} is asked. */
export interface NextTokensRequest {
  model: LoadedModel;
  label: string;
  /** Packets before the token. */
  prompt?: readonly Frame[];
  /** Tokens of the packet under way. */
  begun?: readonly number[];
  /** Ways to draw, by name. */
  samplings: Readonly<Record<string, Sampling>>;
  /** Tokens in the answer: the likeliest ones. Default 8. */
  most?: number;
}

/** A token and the probability that each way of drawing gives it. */
export interface NextToken {
  token: string;
  [sampling: string]: number | string;
}

/** How likely each token is to come next, as the model says and as each way of drawing makes it. */
export async function nextTokens(request: NextTokensRequest): Promise<NextToken[]> {
  const { model, label, prompt, begun = [], samplings, most = 8 } = request;
  const { stepper, vocabulary, layout, logitsLength } = model;
  const start = buildPrompt(vocabulary, layout, label, prompt);
  const tokens = Uint16Array.from([...start.tokens, ...begun]);
  const read = await readPrompt(stepper, { ...start, tokens }, logitsLength);
  if (!read) return [];
  const seen = new Uint8Array(logitsLength);
  for (const token of tokens) seen[token] = 1;
  const columns = Object.entries(samplings).map(([name, sampling]) => {
    const logits = read.logits.slice();
    const context = { seen, position: tokens.length };
    const full = validateSampling(sampling);
    maskIds(impossibleIds(logitsLength, layout.endOfText))(logits, context);
    for (const processor of buildProcessors(full)) processor(logits, context);
    return { name, probabilities: full.greedy ? onlyBest(logits) : softmax(logits) };
  });
  const first = columns[0].probabilities;
  const order = Array.from(first.keys()).sort((a, b) => first[b] - first[a]);
  return order.slice(0, most).map((id) => ({
    token: vocabulary.text(id),
    ...Object.fromEntries(columns.map(({ name, probabilities }) => [name, probabilities[id]])),
  }));
}

function softmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - max));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

function onlyBest(logits: Float32Array): Float64Array {
  const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
  return Float64Array.from(logits, (_, i) => (i === best ? 1 : 0));
}

/** What a way of drawing gave. */
export interface SamplingResult {
  sampling: string;
  traces: GeneratedTrace[];
  /** Packets, the prompt's not counted. */
  packets: number;
  /** Share of the packets that decoded at first try; 0 where none was drawn. */
  firstTry: number;
  tokensPerPacket: number;
  /** TCP connections that began with a complete handshake, and all that began. */
  handshakes: number;
  connections: number;
  /** Different packet sizes. */
  sizes: number;
  /** Jensen-Shannon distance (base 2) of the sizes from those of `real`. */
  sizeDistance: number;
}

/** What {@link compareSamplings} is asked: a request, ways to draw by name, and real packets to compare sizes with. */
export type SamplingStudy = Omit<GenerateRequest, 'sampling'> & {
  samplings: Readonly<Record<string, Sampling>>;
  real: readonly Frame[];
};

/** Draws with the same seeds and prompt in several ways, and counts what can be seen in the packets. */
export async function compareSamplings(study: SamplingStudy): Promise<SamplingResult[]> {
  const { samplings, real, ...request } = study;
  const results: SamplingResult[] = [];
  for (const [sampling, settings] of Object.entries(samplings)) {
    const traces = await generateTraces({ ...request, sampling: settings });
    results.push({ sampling, traces, ...measureTraces(traces, real) });
  }
  return results;
}

/** The numbers of {@link SamplingResult} for traces that are there already. */
export function measureTraces(
  traces: readonly GeneratedTrace[],
  real: readonly Frame[],
): Omit<SamplingResult, 'sampling' | 'traces'> {
  const reports = traces.map(({ report }) => report);
  const packets = reports.reduce((sum, report) => sum + report.packets, 0);
  const tokens = reports.reduce((sum, report) => sum + report.tokens, 0);
  const drawn = traces.flatMap(({ frames, promptPackets }) => frames.slice(promptPackets));
  // Connections of the whole trace: one that the prompt opened has its handshake there.
  const began = traces.flatMap(({ label, frames }) =>
    toSession(label, frames).flows.filter(({ tcp }) => tcp !== undefined),
  );
  return {
    packets,
    firstTry: firstTryRate(...reports) ?? 0,
    tokensPerPacket: packets === 0 ? 0 : tokens / packets,
    handshakes: began.filter(({ tcp }) => tcp?.handshake).length,
    connections: began.length,
    sizes: new Set(drawn.map(({ wireLen }) => wireLen)).size,
    sizeDistance: sizeDistance(drawn, real),
  };
}

/** Jensen-Shannon distance (base 2) between the packet sizes of two lists of frames; 1 where one is empty. */
export function sizeDistance(a: readonly Frame[], b: readonly Frame[]): number {
  if (a.length === 0 || b.length === 0) return 1;
  const sizes = (frames: readonly Frame[]) => countValues(frames.map(({ wireLen }) => wireLen));
  return countDistances(sizes(a), sizes(b)).jsDistance;
}

/** Packets that traces share from their beginning on, prompts included: where continuations part. */
export function commonPackets(traces: readonly GeneratedTrace[]): number {
  const [first, ...others] = traces.map(({ frames }) => frames);
  if (!first) return 0;
  const same = (a: Frame, b: Frame | undefined): boolean =>
    b !== undefined && a.wireLen === b.wireLen && Buffer.compare(a.data, b.data) === 0;
  const at = first.findIndex((frame, i) => others.some((frames) => !same(frame, frames[i])));
  return at < 0 ? first.length : at;
}
