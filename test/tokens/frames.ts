import type { Frame } from '../../src/capture/frame';

/** Bytes from hex, spaces ignored. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'));
}

export const ETHERNET = '02 00 00 00 00 02  02 00 00 00 00 01';
/** 10.0.0.1:49152 -> 10.0.0.2:80, SYN with MSS, SACK permitted, timestamps, window scale; right checksums. */
export const SYN = hex(`${ETHERNET} 08 00
  45 00 00 3c  12 34 40 00  40 06 14 86  0a 00 00 01  0a 00 00 02
  c0 00 00 50  00 00 00 01  00 00 00 00  a0 02 fa f0  78 ba 00 00
  02 04 05 b4  04 02 08 0a  00 00 00 01  00 00 00 00  01 03 03 07`);
/** A DNS query for "a": 17 bytes of UDP payload; UDP checksum 0x1234 as it came. */
export const DNS = hex(`${ETHERNET} 08 00
  45 00 00 2f  00 01 00 00  40 11 66 bb  0a 00 00 01  0a 00 00 02
  c0 01 00 35  00 1b 12 34
  ab cd 01 00  00 01 00 00  00 00 00 00  01 61 00  00 01 00 01`);
/** IPv6 UDP without payload. */
export const UDP6 = hex(`${ETHERNET} 86 dd
  60 00 00 00  00 08 11 40  fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
  fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02  c0 01 00 35  00 08 00 00`);

export function frame(data: Uint8Array, tsMicros = 0, wireLen = data.length): Frame {
  return { data, wireLen, tsMicros, tsNanos: 0, linkType: 1, interfaceId: 0 };
}

/** The SYN with other ports, sequence number and flags (checksums left as they are). */
export function tcp(sourcePort: number, destinationPort: number, seq: number, flags = 0x10): Uint8Array {
  const data = SYN.slice();
  const view = new DataView(data.buffer);
  view.setUint16(34, sourcePort);
  view.setUint16(36, destinationPort);
  view.setUint32(38, seq);
  data[47] = flags;
  return data;
}

/** VLAN tags (TPID, TCI) put in before the EtherType. */
export function tagged(data: Uint8Array, ...tags: string[]): Uint8Array {
  return Uint8Array.from([
    ...data.subarray(0, 12),
    ...tags.flatMap((t) => [...hex(t)]),
    ...data.subarray(12),
  ]);
}
