import type { Frame } from '../capture/frame';
import { LinkType } from '../capture/frame';
import type {
  CodecOptions,
  DecodedPacket,
  EncoderOptions,
  Layout,
  PacketDecoder,
  PacketEncoder,
  Refusal,
} from './layout';
import { inspectable } from '../util';
import { timeBinOfToken, timeTokenOf, type TimeTokens } from './times';
import { END_OF_TEXT, PKT } from './vocabulary';
import type { Vocabulary } from './vocabulary';

/*
 * A sequence of tokens for a sequence of packets. Two grammars:
 *
 *   ours (layout.endOfText)   <|label|> packet <|pkt|> packet <|pkt|> ... packet <|pkt|> <|endoftext|>
 *   the paper's               <|label|> packet <|pkt|> packet <|pkt|> ... packet
 *
 * In ours every packet is closed, so it is complete the moment <|pkt|> is drawn, and the end of the session is one
 * decision at a packet boundary. The paper's just stops (NetSSM section 4.1.1), as its parser writes it.
 * A <|pkt|> directly after the label says "packets before this one are not shown": rows of training data that begin
 * inside a session carry it. Nothing generates it.
 *
 * With time tokens (times.ts) there is one before every packet but the first: <|pkt|> <|dt:178us|> packet <|pkt|>.
 */

/** Why a packet or a run of tokens is not there. */
export interface PlacedRefusal extends Refusal {
  /** Index of the frame (encoding), or of the run between two `<|pkt|>` (decoding). */
  packet: number;
  /** Index of the run's first token behind its time token (decoding); -1 when encoding. */
  token: number;
}

export interface EncodedSession {
  tokens: Uint16Array;
  /** Packets that are in `tokens`. */
  packets: number;
  /** LINKTYPE_ number of the packets. */
  linkType: number;
  refusals: PlacedRefusal[];
  /** The time tokens among `tokens`, where the vocabulary has some. */
  times?: TimeTokens;
}

/** Grows by doubling. */
export class TokenBuffer {
  private buffer: Uint16Array;
  length = 0;

  constructor(capacity = 1024) {
    this.buffer = new Uint16Array(capacity);
  }

  push(token: number): void {
    if (this.length === this.buffer.length) this.grow(1);
    this.buffer[this.length++] = token;
  }

  pushBytes(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.buffer.length) this.grow(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A view, valid until the next push. */
  view(): Uint16Array {
    return this.buffer.subarray(0, this.length);
  }

  private grow(by: number): void {
    const bigger = new Uint16Array(Math.max(this.buffer.length * 2, this.length + by));
    bigger.set(this.buffer.subarray(0, this.length));
    this.buffer = bigger;
  }
}

/** What a sequence's encoder needs of a packet; `tsMicros` only where there are time tokens. */
export type TimedFrame = Pick<Frame, 'data' | 'wireLen' | 'linkType'> & Partial<Pick<Frame, 'tsMicros'>>;

export interface SequenceOptions extends EncoderOptions {
  /** The vocabulary's time tokens: each packet but the first then has one, for the time since the one before. */
  times?: TimeTokens;
}

/**
 * Writes one sequence packet by packet; the tokens so far are in `buffer`, which may be emptied at any time
 * (`buffer.length = 0`), so a capture of any size passes through bounded memory.
 */
export class SequenceEncoder {
  readonly buffer = new TokenBuffer();
  packets = 0;
  /** Tokens written in all. */
  tokens = 0;
  private encoder: PacketEncoder | undefined;
  private chosen: number;
  private lastMicros = 0;

  /**
   * @param options `linkType` of the sequence; without it, that of the first frame which the layout holds. Frames of
   *   another one are refused (`link_type`).
   */
  constructor(
    labelId: number,
    private readonly layout: Layout,
    private readonly options: SequenceOptions = {},
  ) {
    this.chosen = options.linkType ?? LinkType.ETHERNET;
    if (options.linkType !== undefined) this.encoder = layout.encoder(options);
    this.buffer.push(labelId);
    this.tokens = 1;
  }

  /** LINKTYPE_ number of the sequence; Ethernet before any packet. */
  get linkType(): number {
    return this.chosen;
  }

  /**
   * Returns why the packet is not in the sequence, or undefined. With time tokens, the gap is that to the last packet that
   * is; one without `tsMicros` comes together with it.
   */
  add(frame: TimedFrame): Refusal | undefined {
    const encoder = this.encoder ?? this.layout.encoder({ ...this.options, linkType: frame.linkType });
    const result = encoder.encode(frame);
    if (!result.ok) return result.refusal;
    if (!this.encoder) {
      this.encoder = encoder;
      this.chosen = frame.linkType;
    }
    const before = this.buffer.length;
    if (!this.layout.endOfText && this.packets > 0) this.buffer.push(PKT);
    const { times } = this.options;
    const { tsMicros = this.lastMicros } = frame;
    if (times && this.packets > 0) this.buffer.push(timeTokenOf(times, tsMicros - this.lastMicros));
    this.lastMicros = tsMicros;
    this.buffer.pushBytes(result.bytes);
    if (this.layout.endOfText) this.buffer.push(PKT);
    this.tokens += this.buffer.length - before;
    this.packets++;
    return undefined;
  }

  end(): void {
    if (!this.layout.endOfText) return;
    this.buffer.push(END_OF_TEXT);
    this.tokens++;
  }
}

/**
 * Frames to tokens, with time tokens where the vocabulary has them. Without `linkType`, the sequence has that of the first
 * frame which the layout holds.
 * @throws NetssmError `label_unknown`.
 */
export function encodeSession(
  frames: Iterable<TimedFrame>,
  label: string,
  vocabulary: Vocabulary,
  layout: Layout,
  options: EncoderOptions = {},
): EncodedSession {
  const encoder = new SequenceEncoder(vocabulary.labelId(label), layout, {
    ...options,
    times: vocabulary.times,
  });
  const refusals: PlacedRefusal[] = [];
  let packet = 0;
  for (const frame of frames) {
    const refusal = encoder.add(frame);
    if (refusal) refusals.push({ ...refusal, packet, token: -1 });
    packet++;
  }
  encoder.end();
  const { packets, linkType } = encoder;
  const { times } = vocabulary;
  const tokens = encoder.buffer.view().slice();
  const session: EncodedSession = { tokens, packets, linkType, refusals, ...(times && { times }) };
  return inspectable(session, ({ tokens }) => {
    const refused = refusals.length > 0 ? `, ${refusals.length} refused` : '';
    return `EncodedSession ${label}: ${tokens.length} tokens of ${packets} packets${refused}`;
  });
}

/** A packet as decoders give it and encoders take it; the bin of the gap before it where there are time tokens. */
export type CodedPacket = Pick<DecodedPacket, 'data' | 'wireLen' | 'linkType'> & {
  readonly timeBin?: number;
};

export interface EncodePacketsOptions extends CodecOptions {
  /** Tokens between the label and the first packet, e.g. `[PKT]`: "packets before this one are not shown". */
  prefix?: readonly number[];
  /** Whether the sequence ends after the packets; default true. Matters to layouts with `<|endoftext|>` only. */
  end?: boolean;
  /** The vocabulary's time tokens; packets behind a `<|pkt|>` need `timeBin` then (absent: 0). */
  times?: TimeTokens;
}

/**
 * Packets to the tokens of a sequence of their own, from the empty state: how a part of a session is encoded. Quick
 * for thousands of short ones. Packets that the layout cannot hold are left out; those that it has decoded it can.
 */
export function encodePackets(
  packets: Iterable<CodedPacket>,
  labelId: number,
  layout: Layout,
  options: EncodePacketsOptions = {},
): Uint16Array {
  const { linkType, prefix = [], end = true, times } = options;
  const out = new TokenBuffer(256);
  out.push(labelId);
  for (const token of prefix) out.push(token);
  let encoder = linkType === undefined ? undefined : layout.encoder({ linkType });
  let first = true;
  for (const packet of packets) {
    encoder ??= layout.encoder({ linkType: packet.linkType });
    const result = encoder.encode(packet);
    if (!result.ok) continue;
    if (!layout.endOfText && !first) out.push(PKT);
    if (times && (!first || prefix.at(-1) === PKT)) out.push(times.first + (packet.timeBin ?? 0));
    out.pushBytes(result.bytes);
    if (layout.endOfText) out.push(PKT);
    first = false;
  }
  if (layout.endOfText && end) out.push(END_OF_TEXT);
  return out.view().slice();
}

export interface DecodedSession {
  /** Undefined where the sequence does not begin with a label of the vocabulary. */
  label: string | undefined;
  packets: DecodedPacket[];
  /** Where the vocabulary has time tokens: bin of the gap before each of `packets`, -1 where none is told. */
  timeBins?: number[];
  /** Runs of tokens that are no packet: the layout's codes, and `empty`, `special_token`, `unfinished`. */
  refusals: PlacedRefusal[];
  /** Whether `<|endoftext|>` was reached. Tokens after it are not read. */
  ended: boolean;
}

/**
 * Tokens to packets. Total: any sequence of numbers is decoded, and what is no packet is refused with a code and the
 * place. A last run that nothing closes is `unfinished`, unless the layout's sequences just stop and it is long enough.
 */
export function decodeTokens(
  tokens: ArrayLike<number>,
  vocabulary: Vocabulary,
  layout: Layout,
  options: CodecOptions = {},
): DecodedSession {
  const { times } = vocabulary;
  const decoder = new SequenceDecoder(layout, { ...options, times });
  const label = tokens.length > 0 ? vocabulary.labelOf(tokens[0]) : undefined;
  let at = label === undefined ? 0 : 1;
  // "Packets before this one are not shown."
  if (at === 1 && tokens[1] === PKT) at = 2;
  decoder.position = at;
  const out: DecodedSession = {
    label,
    packets: [],
    refusals: [],
    ended: false,
    ...(times && { timeBins: [] }),
  };
  const take = (result: RunResult | undefined) => {
    if (result?.ok) {
      out.packets.push(result.packet);
      out.timeBins?.push(result.timeBin ?? -1);
    } else if (result) out.refusals.push(result.refusal);
  };
  for (; at < tokens.length && !decoder.ended; at++) take(decoder.push(tokens[at]));
  take(decoder.end());
  out.ended = decoder.ended;
  return out;
}

export type RunResult =
  { ok: true; packet: DecodedPacket; timeBin?: number } | { ok: false; refusal: PlacedRefusal };

export interface SequenceDecoderOptions extends CodecOptions {
  /** The vocabulary's time tokens: a run may begin with one. */
  times?: TimeTokens;
}

/** Decodes a sequence token by token, as a model draws them. */
export class SequenceDecoder {
  /** `<|endoftext|>` was seen. */
  ended = false;
  /** Index of the next token in the sequence. */
  position = 0;
  /** Runs closed so far, packets or not. */
  runs = 0;
  private readonly decoder: PacketDecoder;
  private readonly run: number[] = [];
  /** Index in `run` of the first token that is no byte; -1: none. */
  private special = -1;
  /** Bin that the run's time token tells. */
  private timeBin: number | undefined;
  private readonly times: TimeTokens | undefined;

  constructor(
    private readonly layout: Layout,
    options: SequenceDecoderOptions = {},
  ) {
    const { times, ...codec } = options;
    this.times = times;
    this.decoder = layout.decoder(codec);
  }

  /** A result when this token closes a run. */
  push(token: number): RunResult | undefined {
    if (this.ended) return undefined;
    this.position++;
    if (token === PKT) return this.close(1);
    if (token === END_OF_TEXT) {
      this.ended = true;
      return this.run.length > 0 ? this.close(1) : undefined;
    }
    if (this.run.length === 0 && this.timeBin === undefined) {
      this.timeBin = timeBinOfToken(this.times, token);
      if (this.timeBin !== undefined) return undefined;
    }
    if (!(token >= 0 && token < 256) && this.special < 0) this.special = this.run.length;
    // Beyond any packet nothing is gained by remembering more.
    if (this.run.length < 65536) this.run.push(token);
    return undefined;
  }

  /** The last run, where the sequence stops without closing it. */
  end(): RunResult | undefined {
    if (this.run.length === 0) return undefined;
    if (!this.layout.endOfText && this.run.length >= this.layout.maxBytes) return this.close(0);
    const start = this.position - this.run.length;
    const refusal = this.refuse(
      'unfinished',
      this.run.length,
      `the sequence stops ${this.run.length} tokens into a packet`,
      start,
    );
    this.run.length = 0;
    return { ok: false, refusal };
  }

  private close(mark: number): RunResult {
    const start = this.position - mark - this.run.length;
    const { run, special } = this;
    let result: RunResult;
    if (run.length === 0) {
      result = { ok: false, refusal: this.refuse('empty', 0, 'no bytes before <|pkt|>', start) };
    } else if (special >= 0) {
      const message = `token ${run[special]} inside a packet`;
      result = { ok: false, refusal: this.refuse('special_token', special, message, start) };
    } else {
      const decoded = this.decoder.decode(Uint8Array.from(run));
      result = decoded.ok
        ? this.timeBin === undefined
          ? decoded
          : { ...decoded, timeBin: this.timeBin }
        : { ok: false, refusal: { ...decoded.refusal, packet: this.runs, token: start } };
    }
    this.runs++;
    this.run.length = 0;
    this.special = -1;
    this.timeBin = undefined;
    return result;
  }

  private refuse(code: string, offset: number, message: string, token: number): PlacedRefusal {
    return { code, layer: this.layout.name, offset, message, packet: this.runs, token };
  }
}
