import type { Frame } from '../../capture';
import { addressText, DEFAULT_MAX_FLOWS, FlowIndex } from '../../flows';
import {
  decodeFrame,
  findIp,
  findTransport,
  Fragment,
  HeaderBatch,
  TcpFlag,
  type Packet,
} from '../../packets';
import type { SegmentKind } from './analysis';
import { isReaddressed, transportChecksum } from './checksums';
import { DnsConversation, EchoConversations } from './conversations';
import { addCounts, noSegments } from './counts';
import type { Hit } from './hits';
import { checkPacketAlone } from './packetRules';
import { emptyReport, sortRules, type ComplianceReport, type RuleResult } from './report';
import { ruleOf } from './rules';
import { TcpFlowCheck } from './tcpFlow';
import { checkSegment, hasMalformedOptions } from './tcpSegment';

export interface CheckerOptions {
  /** Places kept of each rule; default 3. */
  examples?: number;
  /**
   * Packets at the start of the capture that were a prompt: they are followed, so that what comes after is judged by them,
   * and neither judged nor counted.
   */
  promptPackets?: number;
  /** Flows held at once; default {@link DEFAULT_MAX_FLOWS}. */
  maxFlows?: number;
  /** Called for each TCP segment with the packet's number and what the segment is. */
  onSegment?: (packet: number, kind: SegmentKind) => void;
}

/** A SYN so long after the last segment opens another connection, whatever became of the first (twice 60 s). */
const REUSE_MICROS = 120e6;
/** Packets back of which is remembered how bad they were. */
const RECENT = 65_536;

/** What is known of a flow under way. */
interface FlowState {
  name: string;
  tcp: TcpFlowCheck | undefined;
  dns: DnsConversation;
  rules: Set<string>;
  judged: boolean;
}

/** Checks packets while they stream by. Memory is bounded by the flows under way. */
export class ComplianceChecker {
  private readonly report: ComplianceReport;
  private readonly results = new Map<string, RuleResult & { last: number }>();
  private readonly index: FlowIndex;
  private readonly batch = new HeaderBatch(1);
  private readonly states: (FlowState | undefined)[] = [];
  private readonly echoes = new EchoConversations();
  private readonly unjudged = noSegments();
  private readonly keep: number;
  private readonly prompt: number;
  /** The state that the packet under way has closed, and its slot. */
  private closed: { slot: number; state: FlowState } | undefined;
  private number = 0;
  private flow: FlowState | undefined;
  /** 0: the packet keeps all rules; 1: an oddity; 2: a violation. */
  private worst = 0;
  private readonly recent = new Uint8Array(RECENT);

  constructor(
    name: string,
    private readonly options: CheckerOptions = {},
  ) {
    this.report = emptyReport(name);
    this.keep = options.examples ?? 3;
    this.prompt = options.promptPackets ?? 0;
    this.index = new FlowIndex({ maxFlows: options.maxFlows ?? DEFAULT_MAX_FLOWS }, (slot) =>
      this.close(slot),
    );
  }

  /**
   * Takes the next packet.
   *
   * @param number its number in the capture, from 1; by default one more than the last.
   */
  add(frame: Frame, number = this.number + 1): void {
    const { report, batch, index } = this;
    this.number = number;
    this.worst = 0;
    const judged = number > this.prompt;
    if (judged) report.packets++;
    else report.promptPackets++;
    const packet = decodeFrame(frame);
    batch.clear();
    this.closed = undefined;
    const slot = index.addFrame(batch, frame, packet);
    const state = slot < 0 ? undefined : (this.states[slot] ??= this.open(slot));
    this.flow = state;
    if (state && judged) state.judged = true;
    checkPacketAlone(frame, packet, this.hit);
    this.echoes.add(packet, this.hit);
    if (judged) this.countChecksums(packet);
    if (state) {
      state.dns.add(packet, this.hit);
      if (state.tcp) this.addSegment(state.tcp, slot, packet, frame);
    }
    // Evicted at once: nothing refers to the slot any more.
    if (slot >= 0 && index.ids[slot] === -1) this.states[slot] = undefined;
    this.recent[number % RECENT] = this.worst;
    this.countPacket(0, this.worst);
  }

  /** Ends all flows. @param name what the report is to call the capture. */
  finish(name = this.report.file): ComplianceReport {
    this.index.finish();
    const { report } = this;
    report.file = name;
    report.evictedFlows = this.index.evicted;
    report.rules = sortRules(
      [...this.results.values()].map(({ rule, severity, packets, flows, examples }) => ({
        rule,
        severity,
        packets,
        flows,
        examples: examples.sort((a, b) => a.packet - b.packet),
      })),
    );
    return report;
  }

  private readonly hit: Hit = (rule, message, packet) => this.note(this.flow, rule, message, packet);

  private note(flow: FlowState | undefined, rule: string, message: () => string, packet = this.number): void {
    if (packet <= this.prompt) return;
    let result = this.results.get(rule);
    if (!result) {
      result = { rule, severity: ruleOf(rule)!.severity, packets: 0, flows: 0, examples: [], last: 0 };
      this.results.set(rule, result);
    }
    // A packet breaks a rule once.
    if (result.last === packet) return;
    result.last = packet;
    result.packets++;
    const bad = result.severity === 'violation' ? 2 : 1;
    if (packet === this.number) {
      if (bad > this.worst) this.worst = bad;
    } else {
      // An earlier packet: of one long gone it is not known whether it had been counted.
      const i = packet % RECENT;
      const before = this.number - packet < RECENT ? this.recent[i] : 0;
      this.countPacket(before, bad);
      this.recent[i] = Math.max(before, bad);
    }
    if (result.examples.length < this.keep) {
      result.examples.push({ packet, flow: flow?.name ?? null, message: message() });
    }
    if (flow && !flow.rules.has(rule)) {
      flow.rules.add(rule);
      result.flows++;
    }
  }

  /** A packet that was `before` is now as bad as `after`: 0, 1 (oddity) or 2 (violation). */
  private countPacket(before: number, after: number): void {
    if (after <= before) return;
    if (before === 1) this.report.oddPackets--;
    if (after === 2) this.report.violatingPackets++;
    else this.report.oddPackets++;
  }

  private addSegment(flow: TcpFlowCheck, slot: number, packet: Packet, frame: Frame): void {
    const { batch, index, report } = this;
    const transport = findTransport(packet);
    // Fragments carry part of a segment: its numbers alone would mislead.
    if (transport?.protocol !== 'tcp' || batch.fragment[0] !== Fragment.WHOLE) return;
    const { fields } = transport;
    const cut = transport.offset + fields.dataOffset * 4 > packet.bytes.length;
    const malformed = !cut && hasMalformedOptions(fields.options);
    const judged = this.number > this.prompt;
    if (malformed && judged) report.tcp.malformedOptions++;
    checkSegment(fields, !cut, this.hit);
    this.checkReopened(slot, fields.flags, fields.sequenceNumber, frame.tsMicros);
    flow.counts = judged ? report.tcp : this.unjudged;
    flow.add(
      {
        packet: this.number,
        tsMicros: frame.tsMicros,
        flags: fields.flags,
        reserved: fields.reserved,
        sequenceNumber: fields.sequenceNumber,
        acknowledgmentNumber: fields.acknowledgmentNumber,
        window: fields.window,
        payload: batch.payloadLength[0],
        headerCut: cut,
        options: fields.options,
        optionsComplete: !cut && !malformed,
      },
      batch.fromClient[0] === 1,
    );
    if (index.trackers[slot]?.handshake) flow.established = true;
    if (judged) this.options.onSegment?.(this.number, flow.kind);
  }

  /** netssm/flows opens another flow for a SYN with a new number; here it may be a violation of the first. */
  private checkReopened(slot: number, flags: number, sequenceNumber: number, tsMicros: number): void {
    const before = this.closed?.slot === slot ? this.closed.state.tcp : undefined;
    if (!before || !before.established || before.closed || !(flags & TcpFlag.SYN)) return;
    if (tsMicros - before.lastMicros > REUSE_MICROS) return;
    this.hit('tcp-syn-established', () => `SYN ${sequenceNumber} in an open connection`);
    if (this.number > this.prompt) this.report.tcp.synEstablished++;
  }

  private countChecksums(packet: Packet): void {
    const { report } = this;
    const { checksums } = report;
    const ip = findIp(packet);
    let wrongHeader = false;
    if (ip?.protocol === 'ipv4') {
      const wrong = packet.problems.some(
        ({ code, offset }) => code === 'ipv4_checksum_wrong' && offset === ip.offset + 10,
      );
      const cut = ip.length < ip.fields.headerLength * 4;
      if (cut) checksums.ipv4.notCheckable++;
      else if (!wrong) checksums.ipv4.right++;
      else if (ip.fields.headerChecksum === 0) checksums.ipv4.offloaded++;
      else {
        checksums.ipv4.wrong++;
        wrongHeader = true;
      }
    }
    const verdict = transportChecksum(packet);
    const transport = verdict && findTransport(packet)!.protocol;
    if (!verdict || !transport) return;
    checksums[transport][verdict]++;
    if (verdict === 'wrong') {
      this.hit(`${transport}-checksum`, () => 'wrong, and not as offload leaves it');
      if (wrongHeader && isReaddressed(packet)) report.readdressed++;
    }
    if (verdict === 'offloaded') this.hit(`${transport}-checksum-offload`, () => 'left to the network card');
  }

  private open(slot: number): FlowState {
    const { index } = this;
    const end = (addresses: Uint32Array, port: number): string => {
      const text = addressText(addresses, slot, index.ipVersion[slot]);
      return index.ipVersion[slot] === 6 ? `[${text}]:${port}` : `${text}:${port}`;
    };
    const client = end(index.clientAddress, index.clientPort[slot]);
    const server = end(index.serverAddress, index.serverPort[slot]);
    const state: FlowState = {
      name: `${client} > ${server}`,
      tcp: undefined,
      dns: new DnsConversation(),
      rules: new Set(),
      judged: false,
    };
    if (index.trackers[slot]) {
      const hit: Hit = (rule, message, packet) => this.note(state, rule, message, packet);
      state.tcp = new TcpFlowCheck(hit, this.unjudged);
    }
    return state;
  }

  private close(slot: number): void {
    const state = this.states[slot];
    this.states[slot] = undefined;
    if (!state) return;
    // Of an eviction after it, nothing is to be known.
    this.closed ??= { slot, state };
    state.tcp?.finish();
    if (!state.judged) return;
    const { flows, tcp } = this.report;
    flows.all++;
    const violating = [...state.rules].some((id) => ruleOf(id)!.severity === 'violation');
    if (violating) flows.violating++;
    else if (state.rules.size > 0) flows.odd++;
    if (!state.tcp) return;
    flows.tcp++;
    if (violating) flows.tcpViolating++;
    const tracker = this.index.trackers[slot]!;
    const { client, server, flagsSeen } = state.tcp;
    addCounts(tcp, {
      flows: 1,
      withSyn: client.syn ? 1 : 0,
      handshakes: tracker.handshake ? 1 : 0,
      closedByFin: tracker.closed === 'fin' ? 1 : 0,
      closedByRst: tracker.closed === 'rst' ? 1 : 0,
      handshakesClosed: tracker.handshake && tracker.closed !== 'none' ? 1 : 0,
      withFin: flagsSeen & TcpFlag.FIN ? 1 : 0,
      finAcknowledged: client.finAcknowledged || server.finAcknowledged ? 1 : 0,
    } as Partial<typeof tcp> as typeof tcp);
  }
}
