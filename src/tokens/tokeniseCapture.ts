import { openCapture } from '../capture';
import type { CaptureReader, CaptureSource, Frame } from '../capture';
import { fiveTuple, FlowTable } from '../flows';
import { decodePacket } from '../packets';
import { NetssmError, ProblemCounter } from '../util';
import type { DatasetInput } from './inputs';
import type { Layout, Refusal } from './layout';
import { locateKept } from './linkTypes';
import type { DatasetSource, SequenceUnit } from './meta';
import { inputSource } from './packedInputs';
import { SequenceEncoder } from './session';
import type { TimeTokens } from './times';
import type { GapSample } from './timing';
import type { TokenFile } from './tokenFile';

/** A flow that says nothing for this long is written out; its next packet begins another sequence. */
export const FLOW_IDLE_SECONDS = 600;
/** Flows held at once; beyond it the one silent for longest is written out early. */
export const MAX_OPEN_FLOWS = 50_000;
/** Tokens are written to disk in pieces of this many. */
const FLUSH_TOKENS = 1 << 18;

/** One capture on its way into tokens.bin. */
export interface CaptureJob {
  input: DatasetInput;
  source: DatasetSource;
  layout: Layout;
  unit: SequenceUnit;
  labelId: number;
  /** Undefined: no time tokens. */
  times?: TimeTokens;
  writer: TokenFile;
  gaps: GapSample | undefined;
  addSequence: (start: number, length: number, packets: number, linkType: number) => void;
  /** Takes the share of the file that has been read, as far as it is known. */
  report: (share: number) => void;
}

interface OpenSequence {
  encoder: SequenceEncoder;
  lastMicros: number;
}

/** Appends a capture's sequences to tokens.bin and fills in the counts of its source entry. */
export async function tokeniseCapture(job: CaptureJob): Promise<void> {
  const { source, layout, unit, writer, gaps } = job;
  const refusals = new ProblemCounter();
  const problems = new ProblemCounter();
  const open = new Map<string, OpenSequence>();
  let withoutTcpOptions = false;
  // A session goes to disk as it grows, a flow when it ends: the file holds one sequence after the other.
  const start = writer.tokens;
  const close = (key: string, sequence: OpenSequence) => {
    open.delete(key);
    const { encoder } = sequence;
    if (encoder.packets === 0) return;
    encoder.end();
    const at = unit === 'session' ? start : writer.tokens;
    writer.write(encoder.buffer.view());
    job.addSequence(at, encoder.tokens, encoder.packets, encoder.linkType);
    source.tokens += encoder.tokens;
    source.packets += encoder.packets;
    source.sequences++;
  };
  const table =
    unit === 'flow'
      ? new FlowTable({
          idleTimeoutSeconds: FLOW_IDLE_SECONDS,
          maxFlows: MAX_OPEN_FLOWS,
          onFlow: ({ key }) => {
            const sequence = open.get(key);
            if (sequence) close(key, sequence);
          },
        })
      : undefined;
  const take = (frame: Frame) => {
    source.frames++;
    let key = '';
    if (table) {
      const packet = decodePacket(frame.data, frame.linkType);
      const tuple = fiveTuple(packet);
      if (!tuple) {
        refusals.add(layoutRefusal(layout, frame));
        return;
      }
      key = tuple.key;
      // May end the sequence that is open under this key: a new connection, or silence.
      table.add(frame, source.frames, packet);
    }
    let sequence = open.get(key);
    if (!sequence) {
      const encoder = new SequenceEncoder(job.labelId, layout, { withoutTcpOptions, times: job.times });
      sequence = { encoder, lastMicros: frame.tsMicros };
      open.set(key, sequence);
    }
    const refusal = sequence.encoder.add(frame);
    if (refusal) {
      refusals.add(refusal);
      return;
    }
    if (sequence.encoder.packets > 1) gaps?.add(frame.tsMicros - sequence.lastMicros);
    sequence.lastMicros = frame.tsMicros;
    if (unit === 'session' && sequence.encoder.buffer.length >= FLUSH_TOKENS) {
      writer.write(sequence.encoder.buffer.view());
      sequence.encoder.buffer.length = 0;
    }
  };
  let reader: CaptureReader | undefined;
  try {
    const captured = inputSource(job.input);
    if (layout.stateful && layout.checksums !== 'keep') {
      const cut = await countCutOptions(captured);
      withoutTcpOptions = cut > 0;
      if (cut > 0) source.problems = { tcp_options_cut: cut };
    }
    reader = await openCapture(captured);
    let bytesSeen = 0;
    for await (const frame of reader) {
      take(frame);
      bytesSeen += frame.data.length + 16;
      if (source.frames % 2048 === 0) job.report(Math.min(1, bytesSeen / Math.max(1, source.bytes)));
    }
  } catch (error) {
    if (!(error instanceof NetssmError)) throw error;
    problems.add({ code: error.code, layer: 'capture', offset: 0, message: error.message });
  }
  for (const [key, sequence] of [...open]) close(key, sequence);
  problems.addAll(reader?.problems ?? []);
  source.refusals = refusals.toJSON();
  source.problems = { ...source.problems, ...problems.toJSON() };
  if (table && table.evicted > 0) source.problems['flow_evicted'] = table.evicted;
}

/** Why a packet without five-tuple is not in the data set, in the layout's words where it has any. */
function layoutRefusal(layout: Layout, frame: Frame): Refusal {
  const result = layout.encoder({ linkType: frame.linkType }).encode(frame);
  if (!result.ok) return result.refusal;
  const message = 'no five-tuple can be read';
  return { code: 'no_five_tuple', layer: layout.name, offset: frame.data.length, message };
}

/**
 * TCP packets whose options the snaplen has cut. A layout that predicts can hold them verbatim only; if there are any,
 * all packets of the capture are written without options, so that they stay alike.
 */
async function countCutOptions(source: CaptureSource): Promise<number> {
  let cut = 0;
  try {
    for await (const { data, wireLen, linkType } of await openCapture(source)) {
      if (data.length >= Math.min(wireLen, MOST_HEADER_BYTES)) continue;
      const at = locateKept(data, linkType);
      if (at.ok && at.transport === 'tcp' && data.length >= at.ipEnd + 20 && data.length < at.headerEnd)
        cut++;
    }
  } catch (error) {
    // Whoever reads the packets meets it again, and reports it.
    if (!(error instanceof NetssmError)) throw error;
  }
  return cut;
}

/** Ethernet with four tags, IPv4 and TCP with all options. */
const MOST_HEADER_BYTES = 150;
