import { locateKept } from './linkTypes';

/**
 * For each packet of a sequence the packet before it from the same address and port to the same address and port, and of
 * the same protocol; -1 where there is none. Packet i is data[at[i] .. at[i + 1]). int32 [count].
 */
export function previousOfDirection(data: Uint8Array, at: Uint32Array, linkType: number): Int32Array {
  const previous = new Int32Array(at.length - 1).fill(-1);
  const last = new Map<string, number>();
  for (let i = 0; i < previous.length; i++) {
    const bytes = data.subarray(at[i], at[i + 1]);
    const found = locateKept(bytes, linkType);
    if (!found.ok || found.captured < found.ipEnd + 4) continue;
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
  return previous;
}
