import { NetssmError, Rng } from '../util';
import { checkRows, emptyBatch, lastAtMost, PREFIX, type TokenBatch } from './batches';
import type { Split, TokenDataset } from './meta';
import { groupSequences, insideStart, type Group } from './pieceGroups';
import { phaseSpan, type Phase, type PhaseSpan } from './phases';
import { PACKET_STORE_BYTES, PacketStore, type PiecePacket } from './piecePackets';
import { TokenBuffer } from './session';
import { END_OF_TEXT, PKT } from './vocabulary';

/*
 * Rows of pieces: a session is chosen, a run of its packets cut out, changed where asked (renumbered), and encoded from
 * the empty state, its label first. Packets are cut before they are encoded, for the tokens of a layout that keeps state
 * cannot be cut afterwards.
 *
 *   from the start    <|label|> packet <|pkt|> packet <|pkt|> ...
 *   from inside       <|label|> <|pkt|> packet <|pkt|> packet <|pkt|> ...       no loss on the first two
 *
 * With time tokens every packet behind a <|pkt|> has one before it, and that of a piece's first packet no loss, either.
 * In a piece from inside, the first packet of a flow's direction is often not the one that the direction began with. Of TCP
 * such packets carry no loss, for a model that learned to expect them would begin flows without a SYN; of other protocols
 * they look like any, and their first token, which says that a new flow begins now, carries none.
 * Pieces of one phase of single flows (`phase`) end where the phase does, and only its tokens carry loss; what leads up to
 * it is context.
 *
 * `<|endoftext|>` follows where the session ends. Rows cut pieces at their ends, so ends of sessions would be seen more rarely
 * than beginnings: `endings`. What a packet begins with decides whether it belongs anywhere at all, and is a small share of
 * the loss: `headWeight`. Pieces are drawn, not dealt: each row by itself, from its number alone,
 * so that any row can be made at any time.
 */

export interface PieceOptions {
  dataset: TokenDataset;
  split: Split;
  /** Tokens a row. */
  rowLen: number;
  /** Rows a batch. */
  batch: number;
  seed: number;
  /** Share of the pieces that begin where their session begins, 0 to 1; the others begin at any other packet of it. */
  openings: number;
  /** Share of the pieces that end where their session ends, and begin where their length asks for it. Default 0. */
  endings?: number;
  /**
   * How many times the first two tokens of a packet count, and `<|endoftext|>` in their place. In `compact-rel` they say
   * which flow and direction it belongs to and its TCP flags (of a new flow: that it is one, and of what kind). Default 1.
   */
  headWeight?: number;
  /**
   * Draws a label first, all with the same probability, then a session or a place of it: every label is seen as often,
   * however many and long its sessions are. Default false: see {@link planPieces}.
   */
  evenLabels?: boolean;
  /**
   * Lengths of pieces in tokens are drawn from here to `rowLen`, their logarithm uniformly; by default all are as long as
   * the row. A piece ends early where its session does, and the last one of a row where the row does.
   */
  shortest?: number;
  /** Inputs have the label in the place of every `<|pkt|>`: see labelReading.ts. Default false. */
  labelEveryPacket?: boolean;
  /** Only this phase of the sequences, which are single flows, carries loss: see phases.ts. */
  phase?: Phase;
  /** Gives the change that all packets of one piece go through. */
  change?: (rng: Rng) => (packet: PiecePacket) => PiecePacket;
  /** Bytes of decoded packets held; default {@link PACKET_STORE_BYTES}. Part of what decides the rows. */
  maxBytes?: number;
}

/** Batches without end; any of them can be asked for at any time, so training resumes from an index. */
export interface PiecePlan {
  readonly batch: number;
  readonly rowLen: number;
  /** Rows that hold about as many tokens as the split: one epoch. */
  readonly epochRows: number;
  /** @throws RangeError for a negative index. */
  at(index: number): TokenBatch;
}

/** Room at a row's end that is left empty. */
const LEAST_ROOM = 16;

/** Tokens of a packet that `headWeight` is for. */
const HEAD_TOKENS = 2;

/**
 * Plans rows of pieces (see above). The same options give the same rows, whatever was asked for before, and row r of the
 * run is the same whatever `batch` is.
 *
 * Openings take the sessions of the split in turn, in an order that changes every epoch; pieces from inside begin at any
 * packet with the same probability, so long sessions are seen more often (of their label, with `evenLabels`). A split too
 * large for `maxBytes` is worked through in groups of sessions. Handshakes and teardowns are drawn from all flows alike.
 * @throws NetssmError `batch_options`; `phase_missing` where no sequence of the split has anything of `phase`.
 */
export function planPieces(options: PieceOptions): PiecePlan {
  const { dataset, split, rowLen, batch, seed, openings, change, phase } = options;
  const { maxBytes = PACKET_STORE_BYTES, evenLabels = false, endings = 0, headWeight = 1 } = options;
  const shortest = Math.min(options.shortest ?? rowLen, rowLen);
  checkRows(rowLen, batch);
  if (!(openings >= 0 && endings >= 0 && openings + endings <= 1) || !(shortest >= 1)) {
    throw new NetssmError(
      'batch_options',
      `openings and endings must be from 0 to 1 together, and shortest at least 1, not ${openings}, ${endings} and ${shortest}`,
      { exitCode: 2 },
    );
  }
  // Twice, so that the groups of two neighbouring rows fit.
  const store = new PacketStore(dataset, change !== undefined || phase !== undefined, 2 * maxBytes);
  const spans = new Map<number, PhaseSpan>();
  const usable: number[] = [];
  dataset.sequences.forEach((s, i) => {
    if (s.split !== split || s.packets === 0) return;
    if (phase !== undefined) {
      const span = phaseSpan(store.get(i), phase);
      if (span.from === span.to && !(span.ends && dataset.layout.endOfText)) return;
      spans.set(i, span);
    }
    usable.push(i);
  });
  if (phase !== undefined && usable.length === 0)
    throw new NetssmError('phase_missing', `${dataset.dir}: no flow of the ${split} split has a ${phase}`, {
      exitCode: 2,
    });
  const total = usable.reduce((sum, i) => sum + dataset.sequences[i].length, 0);
  const epochRows = usable.length === 0 ? 0 : Math.max(1, Math.ceil(total / rowLen));
  const writer = new PieceWriter(dataset, store, options.labelEveryPacket, headWeight);
  let epochNow = -1;
  let groups: Group[] = [];

  // Openings of a row, about: the mean of a log-uniform length is (b - a) / ln(b / a).
  const pieces = shortest < rowLen ? (rowLen * Math.log(rowLen / shortest)) / (rowLen - shortest) : 1;
  const perRow = Math.max(1, Math.round(openings * pieces));

  const fillRow = (row: number, out: TokenBatch, b: number) => {
    const epoch = Math.floor(row / epochRows);
    const inEpoch = row % epochRows;
    if (epoch !== epochNow) {
      const rng = new Rng(`pieces/${seed}/${split}/epoch ${epoch}`);
      groups = groupSequences(dataset, rng.shuffle([...usable]), epochRows, maxBytes);
      epochNow = epoch;
    }
    const group = groups[lastAtMost(groups.map((g) => g.firstRow).concat(Infinity), inEpoch)];
    const rng = new Rng(`pieces/${seed}/${split}/row ${row}`);
    let opening = (inEpoch - group.firstRow) * perRow;
    const end = (b + 1) * rowLen;
    for (let at = b * rowLen, k = 0; end - at >= Math.min(LEAST_ROOM, rowLen); k++) {
      const room = end - at;
      let length = shortest * (rowLen / shortest) ** rng.uniform();
      if (room - length < Math.min(shortest, rowLen / 4)) length = room + 1;
      const pool = evenLabels ? group.labels[rng.int(group.labels.length)] : group;
      const insides = pool.inside[pool.inside.length - 1];
      const place = rng.uniform();
      const opens = place < openings || insides === 0;
      const closes = !opens && place < openings + endings;
      const anyOne = evenLabels || phase !== undefined;
      const turn = anyOne ? rng.int(pool.sequences.length) : opening++;
      // Of handshakes and teardowns a flow has one, however long it is.
      const inTurn = opens || closes || (phase !== undefined && phase !== 'data');
      const [sequence, start] = inTurn
        ? [pool.sequences[turn % pool.sequences.length], 0]
        : insideStart(pool, rng.int(insides));
      let from = closes ? endingStart(dataset.sequences[sequence], Math.min(length, room)) : start;
      const span = spans.get(sequence);
      if (span && !opens) {
        const { packets, length: tokens } = dataset.sequences[sequence];
        from =
          phase === 'data' && span.from < span.to
            ? span.from + rng.int(span.to - span.from)
            : span.from - Math.max(1, Math.round((length * packets) / tokens));
      }
      at += writer.write(out, at, {
        sequence,
        from: Math.max(0, from),
        length,
        room,
        span,
        change: change?.(rng.split(`piece ${k}`)),
      });
    }
  };

  return {
    batch,
    rowLen,
    epochRows,
    at(index) {
      if (!(index >= 0)) throw new RangeError(`batch ${index}`);
      const out = emptyBatch(batch, rowLen);
      if (epochRows > 0) for (let b = 0; b < batch; b++) fillRow(index * batch + b, out, b);
      return out;
    },
  };
}

/** A packet from which on a sequence takes about `length` tokens, rather less: what is beyond a row's end is cut. */
function endingStart(
  { packets, length: tokens }: { packets: number; length: number },
  length: number,
): number {
  return Math.max(0, packets - Math.max(1, Math.floor((0.9 * length * packets) / tokens)));
}

interface PieceOrder {
  sequence: number;
  /** First packet. */
  from: number;
  /** Tokens wanted; the packet that reaches it is the last. */
  length: number;
  /** Inputs that fit. */
  room: number;
  /** Packets whose tokens carry loss; the piece ends behind them. Undefined: all. */
  span?: PhaseSpan;
  change?: (packet: PiecePacket) => PiecePacket;
}

/** Encodes pieces into rows. */
class PieceWriter {
  private readonly buffer = new TokenBuffer();
  /** Tokens of the piece that carry loss: from here to its end, */
  private counted = 0;
  /** but for these: [from, to), from, to ... */
  private silent: number[] = [];
  /** Where packets begin, and `<|endoftext|>`. */
  private heads: number[] = [];

  constructor(
    private readonly dataset: TokenDataset,
    private readonly store: PacketStore,
    private readonly labelEveryPacket = false,
    private readonly headWeight = 1,
  ) {}

  /** Writes one piece at position `at` of a batch; returns how many inputs it takes. */
  write(out: TokenBatch, at: number, order: PieceOrder): number {
    const { span, room } = order;
    let { from } = order;
    let tokens = this.encode(order);
    // Context that leaves no room for what carries loss is halved.
    while (span && this.counted > room && from + 1 < span.from) {
      from = Math.floor((from + span.from) / 2);
      tokens = this.encode({ ...order, from });
    }
    const prefix = from === 0 ? 0 : this.dataset.vocabulary.times ? PREFIX + 1 : PREFIX;
    const inputs = Math.min(tokens.length - 1, room);
    const silent = Math.max(prefix, this.counted - 1);
    for (let k = 0; k < inputs; k++) {
      out.tokens[at + k] = this.labelEveryPacket && tokens[k] === PKT ? tokens[0] : tokens[k];
      out.targets[at + k] = tokens[k + 1];
      out.starts[at + k] = k === 0 ? 1 : 0;
      out.mask[at + k] = k < silent ? 0 : 1;
    }
    for (let s = 0; s < this.silent.length; s += 2)
      for (let k = this.silent[s] - 1; k < Math.min(this.silent[s + 1] - 1, inputs); k++)
        out.mask[at + k] = 0;
    for (const head of this.heads)
      for (let k = head - 1; k < Math.min(head - 1 + HEAD_TOKENS, inputs); k++)
        out.mask[at + k] *= this.headWeight;
    for (let k = 0; k < inputs; k++) out.lossTokens += out.mask[at + k];
    // What follows, a piece or padding, begins anew. Rows begin anew in any case.
    if (at + inputs < out.starts.length) out.starts[at + inputs] = 1;
    return Math.max(1, inputs);
  }

  private encode({ sequence, from, length, room, span, change }: PieceOrder): Uint16Array {
    const { buffer, dataset } = this;
    const { layout, vocabulary } = dataset;
    const packets = this.store.get(sequence);
    const encoder = layout.encoder({ linkType: packets.linkType });
    buffer.length = 0;
    buffer.push(vocabulary.labelId(dataset.sequences[sequence].label));
    if (from > 0) buffer.push(PKT);
    let first = true;
    let i = from;
    const until = span ? span.to : packets.count;
    this.counted = span ? Infinity : 0;
    this.silent = [];
    this.heads = [];
    // A piece reaches what carries loss, however short it was meant to be.
    const wanted = () => buffer.length < length || (span !== undefined && i <= span.from);
    for (; i < until && wanted() && buffer.length <= room; i++) {
      let bytes = packets.data.subarray(packets.at[i], packets.at[i + 1]);
      if (!packets.encoded) {
        const packet = { data: bytes, wireLen: packets.wireLens[i], linkType: packets.linkType };
        const result = encoder.encode(change ? change(packet) : packet);
        // It was in the layout before, so only a change can have put it out.
        if (!result.ok) continue;
        bytes = result.bytes;
      }
      if (!layout.endOfText && !first) buffer.push(PKT);
      if (span && i >= span.from && this.counted === Infinity) this.counted = buffer.length;
      if (vocabulary.times && packets.timeBins && i > 0)
        buffer.push(vocabulary.times.first + packets.timeBins[i]);
      const begins = buffer.length;
      this.heads.push(begins);
      buffer.pushBytes(bytes);
      const { before } = packets;
      if (!span && before && before.previous[i] >= 0 && before.previous[i] < from)
        this.silent.push(begins, before.tcp[i] ? buffer.length : begins + 1);
      if (layout.endOfText) buffer.push(PKT);
      first = false;
    }
    if (span && i >= span.from && this.counted === Infinity) this.counted = buffer.length;
    if (i === packets.count && layout.endOfText) {
      this.heads.push(buffer.length);
      buffer.push(END_OF_TEXT);
    }
    if (span && i === span.to && i < packets.count && !layout.endOfText) buffer.push(PKT);
    return buffer.view();
  }
}
