import { IpClass, TransportClass } from './build';
import type { Field } from './field';
import { isRawIp } from '../linkTypes';
import { ACK, NO_BYTES, PacketFields, SYN } from './packetFields';
import { Direction, Flow, Host, IdMode } from './state';
import type { Address, RelativeState } from './state';

/**
 * One packet under way: its fields, the records of its flow, and what these predict. One is used again and again; it
 * changes no state before {@link Context.commit}.
 */
export class Context {
  readonly p = new PacketFields();
  flow!: Flow;
  /** Place in its list; -1: a new flow. */
  rank = -1;
  /** The direction record of the packet's sender, and the other one. */
  own!: Direction;
  peer!: Direction;
  source!: Host;
  destination: Host | undefined;
  /** The addresses of a new flow. */
  private newSource!: Address;
  private newDestination!: Address;
  private sourceIsFresh = false;
  private fromA = true;

  /** What the packet's own tokens announce. */
  mask = 0;
  xmask = 0;

  /** Predictions, by the fields of the same name. */
  hasExpectedSeq = false;
  expectedSeq = 0;
  expectedId = 0;
  idMode: IdMode = IdMode.Direction;
  expectedTtl = 0;
  expectedTos = 0;
  expectedFrag = 0;
  expectedIpClass: IpClass = IpClass.Right;
  expectedIpOptions: Uint8Array = NO_BYTES;
  expectedTransportClass: TransportClass = TransportClass.Right;

  /** How this packet's checksums are written. */
  ipClass: IpClass = IpClass.Right;
  transportClass: TransportClass = TransportClass.Right;
  /** Slot of the option template; -1: new. */
  templateSlot = 0;

  /** Raw IP: no link header at all. */
  readonly hasNoLink: boolean;

  constructor(
    readonly state: RelativeState,
    readonly linkType: number,
  ) {
    this.hasNoLink = isRawIp(linkType);
  }

  /** A packet of a known flow. */
  enter(flow: Flow, rank: number, direction: number): void {
    this.flow = flow;
    this.rank = rank;
    this.fromA = direction === 0;
    const { state } = this;
    let key: Host | undefined;
    if (this.fromA) {
      this.own = flow.fromA;
      this.peer = flow.fromB;
      key = flow.hostA;
      this.destination = state.hostOf(flow.hostB);
    } else {
      this.own = flow.fromB;
      this.peer = flow.fromA;
      key = flow.hostB;
      this.destination = state.hostOf(flow.hostA);
    }
    this.setSource(state.hostOf(key), key?.key ?? '');
  }

  /**
   * The first packet of a flow.
   * @param destinationLost whether the destination's slot is the one that the source takes.
   */
  enterNew(source: Address, destination: Address, destinationLost: boolean): void {
    this.flow = new Flow(this.p);
    this.rank = -1;
    this.fromA = true;
    this.own = this.flow.fromA;
    this.peer = this.flow.fromB;
    this.newSource = source;
    this.newDestination = destination;
    this.setSource(this.state.host(source.key), source.key);
    this.destination = destinationLost ? undefined : this.state.host(destination.key);
  }

  private setSource(host: Host | undefined, key: number | string): void {
    this.sourceIsFresh = host === undefined;
    this.source = host ?? new Host(key);
  }

  /** Remembers the packet: the one place where the state changes. */
  commit(fields: readonly Field[]): void {
    const { state, flow, source, p } = this;
    if (this.rank < 0) {
      state.useEndpoint(this.newSource);
      state.useEndpoint(this.newDestination);
    }
    if (this.sourceIsFresh) state.addHost(source);
    if (!this.destination) {
      const other = this.fromA ? flow.hostB : flow.hostA;
      const key = other ? other.key : this.newDestination.key;
      this.destination = state.host(key) ?? state.addHost(new Host(key));
    }
    if (this.fromA) {
      flow.hostA = source;
      flow.hostB = this.destination;
    } else {
      flow.hostB = source;
      flow.hostA = this.destination;
    }
    for (const field of fields) field.update?.(this);
    this.own.known = source.known = true;
    const list = state.flows(p.protocol);
    if (this.rank >= 0) {
      list.touch(this.rank);
      return;
    }
    if (!senderIsClient(p)) flow.swapSides();
    list.add(flow);
  }

  get first(): boolean {
    return !this.own.known;
  }
}

/** The client of a new flow: who sends SYN, or receives SYN+ACK; else the larger port; else the sender. */
function senderIsClient(p: PacketFields): boolean {
  if (p.flags & SYN) return (p.flags & ACK) === 0;
  return p.sourcePort >= p.destinationPort;
}

/** Fills in addresses and ports of a packet of a known flow (decoding). */
export function takeAddresses(p: PacketFields, f: Flow, direction: number): void {
  p.version = f.version;
  p.protocol = f.protocol;
  if (direction === 0) {
    [p.s0, p.s1, p.s2, p.s3, p.sourcePort] = [f.a0, f.a1, f.a2, f.a3, f.aPort];
    [p.d0, p.d1, p.d2, p.d3, p.destinationPort] = [f.b0, f.b1, f.b2, f.b3, f.bPort];
  } else {
    [p.s0, p.s1, p.s2, p.s3, p.sourcePort] = [f.b0, f.b1, f.b2, f.b3, f.bPort];
    [p.d0, p.d1, p.d2, p.d3, p.destinationPort] = [f.a0, f.a1, f.a2, f.a3, f.aPort];
  }
}
