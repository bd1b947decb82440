/**
 * Video segments found in packets by NetSSM's rule for Netflix (section 5.3 of the paper), judged
 * against what was really served: a new segment begins at each packet with payload that the client
 * sends to a video server; the payload that comes back until the next one is its size.
 */
import type { ObjectRecord } from '../programs/client';
import type { Row } from './rows';

export interface Segment {
  /** Server and client port. */
  flow: string;
  /** Seconds since 1970. */
  at: number;
  bytes: number;
}

/** Collects the segments of one session. */
export class SegmentFinder {
  readonly segments: Segment[] = [];
  private readonly open = new Map<string, Segment>();

  /** @param servers addresses of the video servers */
  constructor(
    private readonly client: string,
    private readonly servers: Set<string>,
  ) {}

  add(row: Row): void {
    if (row.protocol !== 6 || row.payload === 0) return;
    const up = row.source === this.client;
    const server = up ? row.target : row.source;
    if (!this.servers.has(server)) return;
    const flow = `${server} ${up ? row.sourcePort : row.targetPort}`;
    if (up) {
      const segment = { flow, at: row.time, bytes: 0 };
      this.open.set(flow, segment);
      this.segments.push(segment);
    } else {
      const segment = this.open.get(flow);
      if (segment) segment.bytes += row.payload;
    }
  }
}

export interface Score {
  found: number;
  served: number;
  matched: number;
}

/** Less than this is no segment of media: TLS handshakes, answers without a body. */
export const LEAST_BYTES = 4096;

/**
 * Matches found segments with served objects: the same connection, begun within 0.25 s of one
 * another, sizes within a tenth of one another (TLS and HTTP add some bytes).
 * @param began the session's start, to which the objects' times are relative
 */
export function scoreSegments(found: Segment[], objects: ObjectRecord[], began: number, least = LEAST_BYTES): Score {
  const rest = found.filter((s) => s.bytes >= least);
  const served = objects.filter((o) => o.bytes >= least && o.server && o.clientPort);
  const total = rest.length;
  let matched = 0;
  for (const object of served) {
    const flow = `${object.server} ${object.clientPort}`;
    const at = began + object.at;
    const near = (s: Segment): boolean =>
      s.flow === flow &&
      Math.abs(s.at - at) <= 0.25 &&
      s.bytes >= object.bytes * 0.95 &&
      s.bytes <= object.bytes * 1.1 + 2000;
    const index = rest.findIndex(near);
    if (index < 0) continue;
    rest.splice(index, 1);
    matched++;
  }
  return { found: total, served: served.length, matched };
}

/** Harmonic mean of the shares of found and of served segments that match. */
export const f1 = ({ found, served, matched }: Score): number =>
  matched === 0 ? 0 : (2 * matched) / (found + served);
