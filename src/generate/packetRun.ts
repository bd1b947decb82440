import { END_OF_TEXT, PKT, timeBinOfToken } from '../tokens';
import type { DecodedPacket, Layout, PlacedRefusal, TimeTokens } from '../tokens';
import type { Prompt } from './prompt';

/** What a run of tokens turned out to be. */
export type RunOutcome =
  | {
      ok: true;
      packet: DecodedPacket;
      /** Bin of the gap before it, where a time token tells it. */
      timeBin?: number;
    }
  | {
      ok: false;
      refusal: PlacedRefusal;
      /** The run's first token; undefined where it has none. */
      first: number | undefined;
      /** Whether that token alone decided: no packet can begin with it here. */
      never: boolean;
    };

/** A run of this many times the longest packet is given up where it can be drawn again. */
const HOPELESS = 2;

/**
 * The tokens drawn since the last packet boundary, and the decoder that judges them when they close. A refused run
 * changes nothing in the decoder, so it can be drawn again.
 */
export class PacketRun {
  /** `<|endoftext|>` was drawn. */
  ended = false;
  /** Index in the sequence of the next token, prompt included. */
  position: number;
  /** Packets and refused runs that are part of the sequence so far. */
  private runs = 0;
  private readonly tokens: number[] = [];
  /** Of the time token that the run begins with. */
  private timeBin: number | undefined;
  /** Whether there are packets before the first run. */
  private readonly goesOn: boolean;
  private readonly decoder: ReturnType<Layout['decoder']>;

  /** Begins behind a prompt, whose packets the decoder reads first. */
  constructor(
    private readonly layout: Layout,
    prompt: Pick<Prompt, 'tokens' | 'linkType'>,
    private readonly giveUp: boolean,
    /** The model's time tokens. */
    private readonly times?: TimeTokens,
  ) {
    const { tokens, linkType } = prompt;
    this.decoder = layout.decoder({ linkType });
    this.position = tokens.length;
    this.goesOn = tokens.length > 1;
    for (let from = 1, to; (to = tokens.indexOf(PKT, from)) >= 0; from = to + 1) {
      if (timeBinOfToken(times, tokens[from]) !== undefined) from++;
      if (to > from) this.decoder.decode(Uint8Array.from(tokens.subarray(from, to)));
    }
  }

  /** Whether no byte of a packet has been drawn since the last boundary. */
  get empty(): boolean {
    return this.tokens.length === 0;
  }

  /** Whether a time token (or the end) comes next: before every packet but a sequence's first. */
  get awaitsTime(): boolean {
    if (!this.times || !this.empty || this.timeBin !== undefined) return false;
    return this.goesOn || this.runs > 0;
  }

  /** Whether the run has begun with its time token. */
  get timed(): boolean {
    return this.timeBin !== undefined;
  }

  /** Takes a token; an outcome when it closes the run. The run is then empty. */
  push(token: number): RunOutcome | undefined {
    this.position++;
    if (this.awaitsTime) {
      this.timeBin = timeBinOfToken(this.times, token);
      if (this.timeBin !== undefined) return undefined;
    }
    if (token === PKT) return this.close(1);
    if (token === END_OF_TEXT) {
      this.ended = true;
      return this.empty ? undefined : this.close(1);
    }
    this.tokens.push(token);
    if (this.giveUp && this.tokens.length > HOPELESS * this.layout.maxBytes) {
      const n = this.tokens.length;
      return this.refuse('too_long', n, `${n} tokens without <|pkt|>`, 0);
    }
    return undefined;
  }

  /** Forgets a run that {@link push} has refused, as if its tokens had never been drawn. */
  takeBack(position: number): void {
    this.position = position;
    this.ended = false;
    this.runs--;
  }

  /** The last run, where the sequence stops without closing it. */
  end(): RunOutcome | undefined {
    const n = this.tokens.length;
    if (n === 0) return undefined;
    if (!this.layout.endOfText && n >= this.layout.maxBytes) return this.close(0);
    return this.refuse('unfinished', n, `the sequence stops ${n} tokens into a packet`, 0);
  }

  /** `mark`: tokens that close the run. */
  private close(mark: number): RunOutcome {
    const { tokens } = this;
    const special = tokens.findIndex((token) => token >= 256);
    if (tokens.length === 0) return this.refuse('empty', 0, 'no bytes before <|pkt|>', mark);
    if (special >= 0)
      return this.refuse('special_token', special, `token ${tokens[special]} inside a packet`, mark);
    const result = this.decoder.decode(Uint8Array.from(tokens));
    if (!result.ok) {
      const { code, offset, message } = result.refusal;
      const never = offset === 0 && this.decides(tokens[0], code);
      return { ...this.refuse(code, offset, message, mark), never };
    }
    const { timeBin } = this;
    this.runs++;
    tokens.length = 0;
    this.timeBin = undefined;
    return timeBin === undefined ? result : { ...result, timeBin };
  }

  /** Whether a packet is refused for its first byte, whatever follows. */
  private decides(first: number, code: string): boolean {
    const alone = this.decoder.decode(Uint8Array.of(first));
    return !alone.ok && alone.refusal.code === code && alone.refusal.offset === 0;
  }

  private refuse(code: string, offset: number, message: string, mark: number): RunOutcome & { ok: false } {
    const token = this.position - mark - this.tokens.length;
    const first = this.tokens.at(0);
    this.tokens.length = 0;
    this.timeBin = undefined;
    const refusal = { code, layer: this.layout.name, offset, message, packet: this.runs++, token };
    return { ok: false, refusal, first, never: false };
  }
}
