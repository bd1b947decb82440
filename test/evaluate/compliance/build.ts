import type { Frame } from '../../../src/capture';
import {
  encodePacket,
  layer,
  type Ipv4Fields,
  type LayerFields,
  type TcpFields,
  type TcpOption,
} from '../../../src/packets';

export const [FIN, SYN, RST, PSH, ACK, URG, ECE, CWR] = [1, 2, 4, 8, 16, 32, 64, 128];

/** What a segment of the made-up connection 10.0.0.2:40000 > 192.0.2.1:443 is. */
export interface Segment extends Partial<TcpFields> {
  down?: boolean;
  /** Payload: bytes, or how many. */
  data?: number | Uint8Array;
  ip?: Partial<Ipv4Fields>;
  ethernet?: Partial<LayerFields['ethernet']>;
  port?: number;
}

/** A frame of a connection, with right checksums where nothing else is said. */
export function tcp({ down, data = 0, ip, ethernet, port = 40_000, ...fields }: Segment): Uint8Array {
  const payload = typeof data === 'number' ? new Uint8Array(data).fill(7) : data;
  const ports = down
    ? { sourcePort: 443, destinationPort: port }
    : { sourcePort: port, destinationPort: 443 };
  const ends = down
    ? { source: '192.0.2.1', destination: '10.0.0.2' }
    : { source: '10.0.0.2', destination: '192.0.2.1' };
  return encodePacket(
    [
      layer('ethernet', { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02', ...ethernet }),
      layer('ipv4', { ...ends, flags: 2, ...ip }),
      layer('tcp', { ...ports, flags: ACK, window: 8192, ...fields }),
    ],
    payload,
  );
}

/** Frames 1 ms apart, or at given milliseconds. */
export function frames(packets: readonly Uint8Array[], millis?: readonly number[], linkType = 1): Frame[] {
  return packets.map((data, i) => ({
    data,
    wireLen: data.length,
    tsMicros: 1_700_000_000_000_000 + (millis?.[i] ?? i) * 1000,
    tsNanos: 0,
    linkType,
    interfaceId: 0,
  }));
}

export const MSS: TcpOption = { kind: 'mss', value: 1460 };
export const SACK_OK: TcpOption = { kind: 'sackPermitted' };
export const scale = (shift: number): TcpOption => ({ kind: 'windowScale', shift });
export const stamps = (value: number, echoReply: number): TcpOption => ({
  kind: 'timestamps',
  value,
  echoReply,
});

/** Client's numbers begin at 1000, the server's at 9000. */
export interface OpenOptions {
  client?: TcpOption[];
  server?: TcpOption[];
  clientFlags?: number;
  serverFlags?: number;
  window?: number;
}

/** SYN, SYN-ACK, ACK. Client goes on at 1001, server at 9001. */
export function open(options: OpenOptions = {}): Segment[] {
  const {
    client = [MSS],
    server = [MSS],
    clientFlags = SYN,
    serverFlags = SYN | ACK,
    window = 8192,
  } = options;
  const both = [client, server].every((list) => list.some(({ kind }) => kind === 'timestamps'));
  return [
    { flags: clientFlags, sequenceNumber: 1000, options: client, window },
    {
      down: true,
      flags: serverFlags,
      sequenceNumber: 9000,
      acknowledgmentNumber: 1001,
      options: server,
      window,
    },
    { sequenceNumber: 1001, acknowledgmentNumber: 9001, window, ...(both && { options: [stamps(11, 20)] }) },
  ];
}

/** A segment from the client at an offset of its first byte of data; the server likewise with `down`. */
export function at(offset: number, data: number, more: Segment = {}): Segment {
  return {
    sequenceNumber: (more.down ? 9001 : 1001) + offset,
    acknowledgmentNumber: more.down ? 1001 : 9001,
    data,
    ...more,
  };
}

export const build = (segments: readonly Segment[], millis?: readonly number[]): Frame[] =>
  frames(segments.map(tcp), millis);
