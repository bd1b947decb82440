import { SEGMENT_KINDS, type SegmentKind } from './analysis';

/** What is counted segment by segment, over all TCP flows of a capture. */
export interface TcpSegmentCounts {
  segments: number;
  /** What each segment is. */
  kinds: Record<SegmentKind, number>;
  duplicateAcks: number;
  /** Segments (but SYN, FIN and RST) that offer a window of 0. */
  zeroWindows: number;
  /** Segments whose sender had sent one before. */
  seqChecked: number;
  /** ... that begin exactly where its last one ended: sequence continuity. */
  seqContinuous: number;
  /** ... that begin no earlier than its last one: SEQ progress. */
  seqProgress: number;
  /** ... and later. */
  seqAdvances: number;
  /** Segments with ACK whose peer had sent one. */
  ackChecked: number;
  /** ... that acknowledge exactly the end of the peer's last one: acknowledgment continuity. */
  ackContinuous: number;
  /** Segments with ACK whose sender had sent one with ACK before. */
  ackRepeatable: number;
  /** ... whose number is no smaller: ACK progress. */
  ackProgress: number;
  /** ... and larger. */
  ackAdvances: number;
  /** Segments with these flags after the first three of their flow, which are the places of SYN, SYN-ACK and ACK. */
  synAfterOpening: number;
  finAfterOpening: number;
  rstAfterOpening: number;
  conflictingFlags: number;
  resets: number;
  /** RST in a connection whose handshake was seen and that was not being closed from both sides. */
  resetsEstablished: number;
  synEstablished: number;
  sackNotPermitted: number;
  mssOutside: number;
  scaleOutside: number;
}

export function noSegments(): TcpSegmentCounts {
  return {
    segments: 0,
    kinds: Object.fromEntries(SEGMENT_KINDS.map((kind) => [kind, 0])) as Record<SegmentKind, number>,
    duplicateAcks: 0,
    zeroWindows: 0,
    seqChecked: 0,
    seqContinuous: 0,
    seqProgress: 0,
    seqAdvances: 0,
    ackChecked: 0,
    ackContinuous: 0,
    ackRepeatable: 0,
    ackProgress: 0,
    ackAdvances: 0,
    synAfterOpening: 0,
    finAfterOpening: 0,
    rstAfterOpening: 0,
    conflictingFlags: 0,
    resets: 0,
    resetsEstablished: 0,
    synEstablished: 0,
    sackNotPermitted: 0,
    mssOutside: 0,
    scaleOutside: 0,
  };
}

/** Counts over the TCP flows of a capture. */
export interface TcpFlowCounts {
  flows: number;
  /** A SYN of the client's was seen: the others begin before the capture. */
  withSyn: number;
  /** SYN, SYN-ACK and the client's ACK, by the rules of netssm/flows. */
  handshakes: number;
  /** Closed by FINs of both sides; by RST before that; handshake seen and closed either way. */
  closedByFin: number;
  closedByRst: number;
  handshakesClosed: number;
  /** A FIN was seen, from either side. */
  withFin: number;
  /** ... and acknowledged by the other. */
  finAcknowledged: number;
}

export function noFlows(): TcpFlowCounts {
  return {
    flows: 0,
    withSyn: 0,
    handshakes: 0,
    closedByFin: 0,
    closedByRst: 0,
    handshakesClosed: 0,
    withFin: 0,
    finAcknowledged: 0,
  };
}

/** Numbers added up, nested records included. */
export function addCounts<T extends object>(sum: T, more: T): T {
  for (const [key, value] of Object.entries(more) as [keyof T, unknown][]) {
    if (typeof value === 'number') (sum[key] as number) += value;
    else addCounts(sum[key] as object, value as object);
  }
  return sum;
}
