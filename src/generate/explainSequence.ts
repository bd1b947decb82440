/** The sequence that packets to be explained stand in, and the label that it is read under. */
import type { Frame } from '../capture/frame';
import { encodeSession, PKT } from '../tokens';
import { NetssmError } from '../util';
import { isTimeToken } from './explainMeaning';
import { surpriseOf, type NamedPacket, type NameFields } from './explainTokens';
import type { LoadedModel } from './model';

/** The tokens of some packets as one sequence, and where each packet lies in it. */
export interface NamedSequence {
  tokens: Uint16Array;
  /**
   * Of each packet: index of its first token (a time token where there is one), and of the one behind its last
   * (`<|pkt|>` where it is closed). Undefined where the layout refuses it.
   */
  places: ({ start: number; end: number } | undefined)[];
  packets: readonly NamedPacket[];
}

/**
 * Packets to the tokens that a model reads, the label first. `before`: a packet that precedes them and is not shown.
 * `goesOn`: the session has more packets; the last one is closed then in every layout.
 */
export function sequenceOf(
  model: Pick<LoadedModel, 'layout' | 'vocabulary'>,
  frames: readonly Frame[],
  label: string,
  fields: NameFields,
  { before, goesOn = false }: { before?: Frame; goesOn?: boolean } = {},
): NamedSequence {
  const { layout, vocabulary } = model;
  const session = encodeSession(frames, label, vocabulary, layout);
  const tokens = Array.from(layout.endOfText ? session.tokens.subarray(0, -1) : session.tokens);
  if (before) tokens.splice(1, 0, PKT, ...timeBetween(model, before, frames[0], label));
  if (!layout.endOfText && goesOn && session.packets > 0) tokens.push(PKT);

  const refused = new Map(
    session.refusals.map(({ packet, code, message }) => [packet, `${code}: ${message}`]),
  );
  let at = before ? 2 : 1;
  const places = frames.map((_, i) => {
    if (refused.has(i)) return undefined;
    const start = at;
    while (at < tokens.length && tokens[at] !== PKT) at++;
    return { start, end: (at = Math.min(at + 1, tokens.length)) };
  });
  // Names depend on the link type of the sequence, that of its first packet.
  const first = places.findIndex((place) => place !== undefined);
  const named = first < 0 ? [] : fields(frames.slice(first), layout);
  const packets = frames.map((_, i): NamedPacket => {
    const refusal = refused.get(i);
    return refusal === undefined ? named[i - first] : { tokens: new Uint8Array(0), fields: [], refusal };
  });
  return { tokens: Uint16Array.from(tokens), places, packets };
}

/** The time token of a packet that follows one which is not shown; none where the vocabulary has none. */
function timeBetween(
  { layout, vocabulary }: Pick<LoadedModel, 'layout' | 'vocabulary'>,
  before: Frame,
  frame: Frame,
  label: string,
): number[] {
  const { tokens } = encodeSession([before, frame], label, vocabulary, layout);
  const next = tokens[tokens.indexOf(PKT) + 1];
  return next !== undefined && isTimeToken(next, vocabulary) ? [next] : [];
}

/** The label that leaves no choice: the one given, the only one; nothing where the model has several. */
export function givenLabel(
  model: Pick<LoadedModel, 'labels' | 'vocabulary'>,
  label?: string,
): string | undefined {
  if (label !== undefined) {
    model.vocabulary.labelId(label); // an unknown one is an error that lists the known
    return label;
  }
  return model.labels.length === 1 ? model.labels[0] : undefined;
}

/** The label to explain packets under: the one given, the only one, or the one under which they surprise least. */
export function labelOf(
  model: LoadedModel,
  packets: readonly Frame[],
  { label, fields }: { label?: string; fields: NameFields },
): string {
  return givenLabel(model, label) ?? likeliestLabel(model, packets, fields);
}

/** What decides under which label a session is read, where none is given: its first packets, and tokens of them. */
const LABEL_PACKETS = 64;
const LABEL_TOKENS = 400;

/** The label under which the beginning of a session surprises the model least. */
function likeliestLabel(model: LoadedModel, packets: readonly Frame[], fields: NameFields): string {
  const { stepper, vocabulary, logitsLength, labels } = model;
  const { tokens } = sequenceOf(model, packets.slice(0, LABEL_PACKETS), labels[0], fields);
  const logits = new Float32Array(logitsLength);
  const end = Math.min(tokens.length - 1, LABEL_TOKENS);
  const bits = labels.map((label) => {
    const state = stepper.newState();
    let sum = 0;
    for (let t = 0; t < end; t++) {
      stepper.step(state, t === 0 ? vocabulary.labelId(label) : tokens[t], logits);
      sum += surpriseOf(logits, tokens[t + 1]);
    }
    return sum;
  });
  return labels[bits.indexOf(Math.min(...bits))];
}

/** @throws NetssmError `packets_missing` where there are none. */
export function requirePackets(frames: readonly unknown[]): void {
  if (frames.length > 0) return;
  throw new NetssmError('packets_missing', 'there are no packets to explain', {
    hint: 'Give the packets of a session, in their order: those of readCapture(file).frames.',
    exitCode: 2,
  });
}
