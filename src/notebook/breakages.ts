/** A captured connection, broken on purpose in many ways: what a checker must find, each time by the rule in question. */
import type { Frame } from '../capture';
import { checkFrames, type ComplianceReport, type Finding } from '../evaluate';
import {
  decodeFrame,
  findIp,
  findTransport,
  internetChecksum,
  pseudoHeaderSum,
  type Packet,
} from '../packets';
import { NetssmError } from '../util';

const [FIN, SYN, RST, ACK, CWR] = [1, 2, 4, 16, 128];
const MSS = [2, 4, 5, 0xb4];
const NOP = 1;

/** One way to break a connection. */
export interface Breakage {
  /** The rule that it breaks. */
  rule: string;
  /** What was done. */
  what: string;
  frames: Frame[];
}

/** A breakage and what the checker says. */
export interface BrokenRule extends Omit<Breakage, 'frames'> {
  /** Whether the rule fires more often than in the connection as it was captured. */
  caught: boolean;
  /** The first packet that breaks the rule, as the checker numbers it, and its words; undefined where it is not caught. */
  finding: Finding | undefined;
  /** The packet, decoded. */
  packet: Packet | undefined;
  /** Other rules that fire, and do not in the connection as it was captured. */
  others: string[];
}

/** Breaks the connection in every way of {@link breakages} and checks each capture. */
export function brokenRules(frames: readonly Frame[]): BrokenRule[] {
  const before = new Map(checkFrames(frames).rules.map(({ rule, packets }) => [rule, packets]));
  return breakages(frames).map(({ rule, what, frames: broken }) => {
    const report: ComplianceReport = checkFrames(broken);
    const result = report.rules.find((one) => one.rule === rule);
    const finding = result?.examples[0];
    return {
      rule,
      what,
      caught: (result?.packets ?? 0) > (before.get(rule) ?? 0),
      finding,
      packet: finding && decodeFrame(broken[finding.packet - 1]),
      others: report.rules
        .map((result) => result.rule)
        .filter((other) => other !== rule && !before.has(other)),
    };
  });
}

/**
 * Copies of a captured TCP connection, each with one thing changed. Checksums are made right again unless they are the
 * thing. The connection must begin with its handshake, over IPv4 and Ethernet, and have data from its server; what it
 * has not (timestamps, a FIN), it cannot lose.
 *
 * @throws NetssmError `connection_unsuitable`
 */
export function breakages(frames: readonly Frame[]): Breakage[] {
  const c = new Connection(frames);
  const all: Breakage[] = [];
  const add = (rule: string, what: string, broken: Frame[] | undefined): void => {
    if (broken) all.push({ rule, what, frames: broken });
  };
  const { data, syn, synAck, ack, up } = c;
  // One packet by itself.
  add(
    'ipv4-ttl',
    'time to live 0',
    c.with(data, (f) => f.ip8(8, 0)),
  );
  add(
    'ipv4-checksum',
    'time to live changed, checksum not',
    c.with(data, (f) => f.ip8(8, 7), false),
  );
  add(
    'ipv4-total-length',
    'IP length 65,535',
    c.with(data, (f) => f.ip16(2, 0xffff)),
  );
  add(
    'ipv4-header-length',
    'IP header of 16 bytes',
    c.with(data, (f) => f.ip8(0, 0x44)),
  );
  add(
    'ipv4-reserved-flag',
    'the reserved flag set',
    c.with(data, (f) => f.ip8(6, f.at(f.ip + 6) | 0x80)),
  );
  add(
    'ipv4-source',
    'sent from a multicast address',
    c.with(data, (f) => f.ip8(12, 224)),
  );
  add(
    'tcp-header-length',
    'TCP header of 16 bytes',
    c.with(data, (f) => f.tcp8(12, 0x40)),
  );
  add(
    'tcp-reserved',
    'a reserved bit set',
    c.with(data, (f) => f.tcp8(12, f.at(f.tcp + 12) | 8)),
  );
  add(
    'tcp-flags-conflict',
    'SYN and FIN in one segment',
    c.with(data, (f) => f.flags(SYN | FIN | ACK)),
  );
  add(
    'tcp-ack-missing',
    'data without ACK',
    c.with(data, (f) => f.flags(8)),
  );
  add(
    'tcp-port-zero',
    'source port 0',
    c.with(data, (f) => f.tcp16(0, 0)),
  );
  add(
    'tcp-urgent',
    'an urgent pointer without URG',
    c.with(data, (f) => f.tcp16(18, 24)),
  );
  add(
    'tcp-checksum',
    'window changed, checksum not',
    c.with(ack, (f) => f.tcp16(14, 1), false, true),
  );
  // Options.
  add('tcp-options-malformed', 'an option of 40 bytes in 4', c.options(data, [8, 40, NOP, NOP]));
  add('tcp-option-length', 'a window scale of 4 bytes', c.options(data, [3, 4, 7, 7]));
  add('tcp-mss-outside-syn', 'a segment size without SYN', c.options(data, MSS));
  add('tcp-wscale-outside-syn', 'a window scale without SYN', c.options(data, [NOP, 3, 3, 7]));
  add('tcp-sackok-outside-syn', 'SACK-permitted without SYN', c.options(data, [NOP, NOP, 4, 2]));
  add('tcp-sack-blocks', 'a SACK block that ends before it begins', c.options(data, [NOP, NOP, 5, 10, 0, 0, 2, 0, 0, 0, 1, 0])); // prettier-ignore
  add('tcp-option-repeated', 'two segment sizes in a SYN', c.options(syn, [...MSS, ...MSS]));
  add('tcp-mss-small', 'segment size 0', c.options(syn, [2, 4, 0, 0]));
  add('tcp-wscale-range', 'window scale 15', c.options(syn, [...MSS, NOP, 3, 3, 15]));
  add('tcp-timestamps-missing', 'data without the timestamps agreed on', c.stamped ? c.options(data, []) : undefined); // prettier-ignore
  // Numbers.
  add(
    'tcp-seq-outside',
    'sequence number + 500,000,000',
    c.with(data, (f) => f.number(4, 5e8)),
  );
  add(
    'tcp-seq-before-isn',
    'data at the number of the SYN',
    c.with(data, (f) => f.tcp32(4, c.serverStart)),
  );
  add('tcp-seq-gap', 'a data segment left out', c.without(c.data));
  add(
    'tcp-ack-unsent',
    'acknowledgment + 100,000,000',
    c.with(data, (f) => f.number(8, 1e8)),
  );
  add('tcp-ack-old', 'acknowledgment 5,000 below the peer’s SYN', c.with(data, (f) => f.tcp32(8, c.clientStart - 5000))); // prettier-ignore
  add(
    'tcp-window-exceeded',
    'the client’s windows all 1',
    c.ofClient((f) => f.tcp16(14, 1)),
  );
  add('tcp-mss-exceeded', 'segment size 100 in the SYN', c.options(syn, [2, 4, 0, 100]));
  add(
    'tcp-ecn-not-agreed',
    'CWR without ECN',
    c.with(data, (f) => f.flags(ACK | CWR)),
  );
  // The order of things.
  add(
    'tcp-syn-ack-number',
    'SYN-ACK acknowledges 1 too few',
    c.with(synAck, (f) => f.number(8, -1)),
  );
  add('tcp-isn-changed', 'a second SYN-ACK with another number', c.insert(synAck + 1, synAck, (f) => f.number(4, 77_777))); // prettier-ignore
  add('tcp-handshake-incomplete', 'data without a SYN-ACK', c.only([syn, up]));
  add(
    'tcp-syn-established',
    'a SYN amid the data',
    c.insert(data + 1, syn, (f) => f.number(4, 9_999_999)),
  );
  add(
    'tcp-rst-sequence',
    'a RST with sequence number 0',
    c.insert(data + 1, ack, (f) => f.reset(0)),
  );
  add(
    'tcp-after-reset',
    'data after the server’s RST',
    c.insert(data, data, (f) => f.flags(RST | ACK)),
  );
  add(
    'tcp-data-after-fin',
    'data after FIN',
    c.with(data, (f) => f.flags(FIN | ACK)),
  );
  add('tcp-fin-moved', 'a second FIN elsewhere', c.finMoved());
  return all;
}

/** A frame that is being changed. */
class Editor {
  readonly frame: Frame;
  private readonly view: DataView;

  constructor(
    original: Frame,
    readonly ip: number,
    readonly tcp: number,
  ) {
    const data = original.data.slice();
    this.frame = { ...original, data };
    this.view = new DataView(data.buffer);
  }

  at(offset: number): number {
    return this.view.getUint8(offset);
  }

  ip8(offset: number, value: number): void {
    this.view.setUint8(this.ip + offset, value);
  }

  ip16(offset: number, value: number): void {
    this.view.setUint16(this.ip + offset, value);
  }

  tcp8(offset: number, value: number): void {
    this.view.setUint8(this.tcp + offset, value);
  }

  tcp16(offset: number, value: number): void {
    this.view.setUint16(this.tcp + offset, value);
  }

  tcp32(offset: number, value: number): void {
    this.view.setUint32(this.tcp + offset, value >>> 0);
  }

  /** Adds to a sequence (4) or acknowledgment number (8), modulo 2^32. */
  number(offset: number, by: number): void {
    this.tcp32(offset, this.view.getUint32(this.tcp + offset) + by);
  }

  flags(value: number): void {
    this.tcp8(13, value);
  }

  reset(sequenceNumber: number): void {
    this.flags(RST);
    this.tcp32(4, sequenceNumber);
    this.tcp32(8, 0);
  }

  /** Makes the checksums right: of IPv4, and of TCP where all of the segment was captured. */
  fix(): void {
    const { data } = this.frame;
    const { ip, tcp } = this;
    this.ip16(10, 0);
    this.ip16(10, internetChecksum(data, ip, ip + Math.max(20, (data[ip] & 15) * 4)));
    const end = ip + this.view.getUint16(ip + 2);
    if (end > data.length || end < tcp + 20) return;
    this.tcp16(16, 0);
    const layer = findIp(decodeFrame(this.frame));
    const sum = pseudoHeaderSum(data, layer, 6, end - tcp);
    if (sum !== undefined) this.tcp16(16, internetChecksum(data, tcp, end, sum));
  }
}

/** The packets of a connection by their part in it, and ways to change them. */
class Connection {
  /** Index of the SYN, the SYN-ACK, the ACK, and of the first data of the client and of the server. */
  readonly syn: number;
  readonly synAck: number;
  readonly ack: number;
  readonly up: number;
  readonly data: number;
  /** Sequence numbers of the SYNs. */
  readonly clientStart: number;
  readonly serverStart: number;
  /** Whether the connection agreed on timestamps. */
  readonly stamped: boolean;
  private readonly packets: { ip: number; tcp: number; flags: number; length: number; down: boolean }[];

  constructor(private readonly frames: readonly Frame[]) {
    const decoded = frames.map((frame) => {
      const packet = decodeFrame(frame);
      const [ip, tcp] = [findIp(packet), findTransport(packet)];
      if (ip?.protocol !== 'ipv4' || tcp?.protocol !== 'tcp' || frame.linkType !== 1)
        throw unsuitable('a packet that is not TCP over IPv4 over Ethernet');
      const { flags, dataOffset, sourcePort, sequenceNumber, options } = tcp.fields;
      const length = ip.fields.totalLength - ip.length - dataOffset * 4;
      return { ip: ip.offset, tcp: tcp.offset, flags, length, sourcePort, sequenceNumber, options };
    });
    const client = decoded[0]?.sourcePort;
    this.packets = decoded.map((p) => ({ ...p, down: p.sourcePort !== client }));
    const find = (what: string, fits: (p: (typeof this.packets)[0]) => boolean): number => {
      const index = this.packets.findIndex(fits);
      if (index < 0) throw unsuitable(`no ${what}`);
      return index;
    };
    this.syn = find('SYN', ({ flags, down }) => !down && (flags & (SYN | ACK)) === SYN);
    this.synAck = find('SYN-ACK', ({ flags, down }) => down && (flags & (SYN | ACK)) === (SYN | ACK));
    this.ack = find('ACK', ({ flags, down, length }) => !down && flags === ACK && length === 0);
    this.up = find('data from the client', ({ down, length }) => !down && length > 0);
    this.data = find('data from the server', ({ down, length }) => down && length > 100);
    [this.clientStart, this.serverStart] = [this.syn, this.synAck].map((i) => decoded[i].sequenceNumber);
    this.stamped = [this.syn, this.synAck, this.data].every((i) =>
      decoded[i].options.some(({ kind }) => kind === 'timestamps'),
    );
  }

  /** One packet changed. `whole`: only where all of it was captured. */
  with(index: number, change: (editor: Editor) => void, fix = true, whole = false): Frame[] | undefined {
    const original = this.frames[index];
    if (whole && original.data.length < original.wireLen) return undefined;
    return this.frames.map((frame, i) => (i === index ? this.edited(i, change, fix) : frame));
  }

  /** All packets of the client changed. */
  ofClient(change: (editor: Editor) => void): Frame[] {
    return this.frames.map((frame, i) => (this.packets[i].down ? frame : this.edited(i, change, true)));
  }

  without(index: number): Frame[] {
    return this.frames.filter((_, i) => i !== index);
  }

  only(indices: readonly number[]): Frame[] {
    return indices.map((i) => this.frames[i]);
  }

  /** A changed copy of packet `from` before packet `index`. */
  insert(index: number, from: number, change: (editor: Editor) => void): Frame[] {
    const { tsMicros } = this.frames[Math.max(0, index - 1)];
    const copy = { ...this.edited(from, change, true), tsMicros };
    return [...this.frames.slice(0, index), copy, ...this.frames.slice(index)];
  }

  /** One packet with other TCP options; lengths follow. `options` fills whole words. */
  options(index: number, options: readonly number[]): Frame[] {
    const frame = this.frames[index];
    const { ip, tcp } = this.packets[index];
    const before = (frame.data[tcp + 12] >> 4) * 4;
    const grown = 20 + options.length - before;
    const data = Uint8Array.from([
      ...frame.data.subarray(0, tcp + 20),
      ...options,
      ...frame.data.subarray(tcp + before),
    ]);
    const changed = new Editor({ ...frame, data, wireLen: frame.wireLen + grown }, ip, tcp);
    changed.tcp8(12, (((20 + options.length) / 4) << 4) | (data[tcp + 12] & 15));
    changed.ip16(2, ((data[ip + 2] << 8) | data[ip + 3]) + grown);
    changed.fix();
    return this.frames.map((other, i) => (i === index ? changed.frame : other));
  }

  /** The last FIN again, ten bytes further on; undefined without a FIN. */
  finMoved(): Frame[] | undefined {
    const fin = this.packets.map(({ flags }) => (flags & FIN) !== 0).lastIndexOf(true);
    if (fin < 0) return undefined;
    return this.insert(fin + 1, fin, (f) => f.number(4, 10));
  }

  private edited(index: number, change: (editor: Editor) => void, fix: boolean): Frame {
    const { ip, tcp } = this.packets[index];
    const editor = new Editor(this.frames[index], ip, tcp);
    change(editor);
    if (fix) editor.fix();
    return editor.frame;
  }
}

function unsuitable(what: string): NetssmError {
  return new NetssmError('connection_unsuitable', `the connection cannot be broken: ${what}`, {
    hint: 'Take the packets of one TCP connection over IPv4 from its SYN on: session.flows[i].frames of toSession().',
  });
}
