import { LinkType } from '../capture';
import { locateHeaders, sumWords, type HeaderRanges } from '../packets';
import { checksumFields, type PiecePacket } from '../tokens';
import type { Rng } from '../util';
import { FreshAddresses } from './renumberAddresses';

/*
 * Data augmentation for the packets of one piece of a session: numbers that a kernel or a program draws at random are
 * drawn again, so that a small data set cannot be learned by heart; what the numbers mean to one another stays.
 *
 *   IPv4 identification          RFC 6864: one shift a sending host, for many count over all their flows; 0 stays 0
 *   ports 32768 and above        the client's choice; one new port for each
 *   TCP sequence numbers         RFC 9293: one shift a flow and direction, also in acknowledgements and SACK blocks
 *   TCP timestamps               RFC 7323: one shift a flow and direction, also in echoes; 0 stays 0
 *   DNS id (RFC 1035)            one shift for all: an answer repeats the question's
 *   RTP sequence, timestamp and source (RFC 3550)    one shift a flow and direction
 *   addresses and MACs           where asked: see renumberAddresses.ts
 *
 * Lengths, flags, windows and time-to-live are not touched: they mean something. A checksum stays what it was: right,
 * wrong by as much, zero, or the pseudo-header's sum alone (left to the network card).
 */

/** First port that Linux and RFC 6335 give to clients. */
const EPHEMERAL = 32768;
/** One past the last port that Linux gives (net.ipv4.ip_local_port_range). */
const EPHEMERAL_END = 61000;

export interface RenumberOptions {
  /** Draw addresses and MACs anew, too. Default false. */
  addresses?: boolean;
}

/** The shifts of one direction of one flow. */
interface Shifts {
  seq: number;
  timestamp: number;
  /** RTP sequence, timestamp, source. */
  rtp: number[];
}

/** One set of fresh numbers: what a packet becomes depends on the generator's state at construction only. */
export class Renumbering {
  private readonly shifts = new Map<string, Shifts>();
  private readonly ids = new Map<string, number>();
  private readonly ports = new Map<number, number>();
  private readonly taken = new Set<number>();
  private readonly dnsShift: number;
  private readonly addresses: FreshAddresses | undefined;

  constructor(
    private readonly rng: Rng,
    options: RenumberOptions = {},
  ) {
    this.dnsShift = rng.split('dns').int(65536);
    if (options.addresses) this.addresses = new FreshAddresses(rng.split('addresses'));
  }

  /** A changed copy. What has no TCP or UDP header comes back as it is. */
  change(packet: PiecePacket): PiecePacket {
    const at = locateHeaders(packet.data, packet.linkType);
    if (!at.ok || at.captured < at.ipEnd + 8) return packet;
    const bytes = packet.data.slice();
    const width = at.ipVersion === 4 ? 4 : 16;
    const from = at.linkEnd + (width === 4 ? 12 : 8);
    const host = (offset: number) => bytes.subarray(offset, offset + width).join('.');
    const source = `${host(from)}:${u16(bytes, at.ipEnd)}`;
    const target = `${host(from + width)}:${u16(bytes, at.ipEnd + 2)}`;
    const mine = this.shiftsOf(`${at.transport} ${source} ${target}`);
    const theirs = this.shiftsOf(`${at.transport} ${target} ${source}`);
    if (width === 4) shift16(bytes, at.linkEnd + 4, this.idShift(host(from)));
    if (at.transport === 'tcp') changeTcp(bytes, at, mine, theirs);
    else changeUdp(bytes, at, mine, this.dnsShift);
    this.changePort(bytes, at.ipEnd);
    this.changePort(bytes, at.ipEnd + 2);
    if (this.addresses) {
      this.addresses.change(bytes, from, width);
      this.addresses.change(bytes, from + width, width);
      if (packet.linkType === LinkType.ETHERNET)
        for (const mac of [0, 6]) this.addresses.change(bytes, mac, 6);
    }
    adjustChecksums(packet.data, bytes, at);
    return { ...packet, data: bytes };
  }

  private shiftsOf(key: string): Shifts {
    let shifts = this.shifts.get(key);
    if (!shifts) {
      // By name, so that the order in which flows appear does not matter.
      const rng = this.rng.split(key);
      shifts = {
        seq: rng.uint32(),
        timestamp: rng.uint32(),
        rtp: [rng.int(65536), rng.uint32(), rng.uint32()],
      };
      this.shifts.set(key, shifts);
    }
    return shifts;
  }

  private idShift(host: string): number {
    let shift = this.ids.get(host);
    if (shift === undefined) this.ids.set(host, (shift = this.rng.split(`id ${host}`).int(65536)));
    return shift;
  }

  private changePort(bytes: Uint8Array, at: number): void {
    const port = u16(bytes, at);
    if (port < EPHEMERAL) return;
    let fresh = this.ports.get(port);
    if (fresh === undefined) {
      const rng = this.rng.split(`port ${port}`);
      // Linux gives connecting sockets even numbers first: what is even stays even.
      do fresh = EPHEMERAL + 2 * rng.int((EPHEMERAL_END - EPHEMERAL) / 2) + (port & 1);
      while (this.taken.has(fresh));
      this.taken.add(fresh);
      this.ports.set(port, fresh);
    }
    bytes[at] = fresh >> 8;
    bytes[at + 1] = fresh & 255;
  }
}

/**
 * Makes the checksums of `after` what they are in `before`: the ones' complement sum moves with the words that changed
 * (RFC 1624), so payload that was not captured does not matter.
 */
export function adjustChecksums(before: Uint8Array, after: Uint8Array, at: HeaderRanges): void {
  const fields = checksumFields(at);
  const addresses: [number, number] = at.ipVersion === 4 ? [12, 20] : [8, 40];
  const [from, to] = addresses.map((offset) => at.linkEnd + offset);
  const moved = (a: number, b: number) => sumWords(after, a, b) - sumWords(before, a, b);
  if (fields.ip >= 0 && u16(before, fields.ip) !== 0)
    put16(after, fields.ip, moveChecksum(u16(before, fields.ip), moved(at.linkEnd, at.ipEnd)));
  const old = fields.transport < 0 ? 0 : u16(before, fields.transport);
  if (old === 0) return; // not computed (UDP), or left out
  const length = at.linkEnd + at.ipTotalLength - at.ipEnd;
  const pseudo = (bytes: Uint8Array) =>
    positiveFold(sumWords(bytes, from, to, (at.transport === 'tcp' ? 6 : 17) + length));
  let value = moveChecksum(old, moved(at.ipEnd, at.captured) + moved(from, to));
  if (old === pseudo(before)) value = pseudo(after);
  put16(after, fields.transport, value === 0 && at.transport === 'udp' ? 0xffff : value);
}

/** The checksum after the sum that it complements has grown by `by`. */
function moveChecksum(checksum: number, by: number): number {
  return 0xffff - positiveFold((~checksum & 0xffff) + by);
}

/** The representative of `sum` modulo 65,535 in 1 .. 65,535: ones' complement sums of headers are never 0. */
function positiveFold(sum: number): number {
  return ((((sum - 1) % 0xffff) + 0xffff) % 0xffff) + 1;
}

function changeTcp(bytes: Uint8Array, at: HeaderRanges, mine: Shifts, theirs: Shifts): void {
  const tcp = at.ipEnd;
  if (at.captured < tcp + 20) return;
  shift32(bytes, tcp + 4, mine.seq);
  if (bytes[tcp + 13] & 0x10) shift32(bytes, tcp + 8, theirs.seq);
  const end = Math.min(at.headerEnd, at.captured);
  for (let i = tcp + 20; i + 1 < end;) {
    const kind = bytes[i];
    if (kind === 0) return;
    if (kind === 1) {
      i++;
      continue;
    }
    const length = bytes[i + 1];
    if (length < 2 || i + length > end) return;
    if (kind === 8 && length === 10) {
      for (const [offset, by] of [
        [i + 2, mine.timestamp],
        [i + 6, theirs.timestamp],
      ])
        if (u32(bytes, offset) !== 0) shift32(bytes, offset, by);
    }
    if (kind === 5) for (let k = i + 2; k + 4 <= i + length; k += 4) shift32(bytes, k, theirs.seq);
    i += length;
  }
}

function changeUdp(bytes: Uint8Array, at: HeaderRanges, mine: Shifts, dnsShift: number): void {
  const payload = at.headerEnd;
  const kept = at.captured - payload;
  const dns = u16(bytes, at.ipEnd) === 53 || u16(bytes, at.ipEnd + 2) === 53;
  if (dns && kept >= 2) {
    shift16(bytes, payload, dnsShift, true);
    return;
  }
  if (kept < 12 || bytes[payload] >> 6 !== 2) return; // RTP version 2
  shift16(bytes, payload + 2, mine.rtp[0], true);
  shift32(bytes, payload + 4, mine.rtp[1]);
  shift32(bytes, payload + 8, mine.rtp[2]);
}

/** Adds modulo 2^16; 0 means "not set" in most fields and stays, unless `always`. */
function shift16(bytes: Uint8Array, at: number, by: number, always = false): void {
  const before = u16(bytes, at);
  if (before === 0 && !always) return;
  let value = (before + by) & 0xffff;
  if (value === 0 && !always) value = 1;
  put16(bytes, at, value);
}

function shift32(bytes: Uint8Array, at: number, by: number): void {
  const value = (u32(bytes, at) + by) >>> 0;
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (24 - 8 * i)) & 255;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
