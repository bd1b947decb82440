import { END_OF_TEXT, PKT, type TimeTokens } from '../tokens';
import type { PacketRun } from './packetRun';

/**
 * The grammar of time tokens: behind a packet comes one of them or the end, and nowhere else; a time token is followed by a
 * packet.
 */
export function maskTimes(logits: Float32Array, run: PacketRun, times: TimeTokens): void {
  if (run.awaitsTime) {
    logits.fill(-Infinity, 0, 256);
    logits[PKT] = -Infinity;
    return;
  }
  logits.fill(-Infinity, times.first, times.first + times.edgesMicros.length);
  if (run.empty && run.timed) logits[END_OF_TEXT] = logits[PKT] = -Infinity;
}
