import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { listCaptures, openCapture, type Frame } from '../capture';
import { isTestbedSet, loadDataset } from '../flows';
import type { GeneratedFile, GenerationReport } from '../generate';
import { countValues } from '../stats';
import { NetssmError, readJson, type OnProgress } from '../util';
import { trueObjects } from './packedTraces';
import { RoleTracker, type PacketRole } from './roles';
import type { TrueObject } from './semantics';

/** One packet of a trace, as the measurements need it: header bytes and who sent it. */
export interface TracePacket {
  /** At most {@link KEPT_BYTES} bytes; of DNS all. */
  readonly data: Uint8Array;
  readonly wireLen: number;
  readonly capLen: number;
  readonly linkType: number;
  readonly tsMicros: number;
  /** Undefined for packets without a five-tuple. */
  readonly role: PacketRole | undefined;
}

/** One capture file that is being judged. */
export interface Trace {
  readonly path: string;
  readonly label: string;
  /** As the folder's manifest says; undefined without one. */
  readonly split: string | undefined;
  /** Without the prompt packets, which are real. */
  readonly packets: TracePacket[];
  /** Packets at the start of the file that were a prompt, and are not counted. */
  readonly promptPackets: number;
  /** Those packets, where they are at hand: what came after is judged by them, and they are not. */
  readonly prompt?: readonly TracePacket[];
  /**
   * `path` of the real trace that this one is to be held against: that of its prompt. Without it traces are paired in
   * their order. As {@link loadTraces} finds it, the capture that generation.json names; `resolveTwins` looks for it.
   */
  readonly twin?: string;
  /** Kind of application, where the folder says so. */
  readonly service?: string;
  /** The objects that were really served, where that was recorded. */
  readonly truth?: readonly TrueObject[];
}

/** A folder of captures, read. */
export interface TraceFolder {
  readonly path: string;
  readonly traces: Trace[];
  /** Packets that could not be generated or decoded, by label and code, where a generator has left a record. */
  readonly refused: Record<string, Record<string, number>>;
  /** Whether there is such a record. */
  readonly generated: boolean;
  /** Labels of which not all packets were read, because there were more than the limit. */
  readonly cut: string[];
}

/** Bytes of a packet that are kept: all headers, options included, and the start of the payload. */
export const KEPT_BYTES = 192;
/** Of packets from or to these UDP ports all bytes are kept: DNS answers say whose servers are whose. */
const WHOLE_PORTS = new Set([53, 5353]);

export interface LoadTracesOptions {
  /** Packets read a label and split at most, shared by its captures; `cut` names what was cut. Default 200,000. */
  maxPackets?: number;
  /** Packets read of each capture (behind its prompt) at most. */
  firstPackets?: number;
  onProgress?: OnProgress;
}

/**
 * Reads the captures of a folder. A capture's label is, in this order: what manifest.json or generation.json in the
 * folder says; the name of the subfolder it is in; the part of its file name before a final `-NNN`. Packed sets of sessions
 * (docs/testbed.md), `testbed` for the project's own, are known by their manifest.json and have their ground truth with them.
 *
 * @throws NetssmError `no_captures`, `file_unreadable`, and those of `loadDataset`
 */
export async function loadTraces(path: string, options: LoadTracesOptions = {}): Promise<TraceFolder> {
  if (path === 'testbed' || isTestbedSet(path)) return loadPacked(path, options);
  const { maxPackets = 200_000, firstPackets = Infinity, onProgress } = options;
  const listed = readLists(path);
  const files = listCaptures(path).map((file) => {
    const known = listed.files.get(resolve(file));
    return {
      file,
      label: known?.label ?? labelFromPath(path, file),
      split: known?.split,
      skip: known?.promptPackets ?? 0,
      ...(known?.prompt !== undefined && { twin: known.prompt }),
    };
  });
  const room = roomOf(files, maxPackets);
  const traces: Trace[] = [];
  const cut = new Set<string>();
  for (const [i, entry] of files.entries()) {
    const { file, label, split, skip, twin } = entry;
    const reading = new TraceReading(skip, firstPackets, room(entry));
    const reader = await openCapture(file);
    try {
      for await (const frame of reader) if (!reading.add(frame)) break;
    } finally {
      await reader.close();
    }
    if (reading.cut) cut.add(label);
    traces.push({ path: file, label, split, ...(twin !== undefined && { twin }), ...reading.parts() });
    onProgress?.({ done: i + 1, total: files.length, unit: 'captures', detail: label });
  }
  return { path, traces, refused: listed.refused, generated: listed.generated, cut: [...cut] };
}

/** A packed set's sessions, with their ground truth. */
function loadPacked(path: string, options: LoadTracesOptions): TraceFolder {
  const { maxPackets = 200_000, firstPackets = Infinity, onProgress } = options;
  const { sessions } = loadDataset(path);
  const room = roomOf(sessions, maxPackets);
  const cut = new Set<string>();
  const traces = sessions.map((session, i): Trace => {
    const { id, label, split, service } = session;
    const reading = new TraceReading(0, firstPackets, room(session));
    for (const frame of session.frames()) if (!reading.add(frame)) break;
    if (reading.cut) cut.add(label);
    onProgress?.({ done: i + 1, total: sessions.length, unit: 'captures', detail: label });
    return { path: id, label, split, service, truth: trueObjects(session), ...reading.parts() };
  });
  return { path, traces, refused: {}, generated: false, cut: [...cut] };
}

/** An equal part of the limit for each capture, so that none is left out for the sake of those before it. */
function roomOf<T extends { label: string; split?: string }>(
  captures: readonly T[],
  maxPackets: number,
): (capture: T) => number {
  const group = ({ label, split }: T): string => `${label}/${split ?? ''}`;
  const sizes = countValues(captures.map(group));
  return (capture) => Math.ceil(maxPackets / (sizes.get(group(capture)) as number));
}

/** The packets of one capture, as far as they are wanted. */
class TraceReading {
  private readonly packets: TracePacket[] = [];
  private readonly prompt: TracePacket[] = [];
  private readonly roles = new RoleTracker();
  /** Whether there were more packets than room for them. */
  cut = false;

  constructor(
    private readonly skip: number,
    private readonly firstPackets: number,
    private readonly room: number,
  ) {}

  /** False: no more are wanted. */
  add(frame: Frame): boolean {
    // Prompt packets still tell who is the client of a flow.
    const packet = tracePacket(frame, this.roles);
    if (this.prompt.length < this.skip) {
      this.prompt.push(packet);
      return true;
    }
    if (this.packets.length >= this.firstPackets) return false;
    this.cut = this.packets.length >= this.room;
    if (!this.cut) this.packets.push(packet);
    return !this.cut;
  }

  parts(): Pick<Trace, 'packets' | 'promptPackets' | 'prompt'> {
    const { packets, prompt } = this;
    return { packets, promptPackets: prompt.length, ...(prompt.length > 0 ? { prompt } : {}) };
  }
}

export interface TraceOfFramesOptions extends Pick<Trace, 'split' | 'twin' | 'service' | 'truth'> {
  /** Packets at the start that were a prompt. */
  promptPackets?: number;
}

/** A trace made of frames in memory. `path` is its name, and need not be that of a file. */
export function traceOfFrames(
  label: string,
  frames: Iterable<Frame>,
  path: string,
  { promptPackets = 0, split, ...more }: Partial<TraceOfFramesOptions> = {},
): Trace {
  const roles = new RoleTracker();
  const packets = Array.from(frames, (frame) => tracePacket(frame, roles));
  const prompt = packets.splice(0, promptPackets);
  return {
    path,
    label,
    split,
    packets,
    promptPackets: prompt.length,
    ...(prompt.length > 0 ? { prompt } : {}),
    ...more,
  };
}

/** The packets of a trace as frames of at most {@link KEPT_BYTES} bytes, without the prompt or with it in front. */
export function framesOfTrace(trace: Trace, { withPrompt = false } = {}): Frame[] {
  const packets = withPrompt ? [...(trace.prompt ?? []), ...trace.packets] : trace.packets;
  return packets.map(({ data, wireLen, tsMicros, linkType }) => ({
    data,
    wireLen,
    tsMicros,
    linkType,
    tsNanos: 0,
    interfaceId: 0,
  }));
}

function tracePacket(frame: Frame, roles: RoleTracker): TracePacket {
  const role = roles.role(frame.data, frame.linkType);
  const whole = role && (WHOLE_PORTS.has(role.serverPort) || WHOLE_PORTS.has(role.clientPort));
  return {
    // A copy: the reader may reuse its buffer.
    data: whole ? frame.data.slice() : frame.data.slice(0, KEPT_BYTES),
    wireLen: frame.wireLen,
    capLen: frame.data.length,
    linkType: frame.linkType,
    tsMicros: frame.tsMicros,
    role,
  };
}

function labelFromPath(root: string, file: string): string {
  const folder = dirname(resolve(file));
  if (folder !== resolve(root) && resolve(file) !== resolve(root)) return basename(folder);
  const name = basename(file).replace(/\.(pcap|pcapng|cap)(\.gz)?$/i, '');
  return /^(.+)-\d+$/.exec(name)?.[1] ?? basename(folder);
}

interface Listed {
  label?: string;
  split?: string;
  promptPackets?: number;
  /** Capture that the prompt is the beginning of. */
  prompt?: string;
}

/** What manifest.json (captures) and generation.json (generated traces) of the folder say about its files. */
function readLists(root: string): {
  files: Map<string, Listed>;
  refused: Record<string, Record<string, number>>;
  generated: boolean;
} {
  const files = new Map<string, Listed>();
  const refused: Record<string, Record<string, number>> = {};
  const manifest = join(root, 'manifest.json');
  if (existsSync(manifest)) {
    const { files: entries } = readJson<{ files?: { path: string; label?: string; split?: string }[] }>(
      manifest,
    );
    for (const { path, label, split } of entries ?? []) files.set(resolve(root, path), { label, split });
  }
  const generation = join(root, 'generation.json');
  if (existsSync(generation)) {
    for (const trace of readGeneration(generation)) {
      files.set(resolve(root, trace.file), {
        label: trace.label,
        promptPackets: trace.promptPackets ?? 0,
        ...(typeof trace.prompt?.capture === 'string' && { prompt: trace.prompt.capture }),
      });
      const counts = (refused[trace.label] ??= {});
      for (const [code, n] of Object.entries(trace.report?.refused ?? {}))
        counts[code] = (counts[code] ?? 0) + n;
    }
  }
  return { files, refused, generated: existsSync(generation) };
}

function readGeneration(
  path: string,
): Pick<GeneratedFile, 'file' | 'label' | 'promptPackets' | 'prompt' | 'report'>[] {
  const { files } = readJson<Partial<GenerationReport>>(path);
  return (files ?? []).map((entry, i) => {
    if (typeof entry.file !== 'string' || typeof entry.label !== 'string') {
      throw new NetssmError('generation_invalid', `${path}: entry ${i} of "files" has no file or label`);
    }
    return entry;
  });
}
