import type { Frame } from '../capture';
import { traceOfFrames, type Trace, type TrueObject } from '../evaluate';
import { flowFrames, splitFlows } from '../flows';
import type { OnProgress } from '../util';
import type { ExperimentData, ExperimentSession } from './data';

/** What one trace is: a whole session with its flows interleaved (the paper's multi-flow), or one TCP flow (single-flow). */
export type TraceUnit = 'session' | 'flow';
export const TRACE_UNITS: readonly { unit: TraceUnit; title: string }[] = [
  { unit: 'session', title: 'multi-flow' },
  { unit: 'flow', title: 'single-flow' },
];

export interface RealTraceOptions {
  split: 'train' | 'test';
  unit: TraceUnit;
  labels?: readonly string[];
  /** Packets of each trace at most; null: all. */
  packets: number | null;
  /** Flows of each label at most, an equal part of each session. */
  flows?: number;
  /** Packets that a flow must have. Default {@link SHORTEST_FLOW}. */
  shortestFlow?: number;
  onProgress?: OnProgress;
}

/** Handshake, one request, one answer: shorter flows are no conversation. */
export const SHORTEST_FLOW = 6;

/** Real traces of some labels; `path` is the session's id, with `#n` for its n-th flow. */
export async function realTraces(data: ExperimentData, options: RealTraceOptions): Promise<Trace[]> {
  const { split, labels, onProgress } = options;
  const sessions = data.sessions.filter(
    (session) => session.split === split && (labels?.includes(session.label) ?? true),
  );
  const traces: Trace[] = [];
  for (const [i, session] of sessions.entries()) {
    const frames = await session.frames();
    if (options.unit === 'session') traces.push(sessionTrace(session, frames, options.packets));
    else {
      const peers = sessions.filter(({ label }) => label === session.label).length;
      traces.push(...flowTraces(session, frames, Math.ceil((options.flows ?? Infinity) / peers), options));
    }
    onProgress?.({ done: i + 1, total: sessions.length, unit: 'sessions', detail: session.id });
  }
  return traces.filter((trace) => trace.packets.length > 0);
}

/** The first packets of a session, with what was really served in their time. */
export function sessionTrace(
  session: ExperimentSession,
  frames: readonly Frame[],
  packets: number | null,
): Trace {
  const cut = frames.slice(0, packets ?? undefined);
  const truth = servedObjects(session, cut);
  return traceOfFrames(session.label, cut, session.id, {
    split: session.split,
    ...(session.service !== null && { service: session.service }),
    ...(truth && { truth }),
  });
}

/** Objects whose last byte is within the frames: of those cut in two there is nothing to find. */
function servedObjects(session: ExperimentSession, frames: readonly Frame[]): TrueObject[] | undefined {
  if (!session.truth || frames.length === 0) return undefined;
  const seconds = (frames[frames.length - 1].tsMicros - frames[0].tsMicros) / 1e6;
  return session.truth.objects
    .filter((object) => object.at + object.seconds <= seconds)
    .map(({ at, bytes, clientPort }) => ({
      start: at,
      bytes,
      ...(clientPort !== undefined && { flow: clientPort }),
    }));
}

function flowTraces(
  session: ExperimentSession,
  frames: readonly Frame[],
  most: number,
  { packets, shortestFlow = SHORTEST_FLOW }: RealTraceOptions,
): Trace[] {
  return conversations(frames, shortestFlow)
    .slice(0, most)
    .map(({ flow, index }) =>
      traceOfFrames(session.label, flow.slice(0, packets ?? undefined), `${session.id}#${index}`, {
        split: session.split,
        ...(session.service !== null && { service: session.service }),
      }),
    );
}

/** TCP flows with so many packets, in order of their first one; `index` counts all flows of the frames. */
export function conversations(
  frames: readonly Frame[],
  shortest = SHORTEST_FLOW,
): { flow: Frame[]; index: number }[] {
  return splitFlows(frames).flatMap((flow, index) =>
    flow.protocol === 'tcp' && flow.frames.length >= shortest
      ? [{ flow: flowFrames(frames, flow), index }]
      : [],
  );
}

/** Tells a trace's session: the id before `#`. Halves of a capture keep theirs, since flows come behind. */
export function sessionOf(trace: Trace, unit: TraceUnit): string {
  return unit === 'flow' ? trace.path.slice(0, trace.path.lastIndexOf('#')) : trace.path;
}
