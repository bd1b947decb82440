import type { FlowTrace } from './flowPackets';
import type { Segment } from './segments';

/** An object that was really served, as the recording of a session knows it. */
export interface TrueObject {
  /** Seconds from the trace's first packet. */
  start: number;
  /** Bytes of the object's body. */
  bytes: number;
  /** The connection: name of the flow (`FlowEnds.name`), or the client's port. Undefined: any flow. */
  flow?: string | number;
}

export interface MatchOptions {
  /** Largest difference of the starts, in seconds. Default 0.5. */
  startTolerance?: number;
  /**
   * Largest difference of the sizes, relative to the object's. Default 0.1; beside it `overhead` bytes, for headers of
   * the application and TLS (default 1,500).
   */
  sizeTolerance?: number;
  overhead?: number;
}

/** How well extracted segments are the objects that were served. */
export interface SegmentMatch {
  segments: number;
  objects: number;
  matched: number;
  /** Of the segments and of the objects that are in a pair; F1 is their harmonic mean. 0 where nothing was found. */
  precision: number;
  recall: number;
  f1: number;
  /** Means over the pairs of the absolute differences, in seconds and relative to the object. Null without pairs. */
  meanStartError: number | null;
  meanSizeError: number | null;
  /** Index of the object for each segment; -1: none. */
  pairs: number[];
}

/**
 * Pairs segments with objects of the same flow whose start and size agree. Each is in one pair at most; the nearest
 * starts go first.
 */
export function matchSegments(
  trace: FlowTrace,
  segments: readonly Segment[],
  objects: readonly TrueObject[],
  options: MatchOptions = {},
): SegmentMatch {
  const { startTolerance = 0.5, sizeTolerance = 0.1, overhead = 1500 } = options;
  const candidates: { i: number; j: number; gap: number }[] = [];
  // Both in order of their starts, so that only near ones are compared.
  const order = objects.map((_, j) => j).sort((a, b) => objects[a].start - objects[b].start);
  segments.forEach((segment, i) => {
    const { name, clientPort } = trace.flows[segment.flow];
    let low = 0;
    for (let high = order.length; low < high;) {
      const middle = (low + high) >> 1;
      if (objects[order[middle]].start < segment.start - startTolerance) low = middle + 1;
      else high = middle;
    }
    for (let k = low; k < order.length; k++) {
      const { start, bytes, flow } = objects[order[k]];
      if (start > segment.start + startTolerance) break;
      if (flow !== undefined && flow !== name && flow !== clientPort) continue;
      if (Math.abs(segment.bytes - bytes) > sizeTolerance * bytes + overhead) continue;
      candidates.push({ i, j: order[k], gap: Math.abs(start - segment.start) });
    }
  });
  candidates.sort((a, b) => a.gap - b.gap || a.i - b.i || a.j - b.j);
  const pairs = new Array<number>(segments.length).fill(-1);
  const used = new Set<number>();
  let [startError, sizeError] = [0, 0];
  for (const { i, j, gap } of candidates) {
    if (pairs[i] >= 0 || used.has(j)) continue;
    pairs[i] = j;
    used.add(j);
    startError += gap;
    sizeError += Math.abs(segments[i].bytes - objects[j].bytes) / Math.max(1, objects[j].bytes);
  }
  const matched = used.size;
  const precision = segments.length === 0 ? 0 : matched / segments.length;
  const recall = objects.length === 0 ? 0 : matched / objects.length;
  return {
    segments: segments.length,
    objects: objects.length,
    matched,
    precision,
    recall,
    f1: matched === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    meanStartError: matched === 0 ? null : startError / matched,
    meanSizeError: matched === 0 ? null : sizeError / matched,
    pairs,
  };
}
