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
