import { openCapture } from '../capture';
import type { CaptureReader, Frame } from '../capture';
import { locateHeaders } from '../packets/locate';
import { NetssmError, ProblemCounter } from '../util';
import { flowKey } from './flowKey';
import type { DatasetInput } from './inputs';
import type { Layout } from './layout';
import type { DatasetSource, SequenceUnit } from './meta';
import { SequenceEncoder } from './session';
import type { GapSample } from './timing';
import type { TokenFile } from './tokenFile';

/** A flow that says nothing for this long is written out; its next packet begins another sequence. */
export const FLOW_IDLE_SECONDS = 600;
/** Tokens are written to disk in pieces of this many. */
const FLUSH_TOKENS = 1 << 18;

/** One capture on its way into tokens.bin. */
export interface CaptureJob {
  input: DatasetInput;
  source: DatasetSource;
  layout: Layout;
  unit: SequenceUnit;
  labelId: number;
  writer: TokenFile;
  gaps: GapSample | undefined;
  addSequence: (start: number, length: number, packets: number) => void;
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
  // A session goes to disk as it grows, a flow when it ends: the file holds one sequence after the other.
  const start = writer.tokens;
  const close = (key: string, sequence: OpenSequence) => {
    open.delete(key);
    const { encoder } = sequence;
    if (encoder.packets === 0) return;
    encoder.end();
    const at = unit === 'session' ? start : writer.tokens;
    writer.write(encoder.buffer.view());
    job.addSequence(at, encoder.tokens, encoder.packets);
    source.tokens += encoder.tokens;
    source.packets += encoder.packets;
    source.sequences++;
  };
  const take = (frame: Frame) => {
    source.frames++;
    let key = '';
    if (unit === 'flow') {
      const at = locateHeaders(frame.data, frame.linkType);
      if (!at.ok) {
        refusals.add({ code: at.code, layer: layout.name, offset: at.offset, message: at.message });
        return;
      }
      const found = flowKey(frame.data, at);
      if (found === undefined) {
        refusals.add({ code: 'ports_cut', layer: layout.name, offset: at.captured, message: 'no ports' });
        return;
      }
      key = found;
      if (source.frames % 4096 === 0) closeIdle(open, frame.tsMicros, close);
    }
    let sequence = open.get(key);
    if (sequence && unit === 'flow' && frame.tsMicros - sequence.lastMicros > FLOW_IDLE_SECONDS * 1e6) {
      close(key, sequence);
      sequence = undefined;
    }
    if (!sequence) {
      sequence = { encoder: new SequenceEncoder(job.labelId, layout), lastMicros: frame.tsMicros };
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
    reader = await openCapture(job.input.path);
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
  source.problems = problems.toJSON();
}

function closeIdle(
  open: Map<string, OpenSequence>,
  nowMicros: number,
  close: (key: string, sequence: OpenSequence) => void,
): void {
  for (const [key, sequence] of [...open]) {
    if (nowMicros - sequence.lastMicros > FLOW_IDLE_SECONDS * 1e6) close(key, sequence);
  }
}
