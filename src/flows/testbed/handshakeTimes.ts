import { toSession } from '../session';
import type { TestbedSession } from './dataset';

/** How long a TCP connection's first answer took, and how long it had to. */
export interface HandshakeTime {
  /** `192.0.2.1:443`. */
  server: string;
  /** Twice the one-way delay to this server that the session's conditions have. */
  drawnMs: number;
  /** From the client's SYN to the server's SYN-ACK, at the client. */
  measuredMs: number;
  /** The first flow of the session to this address: the last router has to find its hardware address (ARP), too. */
  firstContact: boolean;
}

/** Round trips of all handshakes of a session whose second packet is the SYN-ACK. Reads its packets. */
export function handshakeTimes(session: TestbedSession): HandshakeTime[] {
  const { frames, flows } = toSession(session.id, session.frames());
  const { delayMs, fartherMs } = session.truth.conditions;
  const met = new Set<string>();
  const times: HandshakeTime[] = [];
  for (const { server, tcp, fromClient, frames: own } of flows) {
    const firstContact = !met.has(server.address);
    met.add(server.address);
    if (!tcp?.handshake || fromClient[1]) continue;
    times.push({
      server: `${server.address}:${server.port}`,
      drawnMs: 2 * (delayMs + (fartherMs[server.address] ?? 0)),
      measuredMs: (frames[own[1]].tsMicros - frames[own[0]].tsMicros) / 1000,
      firstContact,
    });
  }
  return times;
}
