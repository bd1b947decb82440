import { locateKept } from './linkTypes';

/** What came before the packets of a sequence in their flows. */
export interface PacketsBefore {
  /**
   * [count]: for each packet the one before it from the same address and port to the same address and port, and of the same
   * protocol; -1 where there is none.
   */
  readonly previous: Int32Array;
  /** [count]: 1 for TCP. */
  readonly tcp: Uint8Array;
}

/** Packet i is data[at[i] .. at[i + 1]). */
export function packetsBefore(data: Uint8Array, at: Uint32Array, linkType: number): PacketsBefore {
  const previous = new Int32Array(at.length - 1).fill(-1);
  const tcp = new Uint8Array(previous.length);
  const last = new Map<string, number>();
  for (let i = 0; i < previous.length; i++) {
    const bytes = data.subarray(at[i], at[i + 1]);
    const found = locateKept(bytes, linkType);
    if (!found.ok || found.captured < found.ipEnd + 4) continue;
    if (found.transport === 'tcp') tcp[i] = 1;
    const hosts = found.linkEnd + (found.ipVersion === 4 ? 12 : 8);
    const hostsEnd = hosts + (found.ipVersion === 4 ? 8 : 32);
    const key =
      found.transport +
      String.fromCharCode(
        ...bytes.subarray(hosts, hostsEnd),
        ...bytes.subarray(found.ipEnd, found.ipEnd + 4),
      );
    previous[i] = last.get(key) ?? -1;
    last.set(key, i);
  }
  return { previous, tcp };
}
