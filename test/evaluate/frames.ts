import type { Frame } from '../../src/capture';
import { computeChecksums } from '../../src/tokens';
import { locateHeaders } from '../../src/packets';

/** What a hand-made TCP frame differs in. */
export interface FrameOptions {
  down?: boolean;
  sport?: number;
  dport?: number;
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  ttl?: number;
  /** TCP payload length by the IP header; the payload itself is not captured. */
  payload?: number;
}

/** An Ethernet / IPv4 / TCP frame of 54 header bytes, client 10.0.0.2 to server 10.0.0.1, checksums 0. */
export function tcpFrame(options: FrameOptions = {}): Uint8Array {
  const o = {
    down: false,
    sport: 40000,
    dport: 80,
    seq: 0,
    ack: 0,
    flags: 0x10,
    window: 1000,
    ttl: 64,
    payload: 0,
    ...options,
  };
  const f = new Uint8Array(54);
  const view = new DataView(f.buffer);
  f.set(o.down ? [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] : [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  view.setUint16(12, 0x0800);
  f[14] = 0x45;
  view.setUint16(16, 40 + o.payload);
  f[22] = o.ttl;
  f[23] = 6;
  f.set(o.down ? [10, 0, 0, 1, 10, 0, 0, 2] : [10, 0, 0, 2, 10, 0, 0, 1], 26);
  view.setUint16(34, o.down ? o.dport : o.sport);
  view.setUint16(36, o.down ? o.sport : o.dport);
  view.setUint32(38, o.seq);
  view.setUint32(42, o.ack);
  f[46] = 0x50;
  f[47] = o.flags;
  view.setUint16(48, o.window);
  return f;
}

/** The same as a frame with right checksums. */
export function frame(options: FrameOptions = {}, tsMicros = 0): Frame {
  const data = tcpFrame(options);
  const at = locateHeaders(data, 1);
  if (at.ok) computeChecksums(data, at);
  return { data, wireLen: 54 + (options.payload ?? 0), tsMicros, tsNanos: 0, linkType: 1, interfaceId: 0 };
}

const [FIN, SYN, PSH, ACK] = [1, 2, 8, 16];

/** A whole connection: handshake, a request of 100 bytes, an answer of `answer` bytes, both FINs. 9 packets. */
export function connection(sport: number, isn = 1000, answer = 500, more: FrameOptions = {}): Frame[] {
  const up = { sport, ...more };
  const down = { ...up, down: true };
  const peer = isn + 50_000;
  const c = isn + 101;
  const s = peer + 1 + answer;
  return [
    frame({ ...up, flags: SYN, seq: isn }),
    frame({ ...down, flags: SYN | ACK, seq: peer, ack: isn + 1 }),
    frame({ ...up, seq: isn + 1, ack: peer + 1 }),
    frame({ ...up, flags: PSH | ACK, seq: isn + 1, ack: peer + 1, payload: 100 }),
    frame({ ...down, flags: PSH | ACK, seq: peer + 1, ack: c, payload: answer }),
    frame({ ...up, seq: c, ack: s }),
    frame({ ...up, flags: FIN | ACK, seq: c, ack: s }),
    frame({ ...down, flags: FIN | ACK, seq: s, ack: c + 1 }),
    frame({ ...up, seq: c + 1, ack: s + 1 }),
  ].map((f, i) => ({ ...f, tsMicros: i * 1000 }));
}
