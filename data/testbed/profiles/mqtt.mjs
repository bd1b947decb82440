/** Sensors that publish readings to a broker, and a dashboard that subscribes to all of them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../lib/process.mjs';

export const label = 'mqtt';

export function plan({ rng, names }) {
  const [host] = rng.sample(names, 1);
  return {
    host,
    sensors: Array.from({ length: rng.integer(3, 5) }, (_, i) => ({
      topic: `home/${['kitchen', 'cellar', 'office', 'garage', 'attic'][i]}/climate`,
      qos: rng.pick([0, 1]),
      startSeconds: 0.3 + 0.15 * i,
      periodSeconds: rng.pick([0.3, 0.45, 0.6]),
      readings: Array.from({ length: rng.integer(9, 12) }, () => rng.uniform(15, 25).toFixed(1)),
    })),
  };
}

export async function serve(session) {
  const path = join(session.folder, 'mosquitto.conf');
  writeFileSync(path, 'listener 1883\nallow_anonymous true\nuser root\npersistence false\n');
  session.serve(['mosquitto', '-c', path]);
  await session.listening(1883);
}

export async function use(session) {
  const { host, sensors } = session.plan;
  const dashboard = session.client(['mosquitto_sub', '-h', host, '-t', 'home/#', '-q', '0']);
  await Promise.all(
    sensors.map(async (sensor) => {
      await sleep(sensor.startSeconds);
      const options = ['-h', host, '-t', sensor.topic, '-q', String(sensor.qos), '-l'];
      const publisher = session.client(['mosquitto_pub', ...options]);
      for (const [i, celsius] of sensor.readings.entries()) {
        await sleep(sensor.periodSeconds);
        publisher.write(`{"celsius":${celsius},"humidity":41,"count":${1000 + i}}\n`);
      }
      publisher.end();
      await session.ended(publisher);
    }),
  );
  await sleep(0.2);
  dashboard.kill('SIGTERM');
  await dashboard.done;
}
