/** Segmented video over TLS: a manifest, two video connections, one for audio, steady requests. */
import { startNginx } from '../lib/nginx.mjs';

export const label = 'stream';

export function plan({ rng, names }) {
  const [host] = rng.sample(names, 1);
  const segments = rng.integer(6, 9);
  const video = rng.pick([32000, 45000]); // the representation, bytes a segment
  const audio = 6000;
  return {
    host,
    periodSeconds: 0.8,
    startup: 2, // segments fetched before the first wait
    manifest: rng.integer(2500, 4500),
    video: Array.from({ length: segments }, () => Math.round(video * rng.uniform(0.75, 1.25))),
    audio: Array.from({ length: segments }, () => Math.round(audio * rng.uniform(0.95, 1.05))),
  };
}

export async function serve(session) {
  const { manifest, video, audio } = session.plan;
  const files = { '/manifest.mpd': manifest, '/video-init.mp4': 900, '/audio-init.mp4': 700 };
  video.forEach((size, i) => (files[`/video-${i}.m4s`] = size));
  audio.forEach((size, i) => (files[`/audio-${i}.m4s`] = size));
  await startNginx(session, files);
}

export const use = (session) => session.program('player.mjs', session.plan);
