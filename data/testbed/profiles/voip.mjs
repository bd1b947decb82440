/** A call: SIP over TCP sets it up and ends it, RTP runs both ways every 20 ms, RTCP beside it. */

export const label = 'voip';

export function plan({ rng, names, conditions }) {
  const [host] = rng.sample(names, 1);
  return {
    host,
    address: conditions.names[host],
    mediaPort: 2 * rng.integer(5000, 15000),
    payload: rng.pick([160, 160, 20]), // G.711 or G.729, 20 ms
    talkSeconds: rng.uniform(2.2, 3.4),
    ringSeconds: rng.uniform(0.3, 0.8),
  };
}

export async function serve(session) {
  const plan = JSON.stringify(session.plan);
  session.serve([process.execPath, session.path('phone.mjs'), 'answer', plan]);
  await session.listening(5060);
}

export const use = (session) => session.program('phone.mjs', 'call', session.plan);
