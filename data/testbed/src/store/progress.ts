/** Lines that tell how a run is getting on. */
import type { SessionTruth } from '../session';

/** `12 s`, `4 min`, `1 h 20 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** One finished session. */
export function describeProgress(
  truth: SessionTruth,
  bytes: number,
  made: number,
  total: number,
  started: number,
): string {
  const tcp = truth.flows.filter((f) => f.protocol === 'tcp');
  const elapsed = (Date.now() - started) / 1000;
  const eta = (elapsed / made) * (total - made);
  return (
    `${String(made).padStart(5)}/${total}  ${truth.id.padEnd(24)} ${String(truth.packets).padStart(6)} packets ` +
    `${String(truth.flows.length).padStart(3)} flows ${truth.seconds.toFixed(1).padStart(5)} s ` +
    `${(bytes / truth.packets).toFixed(1).padStart(5)} B/packet  ` +
    `${tcp.filter((f) => f.handshake).length}/${tcp.length} handshakes, ${tcp.filter((f) => f.end !== 'open').length} closed` +
    `  (about ${formatSeconds(eta)} left)`
  );
}
