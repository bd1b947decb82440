/** A segment player: fills its buffer, then asks for one segment a period. */
import https from 'node:https';
import { lookup } from './lookup.mjs';

const plan = JSON.parse(process.argv[2]);
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
/** One persistent connection. */
const connection = () => new https.Agent({ keepAlive: true, keepAliveMsecs: 45_000, maxSockets: 1 });
const video = [connection(), connection()];
const audio = connection();
const headers = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', Accept: '*/*' };

const get = (agent, path) =>
  new Promise((resolve, reject) => {
    const options = { host: plan.host, path, agent, headers, lookup, rejectUnauthorized: false };
    https
      .get(options, (response) => {
        response.resume();
        response.on('end', resolve);
        response.on('error', reject);
      })
      .on('error', reject);
  });

await get(video[0], '/manifest.mpd');
await Promise.all([get(video[0], '/video-init.mp4'), get(audio, '/audio-init.mp4')]);
const start = Date.now();
for (let i = 0; i < plan.video.length; i++) {
  const due = start + Math.max(0, i - plan.startup + 1) * plan.periodSeconds * 1000;
  await sleep(Math.max(0, due - Date.now()) / 1000);
  await Promise.all([get(video[i % 2], `/video-${i}.m4s`), get(audio, `/audio-${i}.m4s`)]);
}
for (const agent of [...video, audio]) agent.destroy();
