import { LinkType } from '../capture';
import { locateHeaders, type HeaderRanges } from '../packets';
import { PKT, type TokenBatch, type TokenDataset } from '../tokens';
import { NetssmError, Rng } from '../util';
import type { BatchMode } from './config';

/*
 * Data augmentation for header bytes: numbers that a kernel or a program draws at random when a connection begins are
 * drawn again, so that a small data set cannot be learned by heart; what the numbers mean to one another stays.
 *
 *   IPv4 identification          RFC 6864: one shift a flow and direction; 0 stays 0
 *   ports 32768 and above        the client's choice; one new port for each
 *   TCP sequence numbers         RFC 9293: one shift a flow and direction, also in acknowledgements and SACK blocks
 *   TCP timestamps               RFC 7323: one shift a flow and direction, also in echoes; 0 stays 0
 *   DNS id (RFC 1035)            one shift for all: an answer repeats the question's
 *   RTP sequence, timestamp and source (RFC 3550)    one shift a flow and direction
 *
 * Addresses, lengths, flags, windows and time-to-live are not touched: they mean something. Lengths stay, so a
 * renumbered sequence is as long as before.
 */

/** First port that Linux and RFC 6335 give to clients. */
const EPHEMERAL = 32768;
/** One past the last port that Linux gives (net.ipv4.ip_local_port_range). */
const EPHEMERAL_END = 61000;

/**
 * Renumbers the rows of a `packed` batch in place, every piece of a session by itself: two pieces of one session then
 * share none of the numbers drawn, so nothing but the tokens before it can tell a model what they are.
 */
export function renumberBatch(batch: TokenBatch, rng: Rng): void {
  const { tokens, targets, starts } = batch;
  const n = tokens.length;
  for (let begin = 0; begin < n;) {
    let end = begin + 1;
    while (end < n && starts[end] === 0) end++;
    // The piece and the token after its last: each target is the next token.
    const piece = new Uint16Array(end - begin + 1);
    piece.set(tokens.subarray(begin, end));
    piece[end - begin] = targets[end - 1];
    renumber(piece, rng.split(String(begin)));
    for (let k = 0; k < end - begin; k++) {
      tokens[begin + k] = piece[k];
      targets[begin + k] = piece[k + 1];
    }
    begin = end;
  }
}

/** @throws NetssmError `renumber_checksums`, `renumber_layout`, `renumber_mode` where changed bytes would not fit. */
export function checkRenumber({ dir, meta }: TokenDataset, mode: BatchMode): void {
  const refuse = (code: string, message: string, hint: string) => {
    throw new NetssmError(code, message, { hint, exitCode: 2 });
  };
  if (meta.checksums !== 'zero') {
    refuse(
      'renumber_checksums',
      `renumber cannot keep the checksums of ${dir} right`,
      'Tokenize with checksums "zero", or train without renumber.',
    );
  }
  if (meta.layout !== 'compact' && meta.layout !== 'paper-94') {
    refuse(
      'renumber_layout',
      `renumber does not know the layout ${meta.layout} of ${dir}`,
      'Train without renumber.',
    );
  }
  if (mode !== 'packed') {
    refuse('renumber_mode', `renumber needs mode "packed", not "${mode}"`, 'Set mode to "packed".');
  }
}

/** Renumbers one sequence (label, packets between `<|pkt|>`) in place. Runs that are no packet stay as they are. */
export function renumber(tokens: Uint16Array, rng: Rng): void {
  const session = new Session(rng);
  for (let begin = 1; begin < tokens.length;) {
    let end = begin;
    while (end < tokens.length && tokens[end] < 256) end++;
    if (end > begin) {
      const bytes = Uint8Array.from(tokens.subarray(begin, end));
      session.change(bytes);
      tokens.set(bytes, begin);
    }
    begin = end + 1;
    if (tokens[end] !== PKT) break;
  }
}

/** The shifts of one direction of one flow. */
interface Shifts {
  id: number;
  seq: number;
  timestamp: number;
  /** RTP sequence, timestamp, source. */
  rtp: number[];
}

class Session {
  private readonly shifts = new Map<string, Shifts>();
  private readonly ports = new Map<number, number>();
  private readonly taken = new Set<number>();

  private readonly dnsShift: number;

  constructor(private readonly rng: Rng) {
    this.dnsShift = rng.split('dns').int(65536);
  }

  change(bytes: Uint8Array): void {
    const at = locateHeaders(bytes, LinkType.ETHERNET);
    if (!at.ok || at.captured < at.ipEnd + 8) return;
    const addresses = at.ipVersion === 4 ? [at.linkEnd + 12, 4] : [at.linkEnd + 8, 16];
    const text = (from: number, n: number) => bytes.subarray(from, from + n).join('.');
    const source = `${text(addresses[0], addresses[1])}:${u16(bytes, at.ipEnd)}`;
    const target = `${text(addresses[0] + addresses[1], addresses[1])}:${u16(bytes, at.ipEnd + 2)}`;
    const mine = this.shiftsOf(`${at.transport} ${source} ${target}`);
    const theirs = this.shiftsOf(`${at.transport} ${target} ${source}`);
    if (at.ipVersion === 4) shift16(bytes, at.linkEnd + 4, mine.id);
    if (at.transport === 'tcp') changeTcp(bytes, at, mine, theirs);
    else changeUdp(bytes, at, mine, this.dnsShift);
    this.changePort(bytes, at.ipEnd);
    this.changePort(bytes, at.ipEnd + 2);
  }

  private shiftsOf(key: string): Shifts {
    let shifts = this.shifts.get(key);
    if (!shifts) {
      // By name, so that the order in which flows appear does not matter.
      const rng = this.rng.split(key);
      shifts = {
        id: rng.int(65536),
        seq: rng.uint32(),
        timestamp: rng.uint32(),
        rtp: [rng.int(65536), rng.uint32(), rng.uint32()],
      };
      this.shifts.set(key, shifts);
    }
    return shifts;
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
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}

function shift32(bytes: Uint8Array, at: number, by: number): void {
  const value = (u32(bytes, at) + by) >>> 0;
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (24 - 8 * i)) & 255;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
