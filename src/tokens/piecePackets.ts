import { LinkType } from '../capture/frame';
import type { Frame } from '../capture/frame';
import { NetssmError } from '../util';
import type { TokenDataset } from './meta';
import { packetsBefore, type PacketsBefore } from './packetsBefore';
import { decodeTokens } from './session';
import { timeBinOfToken } from './times';
import { END_OF_TEXT, PKT } from './vocabulary';

/** What a layout needs of a frame. */
export type PiecePacket = Pick<Frame, 'data' | 'wireLen' | 'linkType'>;

/** The packets of one sequence, end to end in one array: millions of small objects would cost more than their bytes. */
export interface SequencePackets {
  readonly count: number;
  /** True: `data` holds the packets' tokens as they are in the data set, not their bytes. */
  readonly encoded: boolean;
  readonly data: Uint8Array;
  /** [count + 1]: packet i is data[at[i] .. at[i + 1]). */
  readonly at: Uint32Array;
  /** [count]; empty where `encoded`. */
  readonly wireLens: Uint32Array;
  readonly linkType: number;
  /** [count], with time tokens: bin of the gap before each packet. */
  readonly timeBins?: Uint16Array;
  /** Undefined where `encoded`. */
  readonly before?: PacketsBefore;
}

/** Bytes of packets that {@link PacketStore} holds: a few million packets. */
export const PACKET_STORE_BYTES = 256 * 2 ** 20;

/**
 * The packets of a data set's sequences, decoded from tokens.bin when first asked for and held; beyond `maxBytes` those
 * not used for longest go. With `decode` false, and a layout that keeps no state, packets stay as their tokens: pieces
 * are then copies, also of runs that are no packet.
 */
export class PacketStore {
  private readonly held = new Map<number, SequencePackets>();
  private bytes = 0;

  constructor(
    private readonly dataset: TokenDataset,
    private readonly decode: boolean,
    private readonly maxBytes = PACKET_STORE_BYTES,
  ) {}

  /** @throws NetssmError `sequence_undecodable` where tokens.bin holds what its layout refuses. */
  get(sequence: number): SequencePackets {
    let packets = this.held.get(sequence);
    if (packets) {
      // A map keeps the order of insertion: the first is the one not used for longest.
      this.held.delete(sequence);
      this.held.set(sequence, packets);
      return packets;
    }
    packets =
      this.decode || this.dataset.layout.stateful
        ? decodeSequence(this.dataset, sequence)
        : splitSequence(this.dataset, sequence);
    this.held.set(sequence, packets);
    this.bytes += size(packets);
    for (const [oldest, gone] of this.held) {
      if (this.bytes <= this.maxBytes || oldest === sequence) break;
      this.held.delete(oldest);
      this.bytes -= size(gone);
    }
    return packets;
  }
}

const size = ({ data, at, wireLens, timeBins, before }: SequencePackets) =>
  data.byteLength +
  at.byteLength +
  wireLens.byteLength +
  (timeBins?.byteLength ?? 0) +
  (before ? before.previous.byteLength + before.tcp.byteLength : 0);

function decodeSequence(dataset: TokenDataset, sequence: number): SequencePackets {
  const { linkType = LinkType.ETHERNET } = dataset.sequences[sequence];
  const decoded = decodeTokens(dataset.tokens(sequence), dataset.vocabulary, dataset.layout, { linkType });
  const { packets, refusals } = decoded;
  if (refusals.length > 0) {
    const [{ code, message, packet, token }] = refusals;
    throw new NetssmError(
      'sequence_undecodable',
      `${dataset.dir}: sequence ${sequence}, packet ${packet} (token ${token}): ${code}: ${message}`,
      { hint: 'tokens.bin is damaged, or another version wrote it: tokenize the captures again.' },
    );
  }
  const at = new Uint32Array(packets.length + 1);
  packets.forEach((p, i) => (at[i + 1] = at[i] + p.data.length));
  const data = new Uint8Array(at[packets.length]);
  packets.forEach((p, i) => data.set(p.data, at[i]));
  const wireLens = Uint32Array.from(packets, (p) => p.wireLen);
  // A packet that nothing precedes has no bin; 0 stands in its place.
  const timeBins = decoded.timeBins && Uint16Array.from(decoded.timeBins, (bin) => Math.max(0, bin));
  const before = packetsBefore(data, at, linkType);
  return { count: packets.length, encoded: false, data, at, wireLens, linkType, timeBins, before };
}

function splitSequence(dataset: TokenDataset, sequence: number): SequencePackets {
  const tokens = dataset.tokens(sequence);
  const data = new Uint8Array(tokens.length);
  const ends: number[] = [0];
  const { times } = dataset.vocabulary;
  const bins: number[] = [];
  let length = 0;
  for (let i = 1; i < tokens.length; i++) {
    if (tokens[i] < 256) data[length++] = tokens[i];
    const bin = timeBinOfToken(times, tokens[i]);
    if (bin !== undefined) bins[ends.length - 1] = bin;
    const closes = tokens[i] === PKT || tokens[i] === END_OF_TEXT || i === tokens.length - 1;
    if (closes && length > ends[ends.length - 1]) ends.push(length);
    if (tokens[i] === END_OF_TEXT) break;
  }
  return {
    count: ends.length - 1,
    encoded: true,
    data: data.slice(0, length),
    at: Uint32Array.from(ends),
    wireLens: new Uint32Array(0),
    linkType: LinkType.ETHERNET,
    timeBins: times && Uint16Array.from({ length: ends.length - 1 }, (_, i) => bins[i] ?? 0),
  };
}
