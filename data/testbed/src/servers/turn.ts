/** coturn: a STUN server on UDP, or a TURN server over TLS. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../session';

/** Starts it on the addresses of a name; with `tlsPort` it also relays for "user" with "secret". */
export async function startTurn(session: Session, addresses: string[], tlsPort?: number): Promise<void> {
  const { folder, certificate } = session;
  const path = join(folder, 'turnserver.conf');
  const lines = [
    ...addresses.map((address) => `listening-ip=${address}`), 'listening-port=3478', `relay-ip=${addresses[0]}`, 'realm=example.com', 'fingerprint',
    'no-cli', 'log-file=stdout', 'simple-log', `pidfile=${folder}/turnserver.pid`, `userdb=${folder}/turndb`,
    'no-multicast-peers', 'relay-threads=1', 'no-rfc5780', 'min-port=50000', 'max-port=60000',
    ...(tlsPort
      ? ['lt-cred-mech', 'user=user:secret', `tls-listening-port=${tlsPort}`, 'no-dtls', 'no-udp', 'no-tcp',
         `cert=${certificate.chain}`, `pkey=${certificate.key}`]
      : ['stun-only', 'no-tls', 'no-dtls']),
  ]; // prettier-ignore
  writeFileSync(path, `${lines.join('\n')}\n`);
  session.serve(['turnserver', '-c', path]);
  await session.listening(tlsPort ?? 3478);
}
