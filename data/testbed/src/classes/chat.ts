import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended } from '../lib/process';
import { PYTHON, pythonProgram } from '../lib/paths';
import { requestHeaders } from './common';
import type { TrafficClass } from './types';

interface ChatStep {
  thinkSeconds: number;
  kind: 'message' | 'upload' | 'download';
  bytes: number;
  /** "Is typing" notes before a message. */
  typing: number;
  /** An upload that the user gives up. */
  giveUpSeconds?: number;
}

/** Messages over WebSocket, photos and voice notes up and down over HTTPS. */
export const chat: TrafficClass = {
  name: 'chat',
  service: 'social',
  adaptive: false,
  programs: ['aiohttp'],
  tuning: { clientWindow: 2 ** 25, serverWindow: 2 ** 17, serverMtu: 1404 },
  description: 'aiohttp at both ends: WebSocket over TLS for messages, HTTPS for uploads and downloads',

  plan({ rng, names }) {
    const [chatHost, fileHost] = rng.sample(names, 2);
    const steps = Array.from({ length: rng.integer(7, 16) }, (): ChatStep => {
      const thinkSeconds = rng.exponential(0.8, 0.15, 4);
      const kind = rng.pick(['message', 'message', 'message', 'message', 'upload', 'download'] as const);
      if (kind === 'message') return { thinkSeconds, kind, bytes: rng.size(10, 600), typing: rng.integer(0, 3) };
      const bytes = kind === 'upload' ? rng.size(12_000, 100_000) : rng.size(6_000, 70_000);
      const giveUp = kind === 'upload' && rng.chance(0.12) && { giveUpSeconds: rng.uniform(0.2, 0.8) };
      return { thinkSeconds, kind, bytes, typing: 0, ...giveUp };
    });
    // Everybody sends a photo.
    steps[rng.integer(2, 5)] = { thinkSeconds: 0.5, kind: 'upload', bytes: rng.size(40_000, 150_000), typing: 0 };
    const types = ['message', 'message', 'typing', 'presence', 'receipt'];
    const incoming = Array.from({ length: rng.integer(8, 30) }, () => ({
      at: Number(rng.uniform(0.3, 15).toFixed(2)),
      type: rng.pick(types),
      bytes: rng.size(20, 700),
    })).sort((a, b) => a.at - b.at);
    return {
      chatHost, fileHost, steps, incoming,
      heartbeatSeconds: rng.uniform(2, 5),
      historyBytes: rng.size(2000, 30_000),
      lingerSeconds: rng.uniform(0.3, 2),
      headers: requestHeaders(rng, '*/*', 60, 300),
    }; // prettier-ignore
  },

  async serve(session) {
    const { folder, script, certificate } = session;
    const filler = join(folder, 'filler.bin');
    writeFileSync(filler, session.filler(400_000));
    const task = join(folder, 'serve.json');
    writeFileSync(task, JSON.stringify({ script, filler, cert: certificate.chain, key: certificate.key }));
    session.serve([PYTHON, pythonProgram('chat.py'), 'serve', task]);
    await session.listening(443);
  },

  async use(session) {
    const { folder, script, log, ca } = session;
    const task = join(folder, 'talk.json');
    writeFileSync(task, JSON.stringify({ script, log, ca, filler: join(folder, 'filler.bin') }));
    await ended(session.client([PYTHON, pythonProgram('chat.py'), 'talk', task]));
  },
};
