import type { Frame } from '../capture/frame';
import { internetChecksum } from './checksum';
import { decodeFrame } from './decode';
import { setBits } from './fields';
import { Ipv4Flag, IPV4_FIELDS, type Ipv4Fields } from './ipv4';
import type { Ipv6FragmentFields } from './ipv6Extensions';
import { IPV6_FIELDS, IPV6_HEADER_BYTES, type Ipv6Fields } from './ipv6';
import type { Layer, Packet } from './packet';

/** Bounds of a {@link Reassembler}. */
export interface ReassemblerOptions {
  /** Datagrams held incomplete at once; beyond it the oldest is given up. 1024 by default. */
  maxDatagrams?: number;
  /** Bytes of fragments held at once; beyond it the oldest datagram is given up. 16 MiB by default. */
  maxBytes?: number;
  /** Time after a datagram's first fragment at which it is given up. 30 seconds by default, as Linux has it. */
  timeoutMicros?: number;
}

/** What a {@link Reassembler} has seen. */
export interface ReassemblyCounts {
  /** Fragments, of whatever became of them. */
  fragments: number;
  /** Datagrams put together. */
  completed: number;
  /** Datagrams given up: too old, and too many or too large. */
  timedOut: number;
  evicted: number;
  /** Datagrams given up because two of their fragments overlap without being the same range. */
  overlapping: number;
  /** Fragments whose range was there already, left out. */
  duplicates: number;
  /** Fragments that cannot be: not a multiple of 8 bytes before the last, beyond 65,535 bytes, beyond the end. */
  malformed: number;
}

/** A fragment: which datagram, which bytes of it, and a copy of those that were captured. */
interface Fragment {
  readonly key: string;
  /** Range in the datagram's data, in bytes. */
  readonly start: number;
  readonly end: number;
  readonly more: boolean;
  readonly data: Uint8Array;
  /** Of the first fragment only. */
  readonly head?: Head;
}

/** The headers of a datagram, as they are without fragmentation. */
interface Head {
  readonly bytes: Uint8Array;
  readonly ipAt: number;
  readonly version: 4 | 6;
  readonly linkType: number;
}

interface Datagram {
  readonly startMicros: number;
  readonly fragments: Fragment[];
  bytes: number;
  /** Length of the data, when the last fragment is there. */
  length?: number;
  /** Given up: what still comes is dropped until the time is over. */
  discarded: boolean;
}

const MAX_IP_BYTES = 65_535;

/** What a held fragment costs beside its data, headers included, about. */
const FRAGMENT_OVERHEAD_BYTES = 512;

/**
 * Puts IPv4 and IPv6 fragments together (RFC 791 section 3.2, RFC 8200 section 4.5) while frames stream by, in
 * bounded memory.
 *
 * Overlaps: a fragment with exactly the range of an earlier one is a duplicate and left out; any other overlap
 * discards the whole datagram and what still comes of it (RFC 5722, for IPv4 as well, as Linux does), since there is
 * no telling which bytes the receiver believed. Everything that is given up is counted.
 *
 * Fragments cut by the capture count with their length on the wire: the result then holds the bytes up to the first
 * gap, and its `wireLen` is the datagram's.
 */
export class Reassembler {
  readonly counts: ReassemblyCounts = {
    fragments: 0,
    completed: 0,
    timedOut: 0,
    evicted: 0,
    overlapping: 0,
    duplicates: 0,
    malformed: 0,
  };

  private readonly maxDatagrams: number;
  private readonly maxBytes: number;
  private readonly timeoutMicros: number;
  /** In order of the first fragment, so that the oldest is at the front. */
  private readonly open = new Map<string, Datagram>();
  private bytes = 0;

  constructor(options: ReassemblerOptions = {}) {
    this.maxDatagrams = options.maxDatagrams ?? 1024;
    this.maxBytes = options.maxBytes ?? 2 ** 24;
    this.timeoutMicros = options.timeoutMicros ?? 30e6;
  }

  /** Datagrams that wait for more fragments. */
  get pending(): number {
    return this.open.size;
  }

  /**
   * Takes the next frame.
   *
   * @param packet the decoded frame, if it is at hand.
   * @returns undefined: not a fragment, use the frame as it is. `'pending'`: a fragment, kept or dropped (see
   *   {@link counts}). A frame: the datagram that this fragment completes, with the time of this fragment and the
   *   link header of the first; a datagram inside a tunnel comes as raw IP (link type 101), without the tunnel.
   */
  add(frame: Frame, packet?: Packet): Frame | 'pending' | undefined {
    if (!packet && isPlainlyWhole(frame)) return undefined;
    const fragment = findFragment(frame, packet ?? decodeFrame(frame));
    if (fragment === undefined) return undefined;
    this.counts.fragments++;
    this.expire(frame.tsMicros);
    if (fragment === 'malformed') {
      this.counts.malformed++;
      return 'pending';
    }
    const datagram = this.take(fragment, frame.tsMicros);
    if (!datagram) return 'pending';
    const whole = assemble(datagram.fragments, datagram.length!, frame);
    this.counts.completed++;
    // A fragment may have carried fragments of a packet inside a tunnel.
    return this.add(whole) ?? whole;
  }

  /** Gives up what still waits, and tells how many datagrams that were. */
  finish(): number {
    const incomplete = [...this.open.values()].filter(({ discarded }) => !discarded).length;
    this.open.clear();
    this.bytes = 0;
    return incomplete;
  }

  /** Files a fragment; the datagram, when it is complete. */
  private take(fragment: Fragment, nowMicros: number): Datagram | undefined {
    const { key, start, end, more } = fragment;
    let datagram = this.open.get(key);
    if (!datagram) {
      datagram = { startMicros: nowMicros, fragments: [], bytes: 0, discarded: false };
      this.open.set(key, datagram);
    }
    if (datagram.discarded) return undefined;
    const { fragments } = datagram;
    if (fragments.some((other) => other.start === start && other.end === end && other.more === more)) {
      this.counts.duplicates++;
      return undefined;
    }
    if (fragments.some((other) => start < other.end && other.start < end)) {
      this.counts.overlapping++;
      this.discard(datagram);
      return undefined;
    }
    const length = more ? datagram.length : end;
    const beyond = length !== undefined && fragments.some((other) => other.end > length);
    if (beyond || (length !== undefined && end > length) || (!more && datagram.length !== undefined)) {
      this.counts.malformed++;
      this.discard(datagram);
      return undefined;
    }
    datagram.length = length;
    fragments.push(fragment);
    const bytes = FRAGMENT_OVERHEAD_BYTES + fragment.data.length;
    datagram.bytes += bytes;
    this.bytes += bytes;
    let there = 0;
    for (const other of fragments) there += other.end - other.start;
    if (there === length) {
      this.forget(key, datagram);
      return datagram;
    }
    while (this.open.size > this.maxDatagrams || this.bytes > this.maxBytes) {
      const [oldest, victim] = this.open.entries().next().value!;
      if (!victim.discarded) this.counts.evicted++;
      this.forget(oldest, victim);
    }
    return undefined;
  }

  private expire(nowMicros: number): void {
    for (const [key, datagram] of this.open) {
      if (nowMicros - datagram.startMicros <= this.timeoutMicros) return;
      if (!datagram.discarded) this.counts.timedOut++;
      this.forget(key, datagram);
    }
  }

  private discard(datagram: Datagram): void {
    datagram.discarded = true;
    datagram.fragments.length = 0;
    this.bytes -= datagram.bytes;
    datagram.bytes = 0;
  }

  private forget(key: string, datagram: Datagram): void {
    this.open.delete(key);
    this.bytes -= datagram.bytes;
  }
}

/** Most frames are TCP over IPv4 or IPv6 over Ethernet without a fragment; they need no decoding to be told. */
function isPlainlyWhole({ data, linkType }: Frame): boolean {
  if (linkType !== 1 || data.length < 34) return false;
  if (data[12] === 0x08 && data[13] === 0) {
    return data[14] >> 4 === 4 && data[23] === 6 && (data[20] & 0x3f) === 0 && data[21] === 0;
  }
  return data[12] === 0x86 && data[13] === 0xdd && data[14] >> 4 === 6 && data[20] === 6;
}

/** The outermost fragment in a packet: what is inside it cannot be whole either. */
function findFragment(frame: Frame, packet: Packet): Fragment | 'malformed' | undefined {
  const { layers } = packet;
  for (let i = 0; i < layers.length; i++) {
    const layer = layers[i];
    if (layer.protocol === 'ipv4') {
      const f = layer.fields as Ipv4Fields;
      const more = (f.flags & Ipv4Flag.MORE_FRAGMENTS) !== 0;
      if (f.fragmentOffset === 0 && !more) continue;
      const id = `${f.source} ${f.destination} ${f.identification} ${f.protocol}`;
      const length = f.totalLength - layer.length;
      const place = { id, ip: i, last: i, start: f.fragmentOffset * 8, length, more };
      return newFragment(frame, layers, place);
    }
    if (layer.protocol === 'ipv6_fragment') {
      const f = layer.fields as Ipv6FragmentFields;
      const more = f.moreFragments === 1;
      if (f.fragmentOffset === 0 && !more) continue;
      let ip = i - 1;
      while (layers[ip].protocol !== 'ipv6') ip--;
      const { source, destination, payloadLength } = layers[ip].fields as Ipv6Fields;
      const id = `${source} ${destination} ${f.identification}`;
      const length = layers[ip].offset + IPV6_HEADER_BYTES + payloadLength - layer.offset - layer.length;
      return newFragment(frame, layers, { id, ip, last: i, start: f.fragmentOffset * 8, length, more });
    }
  }
  return undefined;
}

/** A fragment as its headers describe it: `ip` and `last` are the layers of the IP header and of the last before the data. */
interface Place {
  id: string;
  ip: number;
  last: number;
  start: number;
  length: number;
  more: boolean;
}

function newFragment(frame: Frame, layers: readonly Layer[], place: Place): Fragment | 'malformed' {
  const { id, ip, last, start, length, more } = place;
  const end = start + length;
  // What the length field counts beside the data: the header (IPv4), extension headers (IPv6).
  const ipAt = layers[ip].offset;
  const counted = ip === last ? layers[ip].length : layers[last].offset - ipAt - IPV6_HEADER_BYTES;
  if (length <= 0 || (more && length % 8 !== 0) || counted + end > MAX_IP_BYTES) return 'malformed';
  const key = `${frame.linkType} ${frame.interfaceId} ${layers[ip].protocol} ${id}`;
  const dataAt = layers[last].offset + layers[last].length;
  const data = frame.data.slice(dataAt, dataAt + length);
  const head = start === 0 ? headOf(frame, layers, ip, last) : undefined;
  return { key, start, end, more, data, head };
}

/** A datagram's headers without fragmentation; without the link header where that tells a length of its own. */
function headOf(frame: Frame, layers: readonly Layer[], ip: number, last: number): Head {
  const keepLink =
    layers.slice(0, ip).every(({ protocol }) => WITHOUT_LENGTH.has(protocol)) && !is8023(layers);
  const from = keepLink ? 0 : layers[ip].offset;
  const { offset, length } = layers[last];
  const linkType = keepLink ? frame.linkType : RAW_IP;
  const ipAt = layers[ip].offset - from;
  const version = layers[ip].protocol === 'ipv4' ? 4 : 6;
  if (version === 4) {
    const bytes = frame.data.slice(from, offset + length);
    setBits(bytes, ipAt, IPV4_FIELDS.fragmentOffset, 0);
    setBits(
      bytes,
      ipAt,
      IPV4_FIELDS.flags,
      (layers[ip].fields as Ipv4Fields).flags & ~Ipv4Flag.MORE_FRAGMENTS,
    );
    return { bytes, ipAt, version, linkType };
  }
  // The fragment header goes, and the header before it announces what that announced.
  const bytes = frame.data.slice(from, offset);
  const before = layers[last - 1];
  const announcing = before.protocol === 'ipv6' ? before.offset + 6 : before.offset;
  bytes[announcing - from] = (layers[last].fields as Ipv6FragmentFields).nextHeader;
  return { bytes, ipAt, version, linkType };
}

const RAW_IP = 101;

/** Link headers that say nothing of the length of what follows, so that a longer packet may take its place. */
const WITHOUT_LENGTH = new Set([
  'ethernet',
  'vlan',
  'linux_sll',
  'linux_sll2',
  'loopback',
  'ppp',
  'cisco_hdlc',
  'mpls',
]);

/** Does a header before LLC count its bytes? */
function is8023(layers: readonly Layer[]): boolean {
  return layers.some(({ protocol }) => protocol === 'llc');
}

/** The whole datagram: headers of the first fragment, data of all, time of the one that completed it. */
function assemble(fragments: Fragment[], length: number, completing: Frame): Frame {
  fragments.sort((a, b) => a.start - b.start);
  // Fragments without gap or overlap from 0 on: the first has the headers.
  const { bytes: head, ipAt, version, linkType } = fragments[0].head!;
  const data = new Uint8Array(head.length + length);
  data.set(head);
  if (version === 4) {
    setBits(data, ipAt, IPV4_FIELDS.totalLength, head.length - ipAt + length);
    setBits(data, ipAt, IPV4_FIELDS.headerChecksum, 0);
    setBits(data, ipAt, IPV4_FIELDS.headerChecksum, internetChecksum(data, ipAt, head.length));
  } else {
    setBits(data, ipAt, IPV6_FIELDS.payloadLength, head.length - ipAt - IPV6_HEADER_BYTES + length);
  }
  let captured = 0;
  for (const { start, end, data: part } of fragments) {
    data.set(part, head.length + start);
    captured = start + part.length;
    if (captured < end) break;
  }
  return {
    ...completing,
    data: data.subarray(0, head.length + captured),
    wireLen: data.length,
    linkType,
  };
}
