import { TcpFlag } from '../../packets';
import type { SegmentKind } from './analysis';
import type { TcpSegmentCounts } from './counts';
import type { Hit } from './hits';
import { seqDifference, type CheckedSegment, type Side, type SynOffer } from './side';
import { flagText } from './tcpSegment';

const { RST, ACK, ECE, CWR } = TcpFlag;

/** Options and flags that the two SYNs decide on. */
export function checkAgreed(
  segment: CheckedSegment,
  own: Side,
  peer: Side,
  kind: SegmentKind,
  counts: TcpSegmentCounts,
  hit: Hit,
): void {
  const { flags, options } = segment;
  const both = own.syn && peer.syn ? ([own.syn, peer.syn] as const) : undefined;
  const whole = both !== undefined && both[0].complete && both[1].complete;
  const timestamps = options.find((option) => option.kind === 'timestamps');
  const sack = options.find((option) => option.kind === 'sack');
  if (whole && !(flags & RST)) {
    const agreed = both[0].timestamps && both[1].timestamps;
    if (agreed && !timestamps && segment.optionsComplete && !isProbe(segment, kind)) {
      hit('tcp-timestamps-missing', () => `no timestamps in ${flagText(flags)}`);
    } else if (!agreed && timestamps) {
      hit('tcp-timestamps-not-agreed', () => 'timestamps, which the SYNs did not agree on');
    }
  }
  if (sack && peer.syn?.complete && !peer.syn.sackPermitted) {
    hit('tcp-sack-not-permitted', () => 'SACK to a side whose SYN did not permit it');
    counts.sackNotPermitted++;
  }
  if (sack && peer.seen && !peer.hole) {
    for (const [left, right] of sack.blocks) {
      const beyond = seqDifference(right, peer.next);
      if (beyond > 0) {
        hit('tcp-sack-unseen', () => `block {${left}:${right}}, ${beyond} bytes beyond what was sent`);
      }
    }
  }
  if (both) {
    const ecn = agreedOnEcn(both[0], both[1]);
    if (flags & (ECE | CWR) && !ecn) hit('tcp-ecn-not-agreed', () => flagText(flags));
    else if (segment.reserved & 1 && !ecn) hit('tcp-reserved', () => 'AE without ECN agreed on');
  }
  if (options.some(({ kind }) => kind === 'mss')) counts.mssOutside++;
  if (options.some(({ kind }) => kind === 'windowScale')) counts.scaleOutside++;
  if (peer.syn?.mss !== undefined && segment.payload > peer.syn.mss) {
    hit('tcp-mss-exceeded', () => `${segment.payload} bytes where the peer's MSS is ${peer.syn!.mss}`);
  }
  if (timestamps && own.seen) checkTimestamps(segment, timestamps, own, peer, kind, hit);
}

function isProbe({ payload }: CheckedSegment, kind: SegmentKind): boolean {
  return payload <= 1 && (kind === 'keepAlive' || kind === 'windowProbe');
}

function checkTimestamps(
  { flags, sequenceNumber }: CheckedSegment,
  { value, echoReply }: { value: number; echoReply: number },
  own: Side,
  peer: Side,
  kind: SegmentKind,
  hit: Hit,
): void {
  const isNew = kind === 'new' && sequenceNumber === own.next;
  if (isNew && own.timestamp !== undefined && seqDifference(value, own.timestamp) < 0) {
    hit('tcp-timestamps-backwards', () => `${value} after ${own.timestamp}`);
  }
  if (flags & ACK && !(flags & RST) && peer.syn && peer.timestamp !== undefined && !peer.hole) {
    if (seqDifference(echoReply, peer.timestamp) > 0) {
      hit('tcp-timestamps-echo', () => `echoes ${echoReply}; the peer's highest is ${peer.timestamp}`);
    }
  }
}

/** RFC 3168, section 6.1.1: ECE and CWR in the SYN, ECE alone in the SYN-ACK; accurate ECN answers with others. */
function agreedOnEcn(a: SynOffer, b: SynOffer): boolean {
  const [syn, synAck] = a.flags & ACK ? [b, a] : [a, b];
  if ((syn.flags & (ECE | CWR)) !== (ECE | CWR)) return false;
  if (syn.reserved & 1) return true;
  return (synAck.flags & (ECE | CWR)) === ECE;
}
