import type { Frame } from '../capture/frame';
import { locateHeaders } from '../packets';

/*
 * Whether the numbers of TCP segments fit together, from the headers alone (RFC 9293). What cannot be known is not judged:
 * a direction's first segment, acknowledgements of a peer that has not been seen.
 */

/** What {@link checkTcpNumbers} counts. */
export interface TcpNumbers {
  /** TCP segments looked at. */
  segments: number;
  /**
   * Sequence numbers that can be judged. `exact`: goes on where the highest segment of the direction ends.
   * `retransmitted`: begins where an earlier segment did. `keepAlive`: one below, with at most a byte. `wrong`: others,
   * also where a capture lacks segments.
   */
  seq: { judged: number; exact: number; retransmitted: number; keepAlive: number; wrong: number };
  /** Acknowledgements that can be judged. `right`: where a segment of the peer begins or ends, and not below the last. */
  ack: { judged: number; right: number };
  /**
   * Connections whose SYN is among the judged segments; those with a SYN+ACK of that number + 1; those whose client then
   * acknowledges the server's number + 1; those in which one of the two is wrong.
   */
  handshakes: { syn: number; answered: number; completed: number; wrong: number };
}

/** One direction of a connection. */
interface Direction {
  /** End of the highest segment; undefined: nothing sent. */
  max: number | undefined;
  /** First sequence number seen. */
  first: number;
  starts: Set<number>;
  /** Where segments end, and the beginning of the first. */
  boundaries: Set<number>;
  lastAck: number | undefined;
}

interface Connection {
  /** [0]: from the endpoint whose text sorts first. */
  directions: [Direction, Direction];
  /** A handshake under way: who began it, its numbers, and how far it is. */
  handshake?: { client: 0 | 1; isn: number; peerIsn?: number; done: boolean; counted: boolean };
}

export function emptyTcpNumbers(): TcpNumbers {
  return {
    segments: 0,
    seq: { judged: 0, exact: 0, retransmitted: 0, keepAlive: 0, wrong: 0 },
    ack: { judged: 0, right: 0 },
    handshakes: { syn: 0, answered: 0, completed: 0, wrong: 0 },
  };
}

/**
 * Judges the segments of one capture, in its order. Frames before `from` (a prompt's) are read, not judged. The counts
 * are added to `into`, where given.
 */
export function checkTcpNumbers(
  frames: readonly Pick<Frame, 'data' | 'wireLen' | 'linkType'>[],
  options: { from?: number; into?: TcpNumbers } = {},
): TcpNumbers {
  const { from = 0, into = emptyTcpNumbers() } = options;
  const connections = new Map<string, Connection>();
  frames.forEach((frame, i) => {
    const segment = readSegment(frame);
    if (!segment) return;
    let connection = connections.get(segment.key);
    if (!connection) {
      connection = { directions: [newDirection(), newDirection()] };
      connections.set(segment.key, connection);
    }
    judge(connection, segment, i >= from ? into : undefined);
  });
  return into;
}

interface Segment {
  key: string;
  direction: 0 | 1;
  seq: number;
  ack: number;
  syn: boolean;
  hasAck: boolean;
  /** Sequence numbers that it takes: payload, SYN and FIN. */
  length: number;
}

function readSegment({
  data,
  wireLen,
  linkType,
}: Pick<Frame, 'data' | 'wireLen' | 'linkType'>): Segment | undefined {
  const at = locateHeaders(data, linkType);
  if (!at.ok || at.transport !== 'tcp' || at.captured < at.ipEnd + 14) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const width = at.ipVersion === 4 ? 4 : 16;
  const addresses = at.linkEnd + (width === 4 ? 12 : 8);
  const end = (k: number) =>
    `${data.subarray(addresses + k * width, addresses + (k + 1) * width).join('.')}:${view.getUint16(at.ipEnd + 2 * k)}`;
  const [source, target] = [end(0), end(1)];
  const flags = data[at.ipEnd + 13];
  // Segments that the network card was to cut have an IP length of 0.
  const total = at.ipTotalLength >= at.headerEnd - at.linkEnd ? at.ipTotalLength : wireLen - at.linkEnd;
  const payload = Math.max(0, total - (at.headerEnd - at.linkEnd));
  return {
    key: source < target ? `${source} ${target}` : `${target} ${source}`,
    direction: source < target ? 0 : 1,
    seq: view.getUint32(at.ipEnd + 4),
    ack: view.getUint32(at.ipEnd + 8),
    syn: (flags & 2) !== 0,
    hasAck: (flags & 16) !== 0,
    length: payload + ((flags >> 1) & 1) + (flags & 1),
  };
}

function newDirection(): Direction {
  return { max: undefined, first: 0, starts: new Set(), boundaries: new Set(), lastAck: undefined };
}

/** a - b as a signed 32-bit number: RFC 9293 compares sequence numbers so. */
const difference = (a: number, b: number) => (a - b) | 0;
const plus = (a: number, b: number) => (a + b) >>> 0;

function judge(connection: Connection, segment: Segment, counts: TcpNumbers | undefined): void {
  if (counts) counts.segments++;
  const { seq, syn, hasAck, length } = segment;
  // Another SYN number: the ports are used again. (The answer's number is new in any case.)
  const own = connection.directions[segment.direction];
  if (syn && own.max !== undefined && !own.starts.has(seq)) {
    if (!hasAck) connection.directions = [newDirection(), newDirection()];
    else connection.directions[segment.direction] = newDirection();
  }
  const mine = connection.directions[segment.direction];
  const peer = connection.directions[1 - segment.direction];
  followHandshake(connection, segment, counts);
  if (counts && mine.max !== undefined) {
    counts.seq.judged++;
    counts.seq[seqVerdict(mine, mine.max, segment)]++;
  }
  if (hasAck && peer.max !== undefined && difference(segment.ack, peer.first) >= 0) {
    const right =
      peer.boundaries.has(segment.ack) &&
      (mine.lastAck === undefined || difference(segment.ack, mine.lastAck) >= 0);
    if (counts) {
      counts.ack.judged++;
      if (right) counts.ack.right++;
    }
  }
  if (hasAck) mine.lastAck = segment.ack;
  if (mine.max === undefined) {
    mine.first = seq;
    mine.boundaries.add(seq);
  }
  const end = plus(seq, length);
  if (length > 0) mine.starts.add(seq);
  mine.boundaries.add(end);
  if (mine.max === undefined || difference(end, mine.max) > 0) mine.max = end;
}

function seqVerdict(
  mine: Direction,
  max: number,
  { seq, length }: Segment,
): Exclude<keyof TcpNumbers['seq'], 'judged'> {
  if (seq === max) return 'exact';
  // An acknowledgement without payload that was overtaken begins where it always did.
  if (mine.starts.has(seq) || (length === 0 && mine.boundaries.has(seq))) return 'retransmitted';
  if (seq === plus(max, -1) && length <= 1) return 'keepAlive';
  return 'wrong';
}

function followHandshake(connection: Connection, segment: Segment, counts: TcpNumbers | undefined): void {
  const { direction, seq, ack, syn, hasAck } = segment;
  const now = connection.handshake;
  if (syn && !hasAck) {
    if (now?.isn === seq && now.client === direction) return; // repeated
    connection.handshake = { client: direction, isn: seq, done: false, counted: counts !== undefined };
    if (counts) counts.handshakes.syn++;
    return;
  }
  if (!now || now.done || !hasAck) return;
  const note = (key: 'answered' | 'completed' | 'wrong', done: boolean) => {
    now.done = done;
    if (counts && now.counted) counts.handshakes[key]++;
  };
  if (direction !== now.client) {
    if (!syn || now.peerIsn === seq) return;
    if (ack !== plus(now.isn, 1)) return note('wrong', true);
    if (now.peerIsn === undefined) note('answered', false);
    now.peerIsn = seq;
  } else if (now.peerIsn !== undefined) {
    const right = seq === plus(now.isn, 1) && ack === plus(now.peerIsn, 1);
    note(right ? 'completed' : 'wrong', true);
  }
}
