import type { HeaderBatch } from '../packets';
import type { TcpTracker } from './tcpState';

const FIRST_CAPACITY = 1024;

/**
 * The memory of {@link FlowIndex}: one slot an open flow, found by an open-addressing hash table over the typed
 * arrays that hold the keys (all words are compared, so that no two flows are ever taken for one), and linked in order
 * of their last packet. Grows by doubling; what was closed is used again.
 */
export abstract class SlotTable {
  /** Flows under way. */
  size = 0;
  /** The open flow that has been silent for longest; -1: none. */
  protected oldest = -1;
  private newest = -1;

  /** Number of the flow in the slot; -1: the slot is free. */
  ids: Float64Array = new Float64Array(0);
  protocol: Uint8Array = new Uint8Array(0);
  ipVersion: Uint8Array = new Uint8Array(0);
  /** Four words an address, as in {@link HeaderBatch}. */
  clientAddress: Uint32Array = new Uint32Array(0);
  serverAddress: Uint32Array = new Uint32Array(0);
  clientPort: Uint16Array = new Uint16Array(0);
  serverPort: Uint16Array = new Uint16Array(0);
  startMicros: Float64Array = new Float64Array(0);
  endMicros: Float64Array = new Float64Array(0);
  /** By direction: index 2 slot + d, d = 1 from the client. */
  packets: Uint32Array = new Uint32Array(0);
  wireBytes: Float64Array = new Float64Array(0);
  payloadBytes: Float64Array = new Float64Array(0);
  /** All flags seen, by direction. */
  flagsSeen: Uint8Array = new Uint8Array(0);
  /** Segments with data that ended no later than data seen before, by direction. */
  retransmissions: Uint32Array = new Uint32Array(0);
  trackers: (TcpTracker | undefined)[] = [];

  /** The highest end of a segment seen, by direction; valid once `packets` is above 0. */
  private highest: Uint32Array = new Uint32Array(0);
  private sawSegment: Uint8Array = new Uint8Array(0);
  private hashes: Int32Array = new Int32Array(0);
  private before: Int32Array = new Int32Array(0);
  private after: Int32Array = new Int32Array(0);
  private table: Int32Array = new Int32Array(0);
  private mask = 0;
  private capacity = 0;
  /** Head of the list of free slots, which are linked through `after`. */
  private free = -1;
  private lastHash = 0;

  constructor() {
    this.grow(FIRST_CAPACITY);
  }

  /** Slot of the row's five-tuple, in either direction; -1: none is open. */
  protected find(batch: HeaderBatch, row: number): number {
    const hash = hashRow(batch, row);
    this.lastHash = hash;
    for (let i = hash & this.mask; ; i = (i + 1) & this.mask) {
      const slot = this.table[i];
      if (slot < 0) return -1;
      if (this.hashes[slot] === hash && this.matches(slot, batch, row)) return slot;
    }
  }

  /** Is the row's source the client of the flow, which is known to be the row's? */
  protected isFromClient(slot: number, batch: HeaderBatch, row: number): boolean {
    return (
      this.clientPort[slot] === batch.sourcePort[row] &&
      sameWords(this.clientAddress, slot, batch.source, row, batch.ipVersion[row])
    );
  }

  /** A slot for the tuple that {@link find} has just not found. */
  protected open(batch: HeaderBatch, row: number, fromClient: boolean, id: number): number {
    if (this.free < 0) this.grow(this.capacity * 2);
    const slot = this.free;
    this.free = this.after[slot];
    this.ids[slot] = id;
    this.protocol[slot] = batch.protocol[row];
    this.ipVersion[slot] = batch.ipVersion[row];
    const { source, destination, sourcePort, destinationPort } = batch;
    const [client, server] = fromClient ? [source, destination] : [destination, source];
    for (let i = 0; i < 4; i++) {
      this.clientAddress[4 * slot + i] = client[4 * row + i];
      this.serverAddress[4 * slot + i] = server[4 * row + i];
    }
    this.clientPort[slot] = fromClient ? sourcePort[row] : destinationPort[row];
    this.serverPort[slot] = fromClient ? destinationPort[row] : sourcePort[row];
    this.startMicros[slot] = batch.tsMicros[row];
    for (let d = 2 * slot; d < 2 * slot + 2; d++) {
      this.packets[d] = this.wireBytes[d] = this.payloadBytes[d] = 0;
      this.flagsSeen[d] = this.retransmissions[d] = this.sawSegment[d] = 0;
    }
    this.hashes[slot] = this.lastHash;
    this.insert(slot);
    this.append(slot);
    this.size++;
    return slot;
  }

  /** Makes the flow the one heard of last. */
  protected touch(slot: number): void {
    if (slot === this.newest) return;
    this.unlink(slot);
    this.append(slot);
  }

  protected count(slot: number, direction: number, batch: HeaderBatch, row: number): void {
    batch.flow[row] = this.ids[slot];
    batch.fromClient[row] = direction;
    this.countLater(slot, direction, batch.tsMicros[row], batch.wireLen[row], batch.payloadLength[row]);
  }

  protected countLater(
    slot: number,
    direction: number,
    tsMicros: number,
    wire: number,
    payload: number,
  ): void {
    const d = 2 * slot + direction;
    this.packets[d]++;
    this.wireBytes[d] += wire;
    this.payloadBytes[d] += payload;
    this.endMicros[slot] = tsMicros;
  }

  protected countTcp(
    slot: number,
    direction: number,
    flags: number,
    sequence: number,
    length: number,
    payload: number,
  ): void {
    const d = 2 * slot + direction;
    this.flagsSeen[d] |= flags;
    const end = (sequence + length) >>> 0;
    const advances = this.sawSegment[d] === 0 || ((end - this.highest[d]) | 0) > 0;
    if (advances) this.highest[d] = end;
    else if (payload > 0) this.retransmissions[d]++;
    this.sawSegment[d] = 1;
  }

  /** Gives the slot back. */
  protected release(slot: number): void {
    this.remove(slot);
    this.unlink(slot);
    this.ids[slot] = -1;
    this.trackers[slot] = undefined;
    this.after[slot] = this.free;
    this.free = slot;
    this.size--;
  }

  private matches(slot: number, batch: HeaderBatch, row: number): boolean {
    const version = batch.ipVersion[row];
    if (this.protocol[slot] !== batch.protocol[row] || this.ipVersion[slot] !== version) return false;
    const { clientPort, serverPort, clientAddress, serverAddress } = this;
    const { source, destination } = batch;
    const sourcePort = batch.sourcePort[row];
    const destinationPort = batch.destinationPort[row];
    return (
      (clientPort[slot] === sourcePort &&
        serverPort[slot] === destinationPort &&
        sameWords(clientAddress, slot, source, row, version) &&
        sameWords(serverAddress, slot, destination, row, version)) ||
      (clientPort[slot] === destinationPort &&
        serverPort[slot] === sourcePort &&
        sameWords(clientAddress, slot, destination, row, version) &&
        sameWords(serverAddress, slot, source, row, version))
    );
  }

  private insert(slot: number): void {
    let i = this.hashes[slot] & this.mask;
    while (this.table[i] >= 0) i = (i + 1) & this.mask;
    this.table[i] = slot;
  }

  /** Linear probing leaves no marks behind: what follows the gap and may fill it moves up (Knuth, vol. 3, 6.4 R). */
  private remove(slot: number): void {
    const { table, mask, hashes } = this;
    let gap = hashes[slot] & mask;
    while (table[gap] !== slot) gap = (gap + 1) & mask;
    for (let i = (gap + 1) & mask; table[i] >= 0; i = (i + 1) & mask) {
      const home = hashes[table[i]] & mask;
      if (((i - home) & mask) < ((i - gap) & mask)) continue;
      table[gap] = table[i];
      gap = i;
    }
    table[gap] = -1;
  }

  private append(slot: number): void {
    this.before[slot] = this.newest;
    this.after[slot] = -1;
    if (this.newest >= 0) this.after[this.newest] = slot;
    else this.oldest = slot;
    this.newest = slot;
  }

  private unlink(slot: number): void {
    const [previous, next] = [this.before[slot], this.after[slot]];
    if (previous >= 0) this.after[previous] = next;
    else this.oldest = next;
    if (next >= 0) this.before[next] = previous;
    else this.newest = previous;
  }

  private grow(capacity: number): void {
    const from = this.capacity;
    this.capacity = capacity;
    this.ids = grown(this.ids, Float64Array, capacity);
    this.protocol = grown(this.protocol, Uint8Array, capacity);
    this.ipVersion = grown(this.ipVersion, Uint8Array, capacity);
    this.clientAddress = grown(this.clientAddress, Uint32Array, 4 * capacity);
    this.serverAddress = grown(this.serverAddress, Uint32Array, 4 * capacity);
    this.clientPort = grown(this.clientPort, Uint16Array, capacity);
    this.serverPort = grown(this.serverPort, Uint16Array, capacity);
    this.startMicros = grown(this.startMicros, Float64Array, capacity);
    this.endMicros = grown(this.endMicros, Float64Array, capacity);
    this.packets = grown(this.packets, Uint32Array, 2 * capacity);
    this.wireBytes = grown(this.wireBytes, Float64Array, 2 * capacity);
    this.payloadBytes = grown(this.payloadBytes, Float64Array, 2 * capacity);
    this.flagsSeen = grown(this.flagsSeen, Uint8Array, 2 * capacity);
    this.retransmissions = grown(this.retransmissions, Uint32Array, 2 * capacity);
    this.highest = grown(this.highest, Uint32Array, 2 * capacity);
    this.sawSegment = grown(this.sawSegment, Uint8Array, 2 * capacity);
    this.hashes = grown(this.hashes, Int32Array, capacity);
    this.before = grown(this.before, Int32Array, capacity);
    this.after = grown(this.after, Int32Array, capacity);
    for (let slot = capacity - 1; slot >= from; slot--) {
      this.ids[slot] = -1;
      this.after[slot] = this.free;
      this.free = slot;
    }
    // Half full at most.
    this.table = new Int32Array(2 * capacity).fill(-1);
    this.mask = 2 * capacity - 1;
    for (let slot = 0; slot < from; slot++) if (this.ids[slot] >= 0) this.insert(slot);
  }
}

function grown<T extends { set(from: T): void }>(old: T, make: new (n: number) => T, length: number): T {
  const array = new make(length);
  array.set(old);
  return array;
}

function sameWords(a: Uint32Array, i: number, b: Uint32Array, j: number, version: number): boolean {
  const x = 4 * i;
  const y = 4 * j;
  if (a[x] !== b[y]) return false;
  return version === 4 || (a[x + 1] === b[y + 1] && a[x + 2] === b[y + 2] && a[x + 3] === b[y + 3]);
}

/** The same for both directions: the ends' hashes are added. */
function hashRow(batch: HeaderBatch, row: number): number {
  const v6 = batch.ipVersion[row] === 6;
  const a = hashEnd(batch.source, 4 * row, batch.sourcePort[row], v6);
  const b = hashEnd(batch.destination, 4 * row, batch.destinationPort[row], v6);
  return mix((a + b) | 0, batch.protocol[row]);
}

function hashEnd(words: Uint32Array, at: number, port: number, v6: boolean): number {
  let h = mix(port, words[at]);
  if (v6) h = mix(mix(mix(h, words[at + 1]), words[at + 2]), words[at + 3]);
  return h;
}

/** The finaliser of MurmurHash3 (Appleby, public domain) over a running hash and a word. */
function mix(hash: number, word: number): number {
  let h = Math.imul(hash, 0x9e3779b1) ^ word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
