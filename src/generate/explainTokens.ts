/** What explanations share: how sure a model is, and what the tokens of packets are called. */
import type { Frame } from '../capture/frame';
import { decodePacket } from '../packets';
import type { Layout, Vocabulary } from '../tokens';
import {
  isTimeToken,
  markMeaning,
  relativeMeaning,
  wiresharkName,
  type RelativePlace,
} from './explainMeaning';

/** What layouts take of a frame. */
export type ExplainablePacket = Pick<Frame, 'data' | 'wireLen' | 'linkType'>;

/** Some neighbouring tokens of a packet that say one thing. */
export interface NamedField {
  readonly name: string;
  /** Protocol of the header that the name belongs to; empty where the layout has names of its own. */
  readonly protocol: string;
  readonly from: number;
  /** One past the last token. */
  readonly to: number;
  /** In words. */
  readonly meaning: string;
}

/** The tokens of one packet, without `<|pkt|>`; none where the layout refuses the packet. */
export interface NamedPacket {
  readonly tokens: Uint8Array;
  readonly fields: readonly NamedField[];
  readonly refusal?: string;
}

/** Names the tokens of a sequence's packets, in order: `annotateTokens` of netssm/viz does. */
export type NameFields = (packets: readonly ExplainablePacket[], layout: Layout) => readonly NamedPacket[];

/** A token that may come next. */
export interface TokenGuess {
  token: number;
  /** `18`, `<|pkt|>`. */
  text: string;
  probability: number;
  /** What it would say in this place, where that can be said. */
  meaning?: string;
}

/**
 * `law`: the model was sure (entropy below {@link LAW_BITS}) and right. `free`: it was not sure. `broken`: it was sure,
 * and something else came.
 */
export type Verdict = 'law' | 'free' | 'broken';

/** Below this entropy, in bits, a token is decided before it comes: the likeliest one has 99.4 % or more. */
export const LAW_BITS = 0.05;

/** How sure the model was of one token, and how right. */
export interface Prediction {
  /** Of the token that came. */
  probability: number;
  /** 1: the likeliest. */
  rank: number;
  /** -log2 of the probability. */
  surpriseBits: number;
  /** Of the whole distribution: the surprise that the model itself expected. */
  entropyBits: number;
  verdict: Verdict;
}

/** Sums over some tokens. */
export interface TokenSums {
  /** Surprise of the tokens, summed. */
  bits: number;
  /** The surprise that the model expected, summed. */
  entropyBits: number;
  /** How many were decided beforehand, were open, were a breach. */
  law: number;
  free: number;
  broken: number;
}

/** What some tokens cost together. */
export function sumTokens(predictions: readonly Prediction[]): TokenSums {
  const sums: TokenSums = { bits: 0, entropyBits: 0, law: 0, free: 0, broken: 0 };
  for (const { surpriseBits, entropyBits, verdict } of predictions) {
    sums.bits += surpriseBits;
    sums.entropyBits += entropyBits;
    sums[verdict]++;
  }
  return sums;
}

/** softmax(logits), in double. */
export function probabilitiesOf(logits: ArrayLike<number>): Float64Array {
  let max = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i] > max) max = logits[i];
  const out = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += out[i] = Math.exp(logits[i] - max);
  for (let i = 0; i < logits.length; i++) out[i] /= sum;
  return out;
}

/** Entropy in bits. */
export function entropyOf(probabilities: ArrayLike<number>): number {
  let bits = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i];
    if (p > 0) bits -= p * Math.log2(p);
  }
  return Math.max(0, bits);
}

/** What `logits` said about the token that came. */
export function judge(
  logits: ArrayLike<number>,
  token: number,
): Prediction & { probabilities: Float64Array } {
  const probabilities = probabilitiesOf(logits);
  const probability = probabilities[token];
  let rank = 1;
  for (let i = 0; i < probabilities.length; i++)
    if (probabilities[i] > probability || (probabilities[i] === probability && i < token)) rank++;
  const entropyBits = entropyOf(probabilities);
  const sure = entropyBits < LAW_BITS;
  return {
    probabilities,
    probability,
    rank,
    // From the logits: a probability that underflows has a finite surprise.
    surpriseBits: surpriseOf(logits, token),
    entropyBits,
    verdict: sure ? (rank === 1 ? 'law' : 'broken') : 'free',
  };
}

/** -log2 softmax(logits)[token]. */
export function surpriseOf(logits: ArrayLike<number>, token: number): number {
  let max = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i] > max) max = logits[i];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - max);
  return (Math.log(sum) + max - logits[token]) / Math.LN2;
}

/** The `most` likeliest tokens, likeliest first; equals in the order of their ids. */
export function likeliest(probabilities: Float64Array, most: number): number[] {
  const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  return order.slice(0, most);
}

/** Which headers a packet has. */
export interface PacketKind {
  transport: 'tcp' | 'udp';
  version: 4 | 6;
}

export function kindOf({ data, linkType, wireLen }: ExplainablePacket): PacketKind {
  const protocols = decodePacket(data, linkType, { wireLen }).layers.map(({ protocol }) => protocol);
  return {
    transport: protocols.includes('udp') && !protocols.includes('tcp') ? 'udp' : 'tcp',
    version: protocols.includes('ipv6') ? 6 : 4,
  };
}

/** What a token belongs to. */
export interface NamedPlace {
  /** The header field, as the layout names it. */
  field: string;
  /** Protocol of that header; empty for names of the layout's own. */
  protocol: string;
  /** Wireshark's name of the field, where it has one. */
  wireshark?: string;
}

/** A place in a packet, and what tokens would say there. */
export interface NamedToken extends NamedPlace {
  /** Of the whole field, as it is. */
  fieldMeaning: string;
  /** What a token would say here. */
  says(token: number): string | undefined;
}

/** The byte tokens of one packet by name. */
export function nameTokens(
  frame: ExplainablePacket,
  named: NamedPacket,
  layout: Layout,
  vocabulary: Vocabulary,
  fields: NameFields,
): NamedToken[] {
  const kind = kindOf(frame);
  const byteOf = (name: string) => named.tokens[named.fields.find((f) => f.name === name)?.from ?? -1] ?? 0;
  const masks = layout.stateful ? { mask: byteOf('mask'), xmask: byteOf('xmask') } : { mask: 0, xmask: 0 };
  const out: NamedToken[] = [];
  for (const { name, protocol, from, to, meaning } of named.fields) {
    const newOptions = layout.stateful && name === 'option template' && named.tokens[from] === 255;
    for (let at = from; at < to; at++) {
      const place: RelativePlace = {
        field: name,
        before: named.tokens.subarray(from, at),
        length: to - from,
        ...kind,
        ...masks,
      };
      const sayByte = layout.stateful
        ? (token: number) => relativeMeaning(place, token)
        : (token: number) => headerMeaning(frame, named, at, token, layout, fields);
      out.push({
        field: name,
        protocol,
        wireshark: wiresharkName(name, protocol, kind),
        fieldMeaning: newOptions ? `a new list of options, ${named.tokens[from + 1]} bytes` : meaning,
        says: (token) => (token < 256 ? sayByte(token) : markMeaning(token, vocabulary)),
      });
    }
  }
  return out;
}

/** Name of time tokens: they stand before a packet's bytes and tell when it came. */
export const TIME_FIELD = 'time since the packet before';

/** Tokens that are no bytes: `<|pkt|>` and `<|endoftext|>` have their texts as names. */
export function nameMark(token: number, vocabulary: Vocabulary): NamedToken {
  return {
    field: isTimeToken(token, vocabulary) ? TIME_FIELD : vocabulary.text(token),
    protocol: '',
    fieldMeaning: markMeaning(token, vocabulary) ?? 'nothing in a sequence of packets',
    says: (other) => (other < 256 ? undefined : markMeaning(other, vocabulary)),
  };
}

/** Layouts of header bytes: the packet with this byte in the place of its own, read again. */
function headerMeaning(
  { data, wireLen, linkType }: ExplainablePacket,
  named: NamedPacket,
  at: number,
  token: number,
  layout: Layout,
  fields: NameFields,
): string | undefined {
  if (at >= data.length) return undefined;
  const changed = data.slice();
  changed[at] = token;
  const [other] = fields([{ data: changed, wireLen, linkType }], layout);
  const field = other.fields.find(({ from, to }) => at >= from && at < to);
  const own = named.fields.find(({ from, to }) => at >= from && at < to);
  // A byte that changes what the bytes are called says nothing here.
  return field && own && field.name === own.name && field.from === own.from ? field.meaning : undefined;
}
