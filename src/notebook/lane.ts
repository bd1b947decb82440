import type { Frame } from '../capture';
import { traceOfFrames, type PacketLane } from '../evaluate';

/**
 * A capture's first packets as signed sizes, for `packetLanes` of `netssm/viz`.
 * @param source `reference` for real packets, `synthetic` for generated ones: decides name and colour.
 */
export function packetLane(
  frames: readonly Frame[],
  source: 'reference' | 'synthetic',
  label: string,
  file = label,
  limit = 150,
): PacketLane {
  const packets = traceOfFrames(label, frames, file).packets.slice(0, limit);
  return {
    source,
    label,
    file,
    packets: packets.flatMap(({ role, wireLen }) =>
      role ? [{ size: role.up ? wireLen : -wireLen, flow: role.flow }] : [],
    ),
  };
}
