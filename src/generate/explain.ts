/** What a model expected of one packet, token by token, and what reading it did inside the model. */
import type { Frame } from '../capture/frame';
import type { LayerLook, StepModel, StepState } from '../model';
import { decodeFrame, summarize } from '../packets';
import { inspectable, NetssmError, type OnProgress } from '../util';
import {
  judge,
  likeliest,
  nameMark,
  nameTokens,
  sumTokens,
  type NamedPlace,
  type NameFields,
  type Prediction,
  type TokenGuess,
  type TokenSums,
} from './explainTokens';
import { labelOf, requirePackets, sequenceOf } from './explainSequence';
import type { LoadedModel } from './model';

export interface ExplainOptions {
  /** Index of the packet to explain. Default: the last one. */
  packet?: number;
  /** What the session is. Default: the model's only label, else the one under which its tokens surprise least. */
  label?: string;
  /** Packets read before it: the last so many, written as a session that begins inside. Default: all. */
  context?: number;
  /** Candidates a token. Default 5. */
  top?: number;
  /** Names the tokens: `annotateTokens` of netssm/viz; `explain` of netssm/notebook has it set. */
  fields: NameFields;
  onProgress?: OnProgress;
}

/** What one layer did when it read a token. Means over the layer's channels. */
export interface LayerView {
  /** Delta, the step size after softplus. Large: the token is written; small: it is passed over. */
  delta: number;
  /** exp(Delta A), the share of the state that stays. */
  decay: number;
  /** |SiLU(z)|, how much of the read-out is let through. */
  gate: number;
  /** Norm of the state h after the token. */
  stateNorm: number;
  /** Norm of what the token changed in h. */
  stateChange: number;
}

/** One token of the packet. */
export interface ExplainedToken extends Prediction, NamedPlace {
  /** Index in the sequence; 0 is the label. */
  position: number;
  token: number;
  text: string;
  /** What the field says. */
  fieldMeaning: string;
  /** What this token says by itself, where that can be said. */
  meaning?: string;
  /** What the model expected, likeliest first. */
  expected: TokenGuess[];
  /** What reading the token did, layer by layer. */
  layers: LayerView[];
}

/** Sums over the tokens of a field. */
export interface FieldBits extends NamedPlace, TokenSums {
  tokens: number;
}

/** A packet as a model sees it, with the sums of its tokens. Shows itself in a notebook; a line in a terminal. */
export interface Explanation extends TokenSums {
  format: 'netssm-explanation';
  model: string;
  label: string;
  /** Whether the label was given, or found: see {@link ExplainOptions.label}. */
  labelGiven: boolean;
  layout: string;
  /** Index of the packet among those that were given. */
  packet: number;
  /** In a line, as tcpdump writes it. */
  summary: string;
  /** Packets and tokens that were read before, the label included. */
  contextPackets: number;
  contextTokens: number;
  tokens: ExplainedToken[];
  /** In the order of the packet. */
  fields: FieldBits[];
}

/** Steps of a model in plain loops, whose inside can be looked at; made once a model. */
const looked = new WeakMap<object, StepModel>();

/**
 * Explains one packet in its context: the packets before it are read first, under the label. The surprises are in bits;
 * their sum over a session, times ln 2, is the loss of that session. Tokens are predicted before they are read: `expected`
 * is what the model said one step earlier, `layers` is what the token then did.
 *
 * @param packets of one session, in their order.
 * @throws NetssmError `packets_missing`, `packet_missing`, `packet_refused` where the layout cannot hold it,
 *   `label_unknown`, `model_closed` for a model without weights (one made by hand).
 * @example
 * const { frames } = await readCapture('data/captures/web/web-16.pcap');
 * const explanation = await explain(await loadModel('demo'), frames, { packet: 12, label: 'web', fields: annotateTokens });
 * explanation.bits; // of the whole packet
 */
export async function explain(
  model: LoadedModel,
  packets: readonly Frame[],
  options: ExplainOptions,
): Promise<Explanation> {
  requirePackets(packets);
  const { packet: chosen = packets.length - 1, context = chosen, top = 5, fields } = options;
  checkNumbers(packets.length, chosen, context, top);
  const first = Math.max(0, chosen - context);
  const frames = packets.slice(first, chosen + 1);
  const goesOn = chosen < packets.length - 1;
  const label = labelOf(model, packets, options);
  const before = first > 0 ? packets[first - 1] : undefined;
  const sequence = sequenceOf(model, frames, label, fields, { before, goesOn });
  const place = sequence.places[frames.length - 1];
  const named = sequence.packets[frames.length - 1];
  const frame = packets[chosen];
  if (!place) {
    const { refusal } = named;
    throw new NetssmError('packet_refused', `packet ${chosen} is not among the tokens: ${refusal}`, {
      hint: `Layout ${model.layout.name} holds TCP and UDP packets; choose one of them.`,
      exitCode: 2,
    });
  }
  const { layout, vocabulary } = model;
  const { tokens } = sequence;
  const step = await openLoops(model);
  const state = step.newState();
  const logits = new Float32Array(step.vocabSize);
  await readContext(step, state, tokens.subarray(0, place.start), logits, options.onProgress);

  const bytes = nameTokens(frame, named, layout, vocabulary, fields);
  let byte = 0;
  const probe = step.newProbe();
  const own = Array.from(tokens.subarray(place.start, place.end));
  const explained = own.map((token, i): ExplainedToken => {
    const name = token < 256 ? bytes[byte++] : nameMark(token, vocabulary);
    const { probabilities, ...prediction } = judge(logits, token);
    const expected = likeliest(probabilities, top).map((id): TokenGuess => ({
      token: id,
      text: vocabulary.text(id),
      probability: probabilities[id],
      ...optional('meaning', name.says(id)),
    }));
    step.step(state, token, logits, probe);
    return {
      position: place.start + i,
      token,
      text: vocabulary.text(token),
      field: name.field,
      protocol: name.protocol,
      ...optional('wireshark', name.wireshark),
      fieldMeaning: name.fieldMeaning,
      ...optional('meaning', name.says(token)),
      ...prediction,
      expected,
      layers: probe.layers.map(viewOf),
    };
  });
  const explanation: Explanation = {
    format: 'netssm-explanation',
    model: model.name,
    label,
    labelGiven: options.label !== undefined,
    layout: layout.name,
    packet: chosen,
    summary: summarize(decodeFrame(frame)),
    contextPackets: sequence.places.filter(Boolean).length - 1,
    contextTokens: place.start,
    tokens: explained,
    fields: sumFields(explained),
    ...sumTokens(explained),
  };
  return inspectable(explanation, (value) => explanationLine(value));
}

/** Sums by field, in the order of their first tokens. */
export function sumFields(tokens: Iterable<Prediction & NamedPlace>): FieldBits[] {
  const groups = new Map<string, (Prediction & NamedPlace)[]>();
  for (const token of tokens) {
    const key = `${token.protocol}/${token.field}`;
    const group = groups.get(key);
    if (group) group.push(token);
    else groups.set(key, [token]);
  }
  return Array.from(groups.values(), (group) => {
    const [{ field, protocol, wireshark }] = group;
    return {
      field,
      protocol,
      ...optional('wireshark', wireshark),
      tokens: group.length,
      ...sumTokens(group),
    };
  });
}

/** Tokens of the context between two looks at the outside. */
const CONTEXT_RUN = 128;

async function readContext(
  step: StepModel,
  state: StepState,
  tokens: Uint16Array,
  logits: Float32Array,
  onProgress?: OnProgress,
): Promise<void> {
  for (let at = 0; at < tokens.length; at += CONTEXT_RUN) {
    step.prefill(state, tokens.subarray(at, at + CONTEXT_RUN), logits);
    const done = Math.min(at + CONTEXT_RUN, tokens.length);
    onProgress?.({ done, total: tokens.length, unit: 'tokens', detail: 'reading what comes before' });
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function openLoops(model: LoadedModel): Promise<StepModel> {
  if (!model.files) {
    throw new NetssmError('model_closed', `${model.name} has no weights to look at`, {
      hint: 'Open it with loadModel.',
    });
  }
  let step = looked.get(model.files);
  if (!step) {
    const { StepModel } = await import('../model/index.js');
    looked.set(model.files, (step = new StepModel(model.files.config, model.files.weights)));
  }
  return step;
}

function viewOf({ delta, decay, gate, stateNorm, stateChange }: LayerLook): LayerView {
  const mean = (values: Float32Array) => sum(values) / values.length;
  return { delta: mean(delta), decay: mean(decay), gate: mean(gate.map(Math.abs)), stateNorm, stateChange };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, V>);
}

function checkNumbers(packets: number, chosen: number, context: number, top: number): void {
  if (!Number.isInteger(chosen) || chosen < 0 || chosen >= packets) {
    throw new NetssmError('packet_missing', `there is no packet ${chosen} among ${packets}`, {
      hint: `Packets are counted from 0 here: 0 to ${packets - 1}.`,
      exitCode: 2,
    });
  }
  if (!Number.isInteger(context) || context < 0 || !Number.isInteger(top) || top < 1) {
    throw new NetssmError(
      'explain_options',
      `context must be a whole number of at least 0 and top one of at least 1, not ${context} and ${top}`,
      { exitCode: 2 },
    );
  }
}

/**
 * `Explanation of packet 12, web, by demo: 11 tokens, 9.3 bits; 7 law, 4 free, 0 broken; dearest: window, 6.1 bits`.
 * @param number what the packet is called, where they are not counted from 0.
 */
export function explanationLine(explanation: Explanation, number = explanation.packet): string {
  const { label, tokens, bits, law, free, broken, fields, model } = explanation;
  const dearest = fields.reduce((best, row) => (row.bits > best.bits ? row : best));
  return (
    `Explanation of packet ${number}, ${label}, by ${model}: ${tokens.length} tokens, ${bits.toFixed(1)} bits; ` +
    `${law} law, ${free} free, ${broken} broken; dearest: ${dearest.field}, ${dearest.bits.toFixed(1)} bits`
  );
}
