import { NO_BYTES, TCP } from './packetFields';
import type { PacketFields } from './packetFields';
import { PRESETS, sameTemplate } from './templates';
import type { Template } from './templates';

/*
 * What encoder and decoder remember of a sequence; both keep the same, empty at its start. Nothing is allocated before
 * it is needed, so a codec for a short piece costs next to nothing.
 */

/** Flows held, most recently used first. */
export const MAX_TCP_FLOWS = 80;
export const MAX_UDP_FLOWS = 32;
/** Addresses that have a slot; 255 in its place means "new". */
export const MAX_ENDPOINTS = 255;
/** Slots of option templates, presets included. */
export const MAX_TEMPLATES = 255;
/** Ends of unacknowledged segments that are remembered. */
export const MAX_QUEUE = 255;

/** Which of its predictions an IP id follows. */
export const enum IdMode {
  /** Same as the last one of this direction. */
  Same = 0,
  /** Last of this direction + step. */
  Direction = 1,
  /** Last of this source host + 1. */
  Host = 2,
}

/** What one side of a flow has sent last. */
export class Direction {
  /** A packet has been seen; nothing below means anything before. */
  known = false;
  link: Uint8Array = NO_BYTES;
  ttl = 0;
  tos = 0;
  frag = 0;
  ipOptions: Uint8Array = NO_BYTES;
  ipClass = 0;
  transportClass = 0;
  id = 0;
  idMode: IdMode = IdMode.Direction;
  idStep = 1;
  /** Greatest L, and the last one (TCP: the last that was not 0). */
  maxLength = 0;
  lastLength = 0;

  /** UDP: the last payload bytes; undefined before the first packet. */
  payload: Uint8Array | undefined = undefined;
  payloadLength = 0;

  window = 0;
  /** TCP sequence space; `max` is the end of the highest segment. */
  hasMax = false;
  max = 0;
  lastEnd = 0;
  lastSeq = 0;
  hasAck = false;
  lastAck = 0;
  /** Ends of segments that the peer has not acknowledged. */
  queue: number[] = [];
  hasTimestamp = false;
  tsValue = 0;
  tsEcho = 0;
  /** Left and right edges of the SACK blocks sent last. */
  sack: number[] = [];

  /** Forgets the sequence space: another connection on the same ports. */
  resetTcp(): void {
    this.hasMax = this.hasAck = this.hasTimestamp = false;
    this.max = this.lastEnd = this.lastSeq = this.lastAck = this.tsValue = this.tsEcho = 0;
    if (this.queue.length > 0) this.queue = [];
    if (this.sack.length > 0) this.sack = [];
  }
}

/** What is known of an address, whatever the flow. */
export class Host {
  /** Its slot was given to another address; see {@link RelativeState.hostOf}. */
  dropped = false;
  /** A packet from it has been seen. */
  known = false;
  ttl = 0;
  tos = 0;
  frag = 0;
  id = 0;
  idMode: IdMode = IdMode.Direction;
  ipClass = 0;
  transportClass = 0;
  /** Where its MAC address was seen last (Ethernet). */
  macLink: Uint8Array | undefined = undefined;
  macAt = 0;
  /** Link headers of the last packet from it and to it. */
  sent: Uint8Array | undefined = undefined;
  received: Uint8Array | undefined = undefined;

  constructor(readonly key: number | string) {}
}

/** A bidirectional five-tuple. Direction 0 comes from the client, side a. */
export class Flow {
  readonly version: number;
  readonly protocol: number;
  a0: number;
  a1: number;
  a2: number;
  a3: number;
  aPort: number;
  b0: number;
  b1: number;
  b2: number;
  b3: number;
  bPort: number;
  fromA = new Direction();
  fromB = new Direction();
  hostA: Host | undefined = undefined;
  hostB: Host | undefined = undefined;

  /** With the packet's sender as side a. */
  constructor(p: PacketFields) {
    this.version = p.version;
    this.protocol = p.protocol;
    this.a0 = p.s0;
    this.a1 = p.s1;
    this.a2 = p.s2;
    this.a3 = p.s3;
    this.aPort = p.sourcePort;
    this.b0 = p.d0;
    this.b1 = p.d1;
    this.b2 = p.d2;
    this.b3 = p.d3;
    this.bPort = p.destinationPort;
  }

  swapSides(): void {
    [this.a0, this.b0] = [this.b0, this.a0];
    [this.a1, this.b1] = [this.b1, this.a1];
    [this.a2, this.b2] = [this.b2, this.a2];
    [this.a3, this.b3] = [this.b3, this.a3];
    [this.aPort, this.bPort] = [this.bPort, this.aPort];
    [this.fromA, this.fromB] = [this.fromB, this.fromA];
    [this.hostA, this.hostB] = [this.hostB, this.hostA];
  }
}

/** Flows of one protocol, most recently used first. */
export class FlowList {
  readonly flows: Flow[] = [];

  constructor(private readonly capacity: number) {}

  /** 2 * rank + direction of the packet's flow; -1: none. */
  find(p: PacketFields): number {
    const { version, s0, d0, sourcePort, destinationPort } = p;
    for (let rank = 0; rank < this.flows.length; rank++) {
      const f = this.flows[rank];
      if (f.version !== version) continue;
      if (f.aPort === sourcePort && f.bPort === destinationPort && f.a0 === s0 && f.b0 === d0)
        if (version === 4 || sameRest(f, p, true)) return 2 * rank;
      if (f.bPort === sourcePort && f.aPort === destinationPort && f.b0 === s0 && f.a0 === d0)
        if (version === 4 || sameRest(f, p, false)) return 2 * rank + 1;
    }
    return -1;
  }

  /** Moves a flow to the front. */
  touch(rank: number): void {
    const { flows } = this;
    const flow = flows[rank];
    for (let i = rank; i > 0; i--) flows[i] = flows[i - 1];
    flows[0] = flow;
  }

  /** Puts a new flow to the front; a full list drops its last. */
  add(flow: Flow): void {
    const { flows } = this;
    if (flows.length < this.capacity) flows.push(flow);
    for (let i = flows.length - 1; i > 0; i--) flows[i] = flows[i - 1];
    flows[0] = flow;
  }
}

/** The other 96 bits of IPv6 addresses. */
function sameRest(f: Flow, p: PacketFields, forward: boolean): boolean {
  return forward
    ? f.a1 === p.s1 && f.a2 === p.s2 && f.a3 === p.s3 && f.b1 === p.d1 && f.b2 === p.d2 && f.b3 === p.d3
    : f.b1 === p.s1 && f.b2 === p.s2 && f.b3 === p.s3 && f.a1 === p.d1 && f.a2 === p.d2 && f.a3 === p.d3;
}

/** An IP address; `key` tells addresses apart, 4 bytes from 16 too. */
export interface Address {
  readonly version: number;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly key: number | string;
}

export function addressOf(version: number, w0: number, w1: number, w2: number, w3: number): Address {
  return { version, w0, w1, w2, w3, key: addressKey(version, w0, w1, w2, w3) };
}

function addressKey(version: number, w0: number, w1: number, w2: number, w3: number): number | string {
  return version === 4 ? w0 : `${w0},${w1},${w2},${w3}`;
}

export const sourceAddress = (p: PacketFields) => addressOf(p.version, p.s0, p.s1, p.s2, p.s3);
export const destinationAddress = (p: PacketFields) => addressOf(p.version, p.d0, p.d1, p.d2, p.d3);

/** Addresses in slots, in order of appearance; a full table reuses the slot that was named least recently. */
export class Endpoints {
  readonly slots: Address[] = [];
  private readonly slotOf = new Map<number | string, number>();
  private readonly usedAt: number[] = [];
  private clock = 0;

  /** The slot of an address; -1: none. */
  find(key: number | string): number {
    return this.slotOf.get(key) ?? -1;
  }

  /** The slot that a new address would get. */
  next(): number {
    if (this.slots.length < MAX_ENDPOINTS) return this.slots.length;
    let oldest = 0;
    for (let i = 1; i < this.usedAt.length; i++) if (this.usedAt[i] < this.usedAt[oldest]) oldest = i;
    return oldest;
  }

  /** Marks an address as used, in a slot of its own. Returns the address that lost its slot. */
  use(address: Address): Address | undefined {
    let slot = this.find(address.key);
    let lost: Address | undefined;
    if (slot < 0) {
      slot = this.next();
      lost = this.slots[slot];
      if (lost) this.slotOf.delete(lost.key);
      this.slots[slot] = address;
      this.slotOf.set(address.key, slot);
    }
    this.usedAt[slot] = ++this.clock;
    return lost;
  }
}

/** Everything that is remembered from packet to packet. */
export class RelativeState {
  readonly tcp = new FlowList(MAX_TCP_FLOWS);
  readonly udp = new FlowList(MAX_UDP_FLOWS);
  readonly endpoints = new Endpoints();
  private readonly hosts = new Map<number | string, Host>();
  /** Templates of slots 8 and up. */
  private readonly learnt: Template[] = [];

  flows(protocol: number): FlowList {
    return protocol === TCP ? this.tcp : this.udp;
  }

  host(key: number | string): Host | undefined {
    return this.hosts.get(key);
  }

  /** The host record of a flow's side: a record that was dropped with its slot is not used any more. */
  hostOf(host: Host | undefined): Host | undefined {
    return host?.dropped ? this.hosts.get(host.key) : host;
  }

  addHost(host: Host): Host {
    this.hosts.set(host.key, host);
    return host;
  }

  /** Gives an address a slot, or marks its slot as used. */
  useEndpoint(address: Address): void {
    const lost = this.endpoints.use(address);
    if (!lost) return;
    const host = this.hosts.get(lost.key);
    if (host) host.dropped = true;
    this.hosts.delete(lost.key);
  }

  template(slot: number): Template | undefined {
    return slot < PRESETS.length ? PRESETS[slot] : this.learnt[slot - PRESETS.length];
  }

  /** The slot of a template; -1: none. */
  templateSlot(template: Template): number {
    const preset = PRESETS.indexOf(template);
    if (preset >= 0) return preset;
    const { bytes } = template;
    for (let i = 0; i < this.learnt.length; i++)
      if (sameTemplate(this.learnt[i], bytes, bytes.length)) return PRESETS.length + i;
    for (let i = 0; i < PRESETS.length; i++) if (sameTemplate(PRESETS[i], bytes, bytes.length)) return i;
    return -1;
  }

  /** Gives a template the next slot, while there is one. */
  learnTemplate(template: Template): void {
    if (PRESETS.length + this.learnt.length < MAX_TEMPLATES) this.learnt.push(template);
  }
}
