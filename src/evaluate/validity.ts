import { decodePacket, internetChecksum, locateHeaders } from '../packets';
import { NO_TCP, TcpCounter, type TcpCounts } from './tcpCounter';
import { optionKinds } from './fields';
import type { Trace, TracePacket } from './traces';

/** How many packets a check could be made on, and how many passed. */
export interface CheckCount {
  checked: number;
  ok: number;
}

/** The per-packet checks, in the order of the tables. */
export const CHECKS = [
  { name: 'decodes', title: 'a TCP or UDP header can be found' },
  { name: 'noProblems', title: 'the decoder finds nothing wrong (transport checksums apart)' },
  { name: 'headersComplete', title: 'all header bytes that the header announces are there' },
  { name: 'ipLength', title: 'IP length covers the headers' },
  { name: 'wireLength', title: 'IP length agrees with the length on the wire' },
  { name: 'ipChecksum', title: 'IPv4 header checksum' },
  { name: 'tcpHeader', title: 'TCP data offset is 5 or more and within the IP length' },
  { name: 'tcpOptions', title: 'TCP options are well-formed' },
  { name: 'udpLength', title: 'UDP length equals the IP payload' },
] as const;
export type CheckName = (typeof CHECKS)[number]['name'];

/** Validity of one label's packets from one source. */
export interface ValidityRow {
  source: string;
  /** A label, or `pooled`: all of them. */
  label: string;
  captures: number;
  packets: number;
  checks: Record<CheckName, CheckCount>;
  /** Packets for which every check that applied passed. */
  allChecks: CheckCount;
  /** Packets whose IP and TCP or UDP headers have versions, lengths, offsets and options that can be; no checksums. */
  structure: CheckCount;
  /** Decoder problems by code, transport checksums included; at most one of a kind a packet. */
  problems: Record<string, number>;
  tcp: TcpCounts;
}

/** Wrong in every capture of a host that leaves them to its network card, so they are counted but not judged. */
const TRANSPORT_CHECKSUMS = new Set(['tcp_checksum_wrong', 'udp_checksum_wrong']);

/** Decoder problems of the network and transport layers; checksums are a number of their own. */
function isStructural(code: string): boolean {
  return /^(ipv4|ipv6|tcp|udp)_/.test(code) && !code.endsWith('_checksum_wrong');
}

/** Smallest Ethernet frame, without and with its check sequence or a VLAN tag: shorter packets are padded to it. */
const ETHERNET_MINIMA = [60, 64];

export function validityRow(source: string, label: string, traces: readonly Trace[]): ValidityRow {
  const row: ValidityRow = {
    source,
    label,
    captures: traces.length,
    packets: 0,
    checks: Object.fromEntries(
      CHECKS.map(({ name }) => [name, { checked: 0, ok: 0 }]),
    ) as ValidityRow['checks'],
    allChecks: { checked: 0, ok: 0 },
    structure: { checked: 0, ok: 0 },
    problems: {},
    tcp: { ...NO_TCP },
  };
  for (const trace of traces) {
    const flows = new Map<number, TcpCounter>();
    for (const packet of trace.packets) {
      row.packets++;
      const codes = problemCodes(packet);
      for (const code of codes) row.problems[code] = (row.problems[code] ?? 0) + 1;
      const results = checkPacket(packet);
      const { ipChecksum: _, ...structural } = results;
      row.structure.checked++;
      if (Object.values(structural).every(Boolean) && !codes.some(isStructural)) row.structure.ok++;
      results.noProblems = codes.every((code) => TRANSPORT_CHECKSUMS.has(code));
      for (const [name, ok] of Object.entries(results) as [CheckName, boolean][]) {
        row.checks[name].checked++;
        if (ok) row.checks[name].ok++;
      }
      row.allChecks.checked++;
      if (Object.values(results).every(Boolean)) row.allChecks.ok++;
      trackTcp(packet, flows, row.tcp);
    }
  }
  return row;
}

/** Sums of rows, as the label `pooled`. */
export function poolValidity(rows: readonly ValidityRow[]): ValidityRow {
  const sum = structuredClone(rows[0]);
  sum.label = 'pooled';
  for (const row of rows.slice(1)) {
    sum.captures += row.captures;
    sum.packets += row.packets;
    for (const { name } of CHECKS) addCheck(sum.checks[name], row.checks[name]);
    addCheck(sum.allChecks, row.allChecks);
    addCheck(sum.structure, row.structure);
    for (const [code, n] of Object.entries(row.problems)) sum.problems[code] = (sum.problems[code] ?? 0) + n;
    for (const key of Object.keys(NO_TCP) as (keyof TcpCounts)[]) sum.tcp[key] += row.tcp[key];
  }
  return sum;
}

function addCheck(sum: CheckCount, more: CheckCount): void {
  sum.checked += more.checked;
  sum.ok += more.ok;
}

function problemCodes(packet: TracePacket): string[] {
  const { problems } = decodePacket(packet.data, packet.linkType, { wireLen: packet.wireLen });
  return [...new Set(problems.map(({ code }) => code))];
}

/** The checks that apply to a packet (but `noProblems`), and whether it passes. */
export function checkPacket(packet: TracePacket): Partial<Record<CheckName, boolean>> {
  const bytes = packet.data;
  const at = locateHeaders(bytes, packet.linkType);
  if (!at.ok) return { decodes: false };
  const captured = packet.capLen;
  const results: Partial<Record<CheckName, boolean>> = { decodes: true };
  results.headersComplete = captured >= at.headerEnd;
  const headers = at.headerEnd - at.linkEnd;
  results.ipLength = at.ipTotalLength >= headers;
  const length = at.linkEnd + at.ipTotalLength;
  const padded = ETHERNET_MINIMA.includes(packet.wireLen) && length < packet.wireLen;
  results.wireLength = length === packet.wireLen || padded;
  if (at.ipVersion === 4 && bytes.length >= at.ipEnd) {
    results.ipChecksum = internetChecksum(bytes, at.linkEnd, at.ipEnd) === 0;
  }
  if (at.transport === 'tcp') {
    if (bytes.length > at.ipEnd + 12) {
      const offset = (bytes[at.ipEnd + 12] >> 4) * 4;
      results.tcpHeader = offset >= 20 && at.ipEnd - at.linkEnd + offset <= at.ipTotalLength;
    }
    if (bytes.length >= at.headerEnd) {
      results.tcpOptions = !optionKinds(bytes, at.ipEnd + 20, at.headerEnd).includes('malformed');
    }
  } else if (bytes.length >= at.ipEnd + 6) {
    results.udpLength = at.udpLength === at.ipTotalLength - (at.ipEnd - at.linkEnd);
  }
  return results;
}

function trackTcp(packet: TracePacket, flows: Map<number, TcpCounter>, counts: TcpCounts): void {
  const bytes = packet.data;
  const at = locateHeaders(bytes, packet.linkType);
  if (!packet.role || !at.ok || at.transport !== 'tcp' || bytes.length < at.ipEnd + 14) return;
  let flow = flows.get(packet.role.flow);
  if (!flow) flows.set(packet.role.flow, (flow = new TcpCounter(counts)));
  const u32 = (i: number): number =>
    ((bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3]) >>> 0;
  const payload = at.ipTotalLength - (at.headerEnd - at.linkEnd);
  flow.add({
    up: packet.role.up,
    seq: u32(at.ipEnd + 4),
    ack: u32(at.ipEnd + 8),
    flags: bytes[at.ipEnd + 13],
    payload: payload >= 0 ? payload : undefined,
  });
}
