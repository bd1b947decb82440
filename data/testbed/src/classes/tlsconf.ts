import { makeCall, planCall, serveCall, type CallScript } from './webrtc';
import type { TrafficClass } from './types';

const TURN_PORT = 5349;

/** A video call where UDP is blocked: all media through a TURN server over TLS. */
export const tlsconf: TrafficClass = {
  name: 'tlsconf',
  service: 'conferencing',
  adaptive: true,
  programs: ['aiortc', 'coturn'],
  tuning: { clientWindow: 2 ** 23, serverWindow: 2 ** 21, serverMtu: 1412 },
  description: 'aiortc at both ends, all media relayed by coturn over TLS (TURN, RFC 8656), signalling over HTTPS',

  plan: (input) => planCall(input, 0.4),

  serve: (session) => serveCall(session, TURN_PORT),

  use(session) {
    const { helper } = session.script as CallScript;
    return makeCall(session, { turn: { host: helper, port: TURN_PORT } });
  },
};
