import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { NetssmError } from '../../util';

/** The network that a session ran in; drawn from its seed, but for the last three. */
export interface SessionConditions {
  client: string;
  clientMac: string;
  routerMac: string;
  resolver: string;
  /** Every address of the application's servers. */
  servers: string[];
  /** More one-way delay to some of the servers, ms. */
  fartherMs: Record<string, number>;
  /** Host name -> its addresses. */
  names: Record<string, string[]>;
  /** Of the client's kernel: `32768 60999`. */
  portRange: string;
  /** Routers passed; each takes one from the TTL. */
  hops: number;
  mtu: number;
  /** Bottleneck towards the client and away from it. */
  downMbit: number;
  upMbit: number;
  /** Changes of the rate: at `atSeconds` to `factor` times the first one. */
  rateSteps: { atSeconds: number; factor: number }[];
  queueMs: number;
  /** In each direction. */
  delayMs: number;
  jitterMs: number;
  /** Share of lost packets, and the mean length of a burst of losses. */
  loss: number;
  lossBurst: number;
  reorder: number;
  congestion: 'cubic' | 'bbr' | 'reno';
  timestamps: boolean;
  sack: boolean;
  windowScaling: boolean;
  /** The application's own, the same in all of its sessions: largest windows in bytes, largest packet. */
  clientWindow: number;
  serverWindow: number;
  serverMtu: number;
}

/** An object that was really served: a page, a picture, a segment, a message. */
export interface ServedObject {
  /** When the request left the client, in seconds since the session's first packet. */
  at: number;
  /** Until its last byte. */
  seconds: number;
  kind: string;
  name: string;
  /** Of the body. */
  bytes: number;
  /** The connection; absent where several were used or none is known. */
  server?: string;
  clientPort?: number;
  /** Bitrate chosen, where it adapts. */
  kbit?: number;
  /** Absent: complete. */
  ended?: 'aborted' | 'failed';
}

/** A flow as the testbed counted it. */
export interface TrueFlow {
  protocol: 'tcp' | 'udp';
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
  /** First packet, in seconds since the session's first. */
  start: number;
  seconds: number;
  packetsUp: number;
  packetsDown: number;
  /** Payload, retransmissions included. */
  bytesUp: number;
  bytesDown: number;
  /** TCP only. */
  handshake?: boolean;
  end?: 'fin' | 'rst' | 'open';
}

/** The ground truth of a session, a line of `sessions.jsonl.br`. */
export interface SessionTruth {
  id: string;
  application: string;
  service: string;
  split: 'train' | 'test';
  seed: string;
  /** First packet, seconds since 1970; all other times count from it. */
  began: number;
  seconds: number;
  packets: number;
  conditions: SessionConditions;
  /** What the user did; the fields are the class's own. */
  script: unknown;
  objects: ServedObject[];
  flows: TrueFlow[];
  /** What carried the packets; the relay counts what it did. */
  wire: { kind: 'netem' | 'relay'; forwarded?: number; lost?: number; reordered?: number };
  /** Of the whole packets, before they were cut. */
  checksums: {
    ipv4: number;
    ipv4Right: number;
    tcp: number;
    tcpRight: number;
    udp: number;
    udpRight: number;
  };
}

export const TRUTH_FILE = 'sessions.jsonl.br';

/** The ground truth of a set: unpacked when first asked for, each line read when it is wanted. */
export class TruthFile {
  private lines?: Map<string, Buffer>;
  private readonly read = new Map<string, SessionTruth>();

  constructor(
    private readonly dir: string,
    /** The manifest's sessions, in whose order the lines are. */
    private readonly ids: readonly string[],
  ) {}

  /** @throws NetssmError `testbed_damaged`. */
  of(id: string): SessionTruth {
    const known = this.read.get(id);
    if (known) return known;
    const line = (this.lines ??= this.unpack()).get(id);
    const path = join(this.dir, TRUTH_FILE);
    let truth: SessionTruth | undefined;
    try {
      truth = line && (JSON.parse(line.toString('utf8')) as SessionTruth);
    } catch {
      // said below
    }
    if (truth?.id !== id) {
      throw new NetssmError('testbed_damaged', `${path}: the line of ${id} is missing or cannot be read`, {
        hint: 'The file and manifest.json do not belong together: get both anew.',
      });
    }
    this.read.set(id, truth);
    return truth;
  }

  private unpack(): Map<string, Buffer> {
    const path = join(this.dir, TRUTH_FILE);
    let text: Buffer;
    try {
      text = brotliDecompressSync(readFileSync(path));
    } catch (cause) {
      throw new NetssmError('testbed_damaged', `cannot read ${path}: ${(cause as Error).message}`, {
        cause,
        hint: 'Get the file anew: git checkout, or data/testbed/make.mjs.',
      });
    }
    const lines = new Map<string, Buffer>();
    let at = 0;
    for (const id of this.ids) {
      const end = text.indexOf(10, at);
      if (end < 0) break;
      lines.set(id, text.subarray(at, end));
      at = end + 1;
    }
    return lines;
  }
}
