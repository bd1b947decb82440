import { parseIpv4, parseIpv6 } from '../../packets';
import { NetssmError } from '../../util';
import type { FlowTrace } from './flowPackets';

/** How a flow's packets are cut into segments: what one request of the client brought. */
export interface SegmentRule {
  /** An uplink packet with at least so much payload begins a segment. */
  minRequestBytes: number;
  /** Segments that stay smaller are left out. */
  minSegmentBytes: number;
  /** Only flows whose server was resolved (in the capture's DNS answers) for a name that contains one of these. */
  names?: readonly string[];
  /** Only flows whose server is one of these addresses or in one of these networks (`198.51.100.0/24`). */
  servers?: readonly string[];
}

/**
 * NetSSM, section 5.3, Netflix: every uplink packet with payload begins a segment; servers are those resolved for
 * Netflix's names. Where captures hold no DNS (generated ones) give `servers` instead: see {@link serversOf}.
 */
export const NETFLIX_SEGMENTS: SegmentRule = {
  minRequestBytes: 1,
  minSegmentBytes: 1,
  names: ['nflxvideo', 'netflix', 'nflxso'],
};

/** NetSSM, section 5.3, YouTube: an uplink packet with more than 300 bytes of payload; segments of at least 80 KB. */
export const YOUTUBE_SEGMENTS: SegmentRule = { minRequestBytes: 301, minSegmentBytes: 80_000 };

/** What one request brought. */
export interface Segment {
  /** Index in the trace's flows. */
  flow: number;
  /** Seconds from the trace's first packet: of the request, of the first and of the last byte of the answer. */
  start: number;
  firstByte: number;
  end: number;
  /** Payload of the request packet, and of all downlink packets until the flow's next request. */
  requestBytes: number;
  bytes: number;
  /** Downlink packets with payload. */
  packets: number;
}

/**
 * Cuts the flows of a trace into segments, in order of their requests. Bytes are the transport's payload by the IP
 * length, retransmissions included. Of requests in several packets only the last one's segment has bytes: the
 * others are left out by `minSegmentBytes` of 1 or more.
 *
 * @throws NetssmError `network_invalid`
 */
export function extractSegments(trace: FlowTrace, rule: SegmentRule): Segment[] {
  const taken = selectFlows(trace, rule);
  const open = new Map<number, Segment>();
  const segments: Segment[] = [];
  for (const { flow, up, payload, tsMicros } of trace.packets) {
    if (!taken[flow] || payload === 0) continue;
    const at = (tsMicros - trace.startMicros) / 1e6;
    if (up) {
      if (payload < rule.minRequestBytes) continue;
      const segment = {
        flow,
        start: at,
        firstByte: NaN,
        end: at,
        requestBytes: payload,
        bytes: 0,
        packets: 0,
      };
      open.set(flow, segment);
      segments.push(segment);
      continue;
    }
    const segment = open.get(flow);
    if (!segment) continue;
    if (segment.packets === 0) segment.firstByte = at;
    segment.end = at;
    segment.bytes += payload;
    segment.packets++;
  }
  return segments.filter(({ bytes }) => bytes >= rule.minSegmentBytes);
}

/** For each flow: is it of the rule's servers? With neither names nor servers all flows are. */
export function selectFlows(trace: FlowTrace, { names, servers }: SegmentRule): boolean[] {
  if (!names && !servers) return trace.flows.map(() => true);
  const networks = (servers ?? []).map(parseNetwork);
  return trace.flows.map(({ server }) => {
    if (networks.length > 0) {
      const address = parseAddress(server);
      if (address && networks.some((network) => isInside(address, network))) return true;
    }
    const known = trace.names.get(server);
    return !!known && !!names && [...known].some((name) => names.some((part) => name.includes(part)));
  });
}

/**
 * The networks (IPv4 /24, IPv6 /48, or given lengths) of the servers that a rule takes in real traces: the filter for
 * generated traces, which hold no DNS answers.
 */
export function serversOf(
  traces: readonly FlowTrace[],
  rule: SegmentRule,
  prefix: { ipv4?: number; ipv6?: number } = {},
): string[] {
  const { ipv4 = 24, ipv6 = 48 } = prefix;
  const networks = new Set<string>();
  for (const trace of traces) {
    const taken = selectFlows(trace, rule);
    trace.flows.forEach(({ server }, i) => {
      if (taken[i]) networks.add(`${server}/${server.includes(':') ? ipv6 : ipv4}`);
    });
  }
  return [...networks].sort();
}

interface Network {
  address: Uint8Array;
  bits: number;
}

function parseAddress(text: string): Uint8Array | undefined {
  try {
    return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  } catch {
    return undefined;
  }
}

function parseNetwork(text: string): Network {
  const [base, length] = text.split('/');
  const address = parseAddress(base);
  const bits = length === undefined ? (address?.length ?? 0) * 8 : Number(length);
  if (!address || !Number.isInteger(bits) || bits < 0 || bits > address.length * 8) {
    throw new NetssmError('network_invalid', `"${text}" is no address and no network`, {
      hint: 'Write 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32.',
      exitCode: 2,
    });
  }
  return { address, bits };
}

function isInside(address: Uint8Array, { address: base, bits }: Network): boolean {
  if (address.length !== base.length) return false;
  for (let i = 0, left = bits; left > 0; i++, left -= 8) {
    const mask = left >= 8 ? 255 : (255 << (8 - left)) & 255;
    if ((address[i] & mask) !== (base[i] & mask)) return false;
  }
  return true;
}
