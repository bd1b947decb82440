import { openCapture } from '../capture';
import { decodeFrame, HeaderBatch } from '../packets';
import type { Problem } from '../util';
import { FlowIndex, type FlowLimits } from './flowIndex';
import { DEFAULT_MAX_FLOWS } from './scan';
import { selectFrames, type SelectOptions } from './select';

export interface InspectOptions extends SelectOptions {
  /** Examples kept of each kind of problem; 0 by default. */
  examples?: number;
  /** Bounds of the flow table; 262,144 flows by default. */
  flows?: FlowLimits;
  /** Called now and then with the packets read so far. */
  onPackets?: (packets: number) => void;
}

/** Where a problem was seen. */
export interface ProblemExample {
  /** Number of the packet in the file, from 1; undefined: a problem of the file itself. */
  readonly packet?: number;
  /** Byte in the packet, or in the (unpacked) file. */
  readonly offset: number;
  readonly layer: string;
  readonly message: string;
}

/** What a capture holds. docs/export.md has it as JSON. */
export interface InspectedCapture {
  file: string;
  packets: number;
  /** On the wire: the records' original lengths added up. */
  bytes: number;
  linkTypes: number[];
  /** Conversations: bidirectional five-tuples, a TCP connection that is opened anew counting anew. */
  flows: number;
  /** What is odd in the file and in its packets, counted by code, most frequent first. */
  problems: Record<string, number>;
  /** Bytes that the file really holds of these packets. */
  capturedBytes: number;
  /** From the earliest to the latest packet. */
  seconds: number;
  /** Times of the earliest and the latest packet, microseconds since 1970; null without packets. */
  firstMicros: number | null;
  lastMicros: number | null;
  format: string;
  /** Packets by the name of their innermost decoded protocol. */
  protocols: Record<string, number>;
  /** Of the TCP flows: all, those whose handshake is there, those that were closed by FIN or RST. */
  tcp: { flows: number; handshakes: number; closed: number };
  /** Packets that belong to no flow. */
  withoutFlow: number;
  /** Flows counted before their end because too many were open; such a flow may be counted twice. */
  evictedFlows: number;
  /** The first problems of each code, where `examples` asks for them. */
  problemExamples?: Record<string, ProblemExample[]>;
  error?: { code: string; message: string };
}

/** The row of a file of which nothing could be read. */
export function emptyInspection(file: string): InspectedCapture {
  return {
    file,
    packets: 0,
    bytes: 0,
    linkTypes: [],
    flows: 0,
    problems: {},
    capturedBytes: 0,
    seconds: 0,
    firstMicros: null,
    lastMicros: null,
    format: 'unknown',
    protocols: {},
    tcp: { flows: 0, handshakes: 0, closed: 0 },
    withoutFlow: 0,
    evictedFlows: 0,
  };
}

/**
 * Reads a capture from end to end, decodes every packet, and counts what there is. Bounded memory.
 *
 * @param source a path, `-` for standard input, or bytes in memory.
 * @throws NetssmError as `openCapture`, and for options that cannot be read.
 */
export async function inspectCapture(
  source: string | Uint8Array,
  options: InspectOptions = {},
): Promise<InspectedCapture> {
  const slice = selectFrames(options);
  const reader = await openCapture(source);
  const row = emptyInspection(typeof source === 'string' ? source : reader.name);
  const problems = new ProblemLog(options.examples ?? 0);
  const index: FlowIndex = new FlowIndex({ maxFlows: DEFAULT_MAX_FLOWS, ...options.flows }, (slot) => {
    row.flows++;
    const tracker = index.trackers[slot];
    if (!tracker) return;
    row.tcp.flows++;
    if (tracker.handshake) row.tcp.handshakes++;
    if (tracker.closed !== 'none') row.tcp.closed++;
  });
  const batch = new HeaderBatch(1);
  let number = 0;
  let first = Infinity;
  let last = -Infinity;
  for await (const frames of reader.batches()) {
    for (const frame of frames) {
      number++;
      if (!slice.take(frame)) continue;
      row.packets++;
      row.bytes += frame.wireLen;
      row.capturedBytes += frame.data.length;
      if (frame.tsMicros < first) first = frame.tsMicros;
      if (frame.tsMicros > last) last = frame.tsMicros;
      const packet = decodeFrame(frame);
      for (const problem of packet.problems) problems.add(problem, number);
      const innermost = packet.layers[packet.layers.length - 1]?.protocol ?? 'unknown';
      row.protocols[innermost] = (row.protocols[innermost] ?? 0) + 1;
      batch.clear();
      index.addFrame(batch, frame, packet);
    }
    options.onPackets?.(number);
    if (slice.done) break;
  }
  index.finish();
  for (const problem of reader.problems) problems.add(problem);
  row.linkTypes = [...reader.info.linkTypes];
  row.format = reader.info.format;
  row.withoutFlow = index.withoutTuple;
  row.evictedFlows = index.evicted;
  if (row.packets > 0) {
    row.seconds = (last - first) / 1e6;
    row.firstMicros = first;
    row.lastMicros = last;
  }
  row.problems = problems.counted();
  if (options.examples) row.problemExamples = Object.fromEntries(problems.examples);
  return row;
}

/** Counts by code, with the first places of each. */
class ProblemLog {
  readonly examples = new Map<string, ProblemExample[]>();
  private readonly counts = new Map<string, number>();

  constructor(private readonly keep: number) {}

  add({ code, layer, offset, message }: Problem, packet?: number): void {
    const count = this.counts.get(code) ?? 0;
    this.counts.set(code, count + 1);
    if (count >= this.keep) return;
    const example: ProblemExample = { ...(packet !== undefined && { packet }), offset, layer, message };
    if (count === 0) this.examples.set(code, [example]);
    else this.examples.get(code)!.push(example);
  }

  counted(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort((a, b) => b[1] - a[1]));
  }
}
