import { locateKept } from './linkTypes';
import type { TokenDataset } from './meta';
import type { SequencePackets } from './piecePackets';
import { SequenceDecoder, type CodedPacket } from './session';
import { END_OF_TEXT, PKT } from './vocabulary';

/*
 * The phases of a flow (NetSSM section 5.1.1 fine-tunes a model for each; it does not say where one ends):
 *
 *   handshake   all packets up to the first that is no SYN: SYN, SYN+ACK, ACK
 *   data        what follows, up to the first FIN or RST
 *   teardown    what follows that
 *
 * The packet that ends a phase belongs to it: whoever generates draws it, and thereby hands over. UDP has neither
 * handshake nor teardown: its first packet is handshake, like that of a TCP flow whose beginning was not captured, for
 * nobody knows the protocol before it is drawn; all others are data. A flow's end is part of the phase that it is in then.
 */

/** In order; a flow goes through them once. */
export const PHASES = ['handshake', 'data', 'teardown'] as const;
export type Phase = (typeof PHASES)[number];

const SYN = 2;
const FIN_OR_RST = 1 | 4;

/** Follows one flow: `phase` is that of the packet to come. */
export class PhaseTracker {
  phase: Phase = 'handshake';

  add({ data, linkType }: Pick<CodedPacket, 'data' | 'linkType'>): void {
    const at = locateKept(data, linkType);
    const flags = at.ok && at.transport === 'tcp' ? (data[at.ipEnd + 13] ?? 0) : 0;
    if (flags & FIN_OR_RST) this.phase = 'teardown';
    else if (this.phase === 'handshake' && !(flags & SYN)) this.phase = 'data';
  }
}

/** The phase of the packet that follows these. */
export function phaseAfter(packets: Iterable<Pick<CodedPacket, 'data' | 'linkType'>>): Phase {
  const tracker = new PhaseTracker();
  for (const packet of packets) tracker.add(packet);
  return tracker.phase;
}

/** Packets of a flow that are in a phase: [from, to), and whether the flow ends in it. */
export interface PhaseSpan {
  from: number;
  to: number;
  ends: boolean;
}

/** The packets of a phase; from = to where there is none. `packets` must be decoded ones. */
export function phaseSpan({ data, at, count, linkType }: SequencePackets, phase: Phase): PhaseSpan {
  const tracker = new PhaseTracker();
  let from = -1;
  let to = -1;
  for (let i = 0; i <= count; i++) {
    if (tracker.phase === phase) {
      if (from < 0) from = i;
      to = i;
    }
    if (i < count) tracker.add({ data: data.subarray(at[i], at[i + 1]), linkType });
  }
  const ends = tracker.phase === phase;
  if (from < 0) return { from: count, to: count, ends };
  return { from, to: ends ? count : to + 1, ends };
}

/** Positions of tokens: [from, to). */
export interface TokenSpan {
  from: number;
  to: number;
}

/** The tokens of a phase in a flow's sequence, each packet's `<|pkt|>` with it; undefined: it has none. */
export function phaseTokens(dataset: TokenDataset, sequence: number, phase: Phase): TokenSpan | undefined {
  const { layout, vocabulary, sequences } = dataset;
  const tokens = dataset.tokens(sequence);
  const { linkType } = sequences[sequence];
  const decoder = new SequenceDecoder(layout, { linkType, times: vocabulary.times });
  const tracker = new PhaseTracker();
  let from = -1;
  let to = -1;
  decoder.position = 1;
  for (let at = 1; at < tokens.length; at++) {
    if (tracker.phase === phase) {
      if (from < 0) from = at;
      to = at + 1;
    }
    const closed = tokens[at] === PKT || tokens[at] === END_OF_TEXT;
    const result = decoder.push(tokens[at]);
    if (closed && result?.ok) tracker.add(result.packet);
  }
  return from < 0 ? undefined : { from, to };
}
