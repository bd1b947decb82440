import type { Layout, Vocabulary } from '../tokens';
import { END_OF_TEXT, PKT } from '../tokens';
import { flowOfDecoded } from './flowOracle';

/** The part of a token dataset that the baselines read; an open dataset folder is one. */
export interface TokenSource {
  readonly layout: Pick<Layout, 'name' | 'decoder'>;
  readonly vocabulary: Pick<Vocabulary, 'labels' | 'size'> & Partial<Pick<Vocabulary, 'timeBin'>>;
  readonly sequences: readonly {
    readonly source: number;
    readonly label: string;
    readonly split: string;
    readonly length: number;
    readonly packets: number;
  }[];
  tokens(i: number): Uint16Array;
}

/** One row per predicted token, column by column: what a baseline may know when it predicts. */
export interface TokenEvents {
  count: number;
  packets: number;
  /** The token to be predicted. */
  symbol: Uint16Array;
  /** The token before it; the label before the first. */
  previous: Uint16Array;
  /** Tokens since the packet began. */
  position: Uint16Array;
  /** Index of the sequence's label. */
  label: Uint16Array;
  /** Token at the same position of the flow's previous packet, either direction; -1 where there is none. */
  copyFlow: Int32Array;
  /** The same of the flow's previous packet in the same direction. */
  copyDirection: Int32Array;
  /** Part of the data that the sequence belongs to when cross-validating. */
  fold: Uint8Array;
}

/**
 * Lists every token of the given sequences that a language model's loss counts: all but the label, the first byte
 * after the label included. The flow a packet belongs to is read from the packet's own headers, that is, from tokens
 * that a model has not seen yet when it predicts them: side information in the baseline's favour.
 *
 * @param foldOf fold of a sequence's packet
 * @param cap tokens of a sequence at most
 */
export function tokenEvents(
  dataset: TokenSource,
  sequences: readonly number[],
  foldOf: (sequence: number, packet: number) => number,
  cap = Infinity,
): TokenEvents {
  let capacity = 0;
  for (const i of sequences) capacity += Math.max(0, Math.min(dataset.sequences[i].length - 1, cap));
  const events: TokenEvents = {
    count: capacity,
    packets: 0,
    symbol: new Uint16Array(capacity),
    previous: new Uint16Array(capacity),
    position: new Uint16Array(capacity),
    label: new Uint16Array(capacity),
    copyFlow: new Int32Array(capacity).fill(-1),
    copyDirection: new Int32Array(capacity).fill(-1),
    fold: new Uint8Array(capacity),
  };
  let at = 0;
  for (const i of sequences) {
    const tokens = dataset.tokens(i);
    const stop = Math.min(tokens.length, cap + 1);
    const label = dataset.vocabulary.labels.indexOf(dataset.sequences[i].label);
    const decoder = dataset.layout.decoder();
    // Last packet by flow, and by flow and direction: where its tokens start, and how many they are with the mark.
    const last = new Map<string, [number, number]>();
    let start = 1;
    let packet = 0;
    while (start < stop) {
      let end = start;
      while (end < tokens.length && tokens[end] !== PKT && tokens[end] !== END_OF_TEXT) end++;
      const length = Math.min(end + 1, stop) - start;
      // A time token before the packet's bytes is an event like any other, but none of them.
      const first = dataset.vocabulary.timeBin?.(tokens[start]) === undefined ? start : start + 1;
      const flow =
        end > first ? flowOfDecoded(decoder.decode(Uint8Array.from(tokens.subarray(first, end)))) : null;
      const either = flow ? last.get(flow.key) : undefined;
      const same = flow ? last.get(`${flow.key}/${flow.direction}`) : undefined;
      const fold = foldOf(i, packet);
      for (let p = 0; p < length; p++, at++) {
        events.symbol[at] = tokens[start + p];
        events.previous[at] = tokens[start + p - 1];
        events.position[at] = p;
        events.label[at] = label;
        if (either && p < either[1]) events.copyFlow[at] = tokens[either[0] + p];
        if (same && p < same[1]) events.copyDirection[at] = tokens[same[0] + p];
        events.fold[at] = fold;
      }
      if (flow) {
        last.set(flow.key, [start, length]);
        last.set(`${flow.key}/${flow.direction}`, [start, length]);
      }
      if (end > start) events.packets++;
      start += length;
      packet++;
    }
  }
  return { ...events, count: at };
}
