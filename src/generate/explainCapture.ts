/** Which header fields cost a model most, over the packets of a capture. */
import type { Frame } from '../capture/frame';
import { END_OF_TEXT } from '../tokens';
import { inspectable, type OnProgress } from '../util';
import { sumFields, type FieldBits } from './explain';
import {
  judge,
  kindOf,
  nameMark,
  sumTokens,
  type NamedPlace,
  type NameFields,
  type Prediction,
  type TokenSums,
} from './explainTokens';
import { wiresharkName } from './explainMeaning';
import { labelOf, requirePackets, sequenceOf, type NamedSequence } from './explainSequence';
import type { LoadedModel } from './model';

export interface ExplainCaptureOptions {
  /** As for `explain`. */
  label?: string;
  /** The first so many packets. Default: all. */
  packets?: number;
  /** Whether the session ends with the last packet; then the end is a token, too. Default: unless packets are left out. */
  end?: boolean;
  /** Names the tokens: `annotateTokens` of netssm/viz. */
  fields: NameFields;
  onProgress?: OnProgress;
}

/** One packet's share. */
export interface PacketBits extends Pick<TokenSums, 'bits' | 'entropyBits' | 'law'> {
  /** Index among the packets that were given. */
  packet: number;
  tokens: number;
}

/** What a capture costs a model: by packet, by field, in sum. Shows itself in a notebook; a line in a terminal. */
export interface CaptureExplanation extends TokenSums {
  format: 'netssm-capture-explanation';
  model: string;
  label: string;
  labelGiven: boolean;
  layout: string;
  packets: PacketBits[];
  /** Packets that the layout cannot hold. */
  refused: number;
  /** Predicted tokens, marks included. */
  tokens: number;
  /** The field that costs most first. */
  fields: FieldBits[];
}

/** Tokens between two looks at the outside. */
const RUN = 256;

/**
 * The surprise of every token of a session, summed by header field: what the model's loss is made of. In bits; the sum
 * times ln 2, divided by the tokens, is the loss that `evaluateLoss` gives for the session.
 * @throws NetssmError `packets_missing`, `label_unknown`.
 * @example
 * const { fields } = await explainCapture(model, frames, { label: 'web', fields: annotateTokens });
 * fields[0]; // { field: 'timestamps and SACK', tokens: 412, bits: 1630.2, ... }
 */
export async function explainCapture(
  model: LoadedModel,
  packets: readonly Frame[],
  options: ExplainCaptureOptions,
): Promise<CaptureExplanation> {
  requirePackets(packets);
  const frames = packets.slice(0, options.packets ?? packets.length);
  const { layout, vocabulary, stepper } = model;
  const whole = frames.length === packets.length;
  const label = labelOf(model, frames, options);
  const sequence = sequenceOf(model, frames, label, options.fields, { goesOn: !whole });
  const ends = layout.endOfText && (options.end ?? whole);
  const tokens = Uint16Array.from(ends ? [...sequence.tokens, END_OF_TEXT] : sequence.tokens);

  const names = namesOf(frames, sequence);
  const state = stepper.newState();
  const logits = new Float32Array(model.logitsLength);
  const judged: (Prediction & NamedPlace)[] = [];
  for (let t = 0; t + 1 < tokens.length; t++) {
    stepper.step(state, tokens[t], logits);
    const token = tokens[t + 1];
    const { probabilities: _, ...prediction } = judge(logits, token);
    const name = token < 256 ? names[t + 1] : { field: nameMark(token, vocabulary).field, protocol: '' };
    judged.push({ ...prediction, ...name });
    if (t % RUN === RUN - 1) {
      options.onProgress?.({ done: t + 1, total: tokens.length - 1, unit: 'tokens' });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
  const explanation: CaptureExplanation = {
    format: 'netssm-capture-explanation',
    model: model.name,
    label,
    labelGiven: options.label !== undefined,
    layout: layout.name,
    packets: sharesOf(sequence, judged),
    refused: sequence.places.filter((place) => !place).length,
    tokens: judged.length,
    fields: sumFields(judged).sort((a, b) => b.bits - a.bits),
    ...sumTokens(judged),
  };
  return inspectable(explanation, captureExplanationLine);
}

/** By position in the sequence: what each byte token is called. */
function namesOf(frames: readonly Frame[], { tokens, places, packets }: NamedSequence): NamedPlace[] {
  const names = new Array<NamedPlace>(tokens.length);
  places.forEach((place, i) => {
    if (!place) return;
    const start = tokens[place.start] < 256 ? place.start : place.start + 1;
    const kind = kindOf(frames[i]);
    for (const { name, protocol, from, to } of packets[i].fields) {
      // Without a protocol a field of TCP is the same field of UDP to the layout: no name of one of them.
      const wireshark = protocol ? wiresharkName(name, protocol, kind) : undefined;
      names.fill({ field: name, protocol, ...(wireshark && { wireshark }) }, start + from, start + to);
    }
  });
  return names;
}

function sharesOf({ places }: NamedSequence, judged: readonly Prediction[]): PacketBits[] {
  return places.flatMap((place, packet) => {
    if (!place) return [];
    const own = judged.slice(place.start - 1, place.end - 1);
    const { bits, entropyBits, law } = sumTokens(own);
    return { packet, tokens: own.length, bits, entropyBits, law };
  });
}

/** `Explanation of 324 packets, web, by demo: 2,405 tokens, 1.9 bits each; dearest: ...`. */
export function captureExplanationLine(explanation: CaptureExplanation): string {
  const { packets, label, model, tokens, bits, law, fields } = explanation;
  const dear = fields
    .slice(0, 3)
    .map(({ field, bits: own }) => `${field} ${Math.round((100 * own) / bits)} %`);
  return (
    `Explanation of ${packets.length.toLocaleString('en')} packets, ${label}, by ${model}: ` +
    `${tokens.toLocaleString('en')} tokens, ${(bits / Math.max(1, tokens)).toFixed(2)} bits each, ` +
    `${Math.round((100 * law) / Math.max(1, tokens))} % law; dearest: ${dear.join(', ')}`
  );
}
