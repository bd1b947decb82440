import type { HeaderBatch } from '../packets';

/** Datagrams remembered at once, and fragments that may wait for their first. */
const MAX_DATAGRAMS = 1024;
const MAX_WAITING = 64;
/** RFC 791 lets fragments live for their TTL, RFC 8200 for 60 s. */
const LIFETIME_MICROS = 60e6;

/** A fragment whose first has not been seen. */
export interface WaitingFragment {
  readonly tsMicros: number;
  readonly wireLen: number;
  /** Bytes of the datagram in it. */
  readonly length: number;
}

interface Datagram {
  flow: number;
  slot: number;
  fromClient: number;
  tsMicros: number;
  waiting: WaitingFragment[];
}

/**
 * Which flow a fragmented datagram belongs to: the first fragment, which has the ports, tells it for those that
 * share its addresses, protocol and identification (RFC 791, section 3.2). Bounded; the oldest datagrams are forgotten.
 */
export class FragmentFlows {
  private readonly datagrams = new Map<string, Datagram>();

  /** The first fragment has been given to a flow. Returns the later ones that were seen before it. */
  opened(batch: HeaderBatch, row: number, flow: number, slot: number): WaitingFragment[] {
    const key = keyOf(batch, row);
    const earlier = this.get(key, batch.tsMicros[row]);
    this.datagrams.delete(key);
    const tsMicros = batch.tsMicros[row];
    this.put(key, { flow, slot, fromClient: batch.fromClient[row], tsMicros, waiting: [] });
    return earlier?.waiting ?? [];
  }

  /** The flow of a later fragment, if its first has been seen. */
  find(batch: HeaderBatch, row: number): { flow: number; slot: number; fromClient: number } | undefined {
    const found = this.get(keyOf(batch, row), batch.tsMicros[row]);
    return found && found.flow >= 0 ? found : undefined;
  }

  /** Keeps a fragment in mind until its first comes. */
  wait(batch: HeaderBatch, row: number): void {
    if (batch.fragment[row] === 0 || batch.ipVersion[row] === 0) return;
    const key = keyOf(batch, row);
    const tsMicros = batch.tsMicros[row];
    let datagram = this.get(key, tsMicros);
    if (!datagram || datagram.flow >= 0) {
      datagram = { flow: -1, slot: -1, fromClient: 0, tsMicros, waiting: [] };
      this.put(key, datagram);
    }
    if (datagram.waiting.length < MAX_WAITING) {
      datagram.waiting.push({ tsMicros, wireLen: batch.wireLen[row], length: batch.payloadLength[row] });
    }
  }

  private get(key: string, now: number): Datagram | undefined {
    const found = this.datagrams.get(key);
    return found && now - found.tsMicros <= LIFETIME_MICROS ? found : undefined;
  }

  private put(key: string, datagram: Datagram): void {
    this.datagrams.set(key, datagram);
    if (this.datagrams.size <= MAX_DATAGRAMS) return;
    for (const oldest of this.datagrams.keys()) {
      this.datagrams.delete(oldest);
      return;
    }
  }
}

function keyOf(batch: HeaderBatch, row: number): string {
  const source = batch.source.subarray(4 * row, 4 * row + 4).join('.');
  const destination = batch.destination.subarray(4 * row, 4 * row + 4).join('.');
  return `${batch.protocol[row]} ${batch.identification[row]} ${source} ${destination}`;
}
