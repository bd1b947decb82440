import type { Frame } from '../capture';
import { Fragment, HeaderBatch, Reassembler, TcpFlag, type Packet } from '../packets';
import { FragmentFlows } from './fragmentFlows';
import { SlotTable } from './slotTable';
import { TcpTracker, type TcpPhase } from './tcpState';

/** Bounds of a flow table. */
export interface FlowLimits {
  /** A flow that is silent for so long is over. None by default. */
  idleTimeoutSeconds?: number;
  /** Flows held at once; beyond it the one silent for longest is given out early. Unbounded by default. */
  maxFlows?: number;
}

/** What {@link FlowIndex} tells about a flow that is over: read the slot's columns before returning. */
export type OnFlowClosed = (slot: number) => void;

const TCP = 6;
const SYN_ACK = TcpFlag.SYN | TcpFlag.ACK;

/**
 * Assigns rows of a {@link HeaderBatch} to flows (bidirectional five-tuples, a new SYN opening a new flow) without an
 * object a packet. An open flow has a slot: its columns are typed arrays, indexed by slot, or by 2 slot + d for what is
 * counted by direction (d = 1: from the client). Slots are used again after `onClosed`.
 *
 * Fragments after the first, which have no ports, belong to the flow of the first.
 */
export class FlowIndex extends SlotTable {
  /** Rows that belong to no flow. */
  withoutTuple = 0;
  /** Flows given out because they were silent too long, and because there were too many. */
  timedOut = 0;
  evicted = 0;
  /** Flows opened so far. */
  opened = 0;
  /** Part of its connection's life that the last added row belongs to; undefined for UDP. */
  phase?: TcpPhase;

  private readonly segment = { flags: 0, sequenceNumber: 0, acknowledgmentNumber: 0, length: 0 };
  private readonly fragments = new FragmentFlows();
  private readonly reassembler = new Reassembler();
  private readonly together = new HeaderBatch(1);
  private readonly idleMicros: number;
  private readonly maxFlows: number;

  constructor(
    limits: FlowLimits = {},
    private readonly onClosed: OnFlowClosed = () => undefined,
  ) {
    super();
    this.idleMicros = (limits.idleTimeoutSeconds ?? Infinity) * 1e6;
    this.maxFlows = limits.maxFlows ?? Infinity;
  }

  /** Assigns all rows. */
  addBatch(batch: HeaderBatch): void {
    for (let row = 0; row < batch.length; row++) this.add(batch, row);
  }

  /**
   * Adds a frame to the batch and assigns its row. Datagrams whose transport header is itself spread over fragments are
   * put together for their ports.
   *
   * @param packet the decoded frame, if it is at hand.
   */
  addFrame(batch: HeaderBatch, frame: Frame, packet?: Packet): number {
    const row = batch.add(frame, packet);
    if (batch.fragment[row] === Fragment.WHOLE) return this.addWhole(batch, row);
    const slot = this.addFragment(batch, row);
    const whole = this.reassembler.add(frame, packet);
    return slot < 0 && whole !== undefined && whole !== 'pending'
      ? this.addTogether(batch, row, whole)
      : slot;
  }

  /** Assigns one row: fills `flow` and `fromClient`. Returns the flow's slot, or -1. */
  add(batch: HeaderBatch, row: number): number {
    if (batch.fragment[row] !== Fragment.WHOLE) return this.addFragment(batch, row);
    return this.addWhole(batch, row);
  }

  /** Ends all flows, the one silent for longest first. */
  finish(): void {
    while (this.oldest >= 0) this.close(this.oldest);
  }

  private addWhole(batch: HeaderBatch, row: number): number {
    if (batch.hasPorts[row] === 0) {
      this.withoutTuple++;
      return -1;
    }
    const now = batch.tsMicros[row];
    while (this.oldest >= 0 && now - this.endMicros[this.oldest] > this.idleMicros) {
      this.timedOut++;
      this.close(this.oldest);
    }
    const isTcp = batch.protocol[row] === TCP;
    const { segment } = this;
    if (isTcp) {
      segment.flags = batch.tcpFlags[row];
      segment.sequenceNumber = batch.sequenceNumber[row];
      segment.acknowledgmentNumber = batch.acknowledgmentNumber[row];
      segment.length = batch.payloadLength[row];
    }
    let slot = this.find(batch, row);
    let fromClient = slot >= 0 && this.isFromClient(slot, batch, row);
    if (slot >= 0 && isTcp && this.trackers[slot]!.isNewConnection(segment, fromClient)) {
      this.close(slot);
      slot = -1;
    }
    if (slot < 0) {
      // A SYN-ACK answers the client.
      fromClient = !(isTcp && (segment.flags & SYN_ACK) === SYN_ACK);
      slot = this.open(batch, row, fromClient, this.opened++);
      if (isTcp) this.trackers[slot] = new TcpTracker();
    } else this.touch(slot);
    this.count(slot, fromClient ? 1 : 0, batch, row);
    this.phase = undefined;
    if (isTcp) {
      const length = segment.length + (segment.flags & TcpFlag.SYN ? 1 : 0);
      this.countTcp(slot, fromClient ? 1 : 0, segment.flags, segment.sequenceNumber, length, segment.length);
      this.phase = this.trackers[slot]!.add(segment, fromClient);
    }
    if (this.size > this.maxFlows) {
      this.evicted++;
      this.close(this.oldest);
    }
    return slot;
  }

  private addFragment(batch: HeaderBatch, row: number): number {
    const first = batch.fragment[row] === Fragment.FIRST;
    if (first && batch.hasPorts[row] === 1) {
      const slot = this.addWhole(batch, row);
      for (const waiting of this.fragments.opened(batch, row, this.ids[slot], slot)) {
        this.withoutTuple--;
        this.countLater(slot, batch.fromClient[row], waiting.tsMicros, waiting.wireLen, waiting.length);
      }
      return slot;
    }
    const known = this.fragments.find(batch, row);
    // The flow may be over, and its slot another's.
    if (!known || this.ids[known.slot] !== known.flow) {
      this.withoutTuple++;
      this.fragments.wait(batch, row);
      return -1;
    }
    const { slot, fromClient } = known;
    this.touch(slot);
    this.countLater(slot, fromClient, batch.tsMicros[row], batch.wireLen[row], batch.payloadLength[row]);
    batch.flow[row] = known.flow;
    batch.fromClient[row] = fromClient;
    this.phase = batch.protocol[row] === TCP ? 'data' : undefined;
    return slot;
  }

  /** The last missing fragment of a datagram whose ports no single fragment shows. */
  private addTogether(batch: HeaderBatch, row: number, whole: Frame): number {
    const { together } = this;
    together.clear();
    together.add({ ...whole, wireLen: Math.max(whole.wireLen, whole.data.length) });
    if (together.hasPorts[0] === 0) return -1;
    together.wireLen[0] = batch.wireLen[row];
    const slot = this.addWhole(together, 0);
    batch.flow[row] = together.flow[0];
    batch.fromClient[row] = together.fromClient[0];
    // This fragment is waiting too, and has just been counted.
    this.withoutTuple--;
    for (const waiting of this.fragments.opened(batch, row, this.ids[slot], slot).slice(0, -1)) {
      this.withoutTuple--;
      this.countLater(slot, batch.fromClient[row], waiting.tsMicros, waiting.wireLen, 0);
    }
    this.endMicros[slot] = batch.tsMicros[row];
    return slot;
  }

  private close(slot: number): void {
    this.onClosed(slot);
    this.release(slot);
  }
}
