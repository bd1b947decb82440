/** Generation, one token after the other, with what else could have come. */
import type { Frame } from '../capture/frame';
import { END_OF_TEXT, getLayout, PKT } from '../tokens';
import { inspectable, NetssmError, Rng } from '../util';
import { decodeTrace } from './decode';
import {
  entropyOf,
  likeliest,
  nameMark,
  nameTokens,
  probabilitiesOf,
  type NamedToken,
  type NameFields,
  type TokenGuess,
} from './explainTokens';
import { markMeaning } from './explainMeaning';
import { DEFAULT_START_MICROS, DEFAULT_TRIES } from './generate';
import { givenLabel } from './explainSequence';
import type { LoadedModel } from './model';
import { buildPrompt } from './prompt';
import { readPrompt } from './promptState';
import type { LogitsProcessor } from './processors';
import { argmax, buildProcessors, sampleLogits, validateSampling, type Sampling } from './sampling';
import type { TraceReport } from './trace';

export interface StepThroughOptions {
  /** Default: the model's only label. */
  label?: string;
  /** Real packets to go on from. */
  prompt?: readonly Frame[];
  /** Default 0. The same seed draws the trace that `generateTraces` draws first. */
  seed?: number;
  /** Default 1; 0 takes the likeliest token. Short for `sampling`. */
  temperature?: number;
  sampling?: Sampling;
  /** Packets to draw. Default 3. */
  packets?: number;
  /** Draws of a packet that does not decode, in all. Default as for `generateTraces`. */
  tries?: number;
  /** Candidates a token. Default 5. */
  top?: number;
  /** Names the tokens of packets that decoded: `annotateTokens` of netssm/viz. */
  fields: NameFields;
}

/** A candidate, with the probability that the model gave it and the one with which it was drawn. */
export interface DrawnGuess extends TokenGuess {
  /** After temperature and cuts. */
  drawProbability: number;
}

/** One draw. */
export interface GenerationStep {
  /** Index in the sequence, prompt included. */
  position: number;
  token: number;
  text: string;
  /** Which drawn packet it belongs to, from 0. */
  packet: number;
  /** 0, or how often the packet had been refused before. */
  attempt: number;
  /** The packet that it belonged to was refused, for this reason, and drawn again (where there are tries left). */
  refused?: string;
  /** The header field; undefined in packets that were refused, and where the layout would write something else. */
  field?: string;
  protocol?: string;
  wireshark?: string;
  fieldMeaning?: string;
  meaning?: string;
  /** Of the token drawn, as the model says, among the tokens that can come at all. */
  probability: number;
  drawProbability: number;
  surpriseBits: number;
  /** Of the model's distribution, before temperature and cuts. */
  entropyBits: number;
  /** Likeliest first. */
  candidates: DrawnGuess[];
}

/** A trace as it came about. Shows itself in a notebook, as a slider; a line in a terminal. */
export interface StepThrough {
  format: 'netssm-steps';
  model: string;
  label: string;
  seed: number;
  promptPackets: number;
  promptTokens: number;
  steps: GenerationStep[];
  /** The prompt's packets, then those drawn. */
  frames: Frame[];
  report: TraceReport;
}

/**
 * Draws a trace and keeps, for every token, what the model thought could come: the trace is the one that
 * `generateTraces` draws with the same seed, packet by packet.
 * @throws NetssmError `label_needed` where the model has several labels and none is given, `sampling_invalid`,
 *   `label_unknown`, `prompt_unusable`, `request_invalid`.
 * @example
 * const { steps } = await stepThrough(model, { label: 'web', packets: 2, seed: 3, fields: annotateTokens });
 * steps[0].candidates; // how the first packet could have begun
 */
export async function stepThrough(model: LoadedModel, options: StepThroughOptions): Promise<StepThrough> {
  const { seed = 0, packets = 3, top = 5, prompt: given, tries = DEFAULT_TRIES } = options;
  if (![packets, top, tries].every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw new NetssmError('request_invalid', 'packets, tries and top must be whole numbers of at least 1', {
      exitCode: 2,
    });
  }
  const label = givenLabel(model, options.label);
  if (label === undefined) {
    throw new NetssmError('label_needed', `${model.name} draws several kinds of traffic`, {
      hint: `Name one: ${model.labels.join(', ')}.`,
      exitCode: 2,
    });
  }
  const sampling = validateSampling({
    ...(options.temperature === 0 ? { greedy: true } : { temperature: options.temperature }),
    ...options.sampling,
  });
  const { stepper, logitsLength, layout, vocabulary } = model;
  const prompt = buildPrompt(vocabulary, layout, label, given);
  const start = await readPrompt(stepper, prompt, logitsLength);
  if (!start) throw new NetssmError('aborted', 'reading the prompt was aborted');

  // A twin of the generator that draws: called as often, it says what is drawn.
  const twin = new Rng(seed).split(`trace/${label}/0`).split('tokens');
  const steps: GenerationStep[] = [];
  let asModel: Float64Array = new Float64Array(0);
  const before: LogitsProcessor = (logits) => {
    asModel = probabilitiesOf(logits);
  };
  const after: LogitsProcessor = (logits, { position }) => {
    const token = sampling.greedy ? argmax(logits) : sampleLogits(logits, twin);
    if (token < 0) return;
    const asDrawn = sampling.greedy ? undefined : probabilitiesOf(logits);
    const drawn = (id: number) => (asDrawn ? asDrawn[id] : id === token ? 1 : 0);
    steps.push({
      position,
      token,
      text: vocabulary.text(token),
      packet: 0,
      attempt: 0,
      probability: asModel[token],
      drawProbability: drawn(token),
      surpriseBits: -Math.log2(asModel[token]),
      entropyBits: entropyOf(asModel),
      candidates: likeliest(asModel, top).map((id) => ({
        token: id,
        text: vocabulary.text(id),
        probability: asModel[id],
        drawProbability: drawn(id),
      })),
    });
  };
  const job = {
    label,
    index: 0,
    seed,
    prompt,
    layout: getLayout(layout.name, { checksums: model.checksums }),
    logitsLength,
    processors: [before, ...buildProcessors(sampling), after],
    greedy: sampling.greedy,
    packets,
    tokens: Infinity,
    tries,
    continueAfterEnd: false,
    repair: false,
    timing: model.timing?.labels[label],
    times: vocabulary.times,
    startMicros: DEFAULT_START_MICROS,
  };
  const { frames, report, promptPackets } = await decodeTrace(stepper, job, start);
  markRefused(steps, report);
  nameSteps(model, steps, frames, promptPackets, options.fields);
  const through: StepThrough = {
    format: 'netssm-steps',
    model: model.name,
    label,
    seed,
    promptPackets,
    promptTokens: prompt.tokens.length,
    steps,
    frames,
    report,
  };
  return inspectable(through, stepThroughLine);
}

/** Where the sequence goes back, the run before was refused and forgotten; where a refusal is in place, it stayed. */
function markRefused(steps: GenerationStep[], { refusals }: TraceReport): void {
  let packet = 0;
  let attempt = 0;
  let refused = 0;
  let from = 0;
  steps.forEach((step, i) => {
    step.packet = packet;
    step.attempt = attempt;
    const next = steps[i + 1] as GenerationStep | undefined;
    const back = next !== undefined && next.position <= step.position;
    const ends = step.token === PKT || step.token === END_OF_TEXT || back;
    if (!ends) return;
    const refusal = refusals[refused] as (typeof refusals)[number] | undefined;
    if (refusal && refusal.token >= steps[from].position && refusal.token <= step.position) {
      const reason = `${refusal.code}: ${refusal.message}`;
      for (let k = from; k <= i; k++) steps[k].refused = reason;
      refused++;
      attempt++;
    } else {
      packet++;
      attempt = 0;
    }
    from = i + 1;
  });
}

/** Names the tokens of the packets that decoded, and says what the candidates would have said. */
function nameSteps(
  model: LoadedModel,
  steps: GenerationStep[],
  frames: readonly Frame[],
  promptPackets: number,
  fields: NameFields,
): void {
  const { layout, vocabulary } = model;
  const named = fields(frames, layout);
  const ends = new Map<number, GenerationStep[]>();
  for (const step of steps) {
    if (step.refused !== undefined) continue;
    const own = ends.get(step.packet);
    if (own) own.push(step);
    else ends.set(step.packet, [step]);
  }
  let at = promptPackets;
  for (const own of ends.values()) {
    const bytes = own.filter(({ token }) => token < 256);
    const packet = named[at] as (typeof named)[number] | undefined;
    // Tokens that write a packet otherwise than the layout would have names as far as they agree.
    const all = packet ? nameTokens(frames[at], packet, layout, vocabulary, fields) : [];
    const differ = bytes.findIndex(({ token }, i) => token !== packet?.tokens[i]);
    const names: NamedToken[] = differ < 0 ? all : all.slice(0, differ);
    if (bytes.length > 0) at++;
    let byte = 0;
    own.forEach((step) => {
      const mark = step.token >= 256;
      const name = mark ? nameMark(step.token, vocabulary) : (names[byte++] as NamedToken | undefined);
      if (name) {
        step.field = name.field;
        step.protocol = name.protocol;
        if (name.wireshark !== undefined) step.wireshark = name.wireshark;
        step.fieldMeaning = name.fieldMeaning;
      }
      const says = (token: number) =>
        name ? name.says(token) : token < 256 ? undefined : markMeaning(token, vocabulary);
      const meaning = says(step.token);
      if (meaning !== undefined) step.meaning = meaning;
      for (const guess of step.candidates) {
        const would = says(guess.token);
        if (would !== undefined) guess.meaning = would;
      }
    });
  }
}

/** `Steps of web, seed 3, by demo: 27 tokens, 3 packets, 1 refused; 21.4 bits`. */
export function stepThroughLine({ label, seed, model, steps, report }: StepThrough): string {
  const refused = Object.values(report.refused).reduce((sum, n) => sum + n, 0);
  const bits = steps.reduce((sum, step) => sum + step.surpriseBits, 0);
  return (
    `Steps of ${label}, seed ${seed}, by ${model}: ${steps.length} tokens, ${report.packets} packets, ` +
    `${refused} tries refused; ${bits.toFixed(1)} bits`
  );
}
