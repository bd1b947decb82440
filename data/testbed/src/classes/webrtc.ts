import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended } from '../lib/process';
import { PYTHON, pythonProgram } from '../lib/paths';
import type { Random } from '../lib/random';
import type { Session } from '../session';
import { distinctHosts } from '../servers/hosts';
import { startTurn } from '../servers/turn';
import { requestHeaders } from './common';
import type { PlanInput, TrafficClass } from './types';

export interface CallScript {
  host: string;
  /** The STUN or TURN server. */
  helper: string;
  talkSeconds: number;
  video: boolean;
  width: number;
  height: number;
  fps: number;
  /** Noise in the picture: how many bits it needs. */
  noise: number;
  spurtSeconds: number;
  rosterBytes: number;
  headers: Record<string, string>;
}

/** A call's script, with media in UDP or in TLS. */
export function planCall({ rng, names, conditions }: PlanInput, pictures: number): CallScript {
  const [host, helper] = distinctHosts(conditions, rng.sample(names, names.length), 2);
  const [width, height] = rng.pick([[160, 120], [256, 144], [320, 180]]); // prettier-ignore
  return {
    host, helper, width, height,
    talkSeconds: talkSeconds(rng),
    video: rng.chance(pictures),
    fps: rng.pick([5, 8, 10]),
    noise: rng.uniform(0.5, 4),
    spurtSeconds: rng.uniform(3, 8),
    rosterBytes: rng.size(500, 9000),
    headers: requestHeaders(rng, 'application/json', 100, 700),
  }; // prettier-ignore
}

const talkSeconds = (rng: Random): number => rng.exponential(0.5, 0, 15) + 4.8;

/** Starts the other party; returns what the caller is told beside the script. */
export async function serveCall(session: Session, tlsPort?: number): Promise<void> {
  const { folder, conditions, certificate } = session;
  const script = session.script as CallScript;
  const task = join(folder, 'answer.json');
  const { chain: cert, key } = certificate;
  writeFileSync(task, JSON.stringify({ script, addresses: conditions.names[script.host], cert, key }));
  await startTurn(session, conditions.names[script.helper], tlsPort);
  session.serve([PYTHON, pythonProgram('rtc.py'), 'serve', task]);
  await session.listening(443);
}

export async function makeCall(session: Session, more: Record<string, unknown>): Promise<void> {
  const task = join(session.folder, 'call.json');
  const { script, log, ca } = session;
  writeFileSync(task, JSON.stringify({ script, log, ca, ...more }));
  await ended(session.client([PYTHON, pythonProgram('rtc.py'), 'call', task], { SSL_CERT_FILE: ca }));
}

/** A video call: signalling over HTTPS, STUN, DTLS, then SRTP over UDP. */
export const webrtc: TrafficClass = {
  name: 'webrtc',
  service: 'conferencing',
  adaptive: true,
  programs: ['aiortc', 'coturn'],
  tuning: { clientWindow: 2 ** 23, serverWindow: 2 ** 21, serverMtu: 1500 },
  description: 'aiortc at both ends (ICE, DTLS, SRTP, Opus, VP8 with congestion control), coturn for STUN',

  plan: (input) => planCall(input, 0.65),

  serve: (session) => serveCall(session),

  use(session) {
    const { helper } = session.script as CallScript;
    return makeCall(session, { stun: helper });
  },
};
