import type { Context } from './context';
import { takeAddresses } from './context';
import type { ByteReader, ByteWriter } from './numbers';
import { TCP, UDP } from './packetFields';
import { addressOf, destinationAddress, sourceAddress } from './state';
import type { Address, RelativeState } from './state';

/*
 * The first bytes of a packet: which flow it belongs to. A known flow takes one byte, its place in its list and the
 * direction; a new one gives kind, addresses and ports (the service's port first: it says the most about the rest).
 */

/** Heads: 0-159 a TCP flow, 160-223 a UDP flow, the rest as follows; 224-253 are reserved. */
const UDP_HEADS = 160;
const RESERVED_HEADS = 224;
export const NEW_FLOW = 254;
export const RAW = 255;

/** In place of an endpoint's slot: the address follows. */
const NEW_ENDPOINT = 255;

/** First bytes that no packet of a model should have: reserved ones, and the escape for irregular packets. */
export const FORBIDDEN_HEADS: readonly number[] = [
  ...Array.from({ length: NEW_FLOW - RESERVED_HEADS }, (_, i) => RESERVED_HEADS + i),
  RAW,
];

/** Writes head, addresses and ports of `c.p`, and finds its flow. */
export function writeFlow(c: Context, out: ByteWriter): void {
  const { p, state } = c;
  const list = state.flows(p.protocol);
  const hit = list.find(p);
  if (hit >= 0) {
    out.u8(p.protocol === UDP ? hit + UDP_HEADS : hit);
    c.enter(list.flows[hit >> 1], hit >> 1, hit & 1);
    return;
  }
  out.u8(NEW_FLOW);
  out.u8((p.version === 6 ? 2 : 0) + (p.protocol === UDP ? 1 : 0));
  const source = sourceAddress(p);
  const destination = destinationAddress(p);
  const { endpoints } = state;
  const sourceSlot = endpoints.find(source.key);
  writeEndpoint(out, source, sourceSlot);
  const taken = sourceSlot < 0 ? endpoints.next() : -1;
  let slot = endpoints.find(destination.key);
  const lost = slot >= 0 && slot === taken;
  if (lost) slot = -1;
  if (taken >= 0 && destination.key === source.key) slot = taken;
  writeEndpoint(out, destination, slot);
  out.u16(p.destinationPort);
  out.u16(p.sourcePort);
  c.enterNew(source, destination, lost);
}

function writeEndpoint(out: ByteWriter, address: Address, slot: number): void {
  if (slot >= 0) {
    out.u8(slot);
    return;
  }
  out.u8(NEW_ENDPOINT);
  out.u32(address.w0);
  if (address.version === 4) return;
  out.u32(address.w1);
  out.u32(address.w2);
  out.u32(address.w3);
}

/** Reads head, addresses and ports into `c.p`. The head is neither RAW nor missing. */
export function readFlow(c: Context, from: ByteReader): void {
  const { p, state } = c;
  const head = from.u8();
  if (head < RESERVED_HEADS) {
    const isUdp = head >= UDP_HEADS;
    const at = isUdp ? head - UDP_HEADS : head;
    const { flows } = isUdp ? state.udp : state.tcp;
    if (at >> 1 >= flows.length) {
      const message = `${isUdp ? 'UDP' : 'TCP'} flow ${at >> 1}, but there are ${flows.length}`;
      from.refuse('flow_unknown', message);
      return;
    }
    takeAddresses(p, flows[at >> 1], at & 1);
    c.enter(flows[at >> 1], at >> 1, at & 1);
  } else if (head === NEW_FLOW) {
    readNewFlow(c, from);
  } else {
    from.refuse('head_reserved', `no packet begins with ${head}`);
  }
}

function readNewFlow(c: Context, from: ByteReader): void {
  const { p, state } = c;
  const kind = from.u8();
  if (kind > 3) from.refuse('kind_unknown', `kind ${kind} is none of 0 to 3`);
  p.version = kind & 2 ? 6 : 4;
  p.protocol = kind & 1 ? UDP : TCP;
  const source = readEndpoint(from, p.version, state, -1, undefined);
  if (!source) return;
  const { endpoints } = state;
  const taken = endpoints.find(source.key) < 0 ? endpoints.next() : -1;
  const destination = readEndpoint(from, p.version, state, taken, source);
  if (!destination) return;
  const at = from.at;
  p.destinationPort = from.u16();
  p.sourcePort = from.u16();
  [p.s0, p.s1, p.s2, p.s3] = [source.w0, source.w1, source.w2, source.w3];
  [p.d0, p.d1, p.d2, p.d3] = [destination.w0, destination.w1, destination.w2, destination.w3];
  if (!from.failed && state.flows(p.protocol).find(p) >= 0)
    from.refuse('flow_exists', 'a new flow with addresses and ports of one that is known', at);
  const lost = taken >= 0 && endpoints.find(destination.key) === taken;
  if (!from.failed) c.enterNew(source, destination, lost);
}

/** @param taken the slot that `source` takes; -1: it has one. */
function readEndpoint(
  from: ByteReader,
  version: number,
  state: RelativeState,
  taken: number,
  source: Address | undefined,
): Address | undefined {
  const slot = from.u8();
  if (slot === NEW_ENDPOINT) {
    const w0 = from.u32();
    if (version === 4) return from.failed ? undefined : addressOf(4, w0, 0, 0, 0);
    const [w1, w2, w3] = [from.u32(), from.u32(), from.u32()];
    return from.failed ? undefined : addressOf(6, w0, w1, w2, w3);
  }
  const address = slot === taken ? source : state.endpoints.slots[slot];
  if (from.failed) return undefined;
  if (!address) {
    from.refuse('endpoint_unknown', `address slot ${slot} is empty`);
  } else if (address.version !== version) {
    from.refuse('endpoint_version', `address slot ${slot} is IPv${address.version}, the flow IPv${version}`);
    return undefined;
  }
  return address;
}
