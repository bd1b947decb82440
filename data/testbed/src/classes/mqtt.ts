import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, sleep } from '../lib/process';
import type { TrafficClass } from './types';

interface Sensor {
  topic: string;
  qos: 0 | 1 | 2;
  startSeconds: number;
  /** Pause before each reading, and its text. */
  readings: { after: number; text: string }[];
}

interface MqttScript {
  host: string;
  sensors: Sensor[];
  keepalive: number;
  dashboard: boolean;
}

const ROOMS = ['kitchen', 'cellar', 'office', 'garage', 'attic', 'garden'];

/** Sensors that publish readings to a broker, and a dashboard that subscribes to all of them. */
export const mqtt: TrafficClass = {
  name: 'mqtt',
  service: 'extra',
  adaptive: false,
  programs: ['mosquitto'],
  tuning: { clientWindow: 2 ** 22, serverWindow: 2 ** 22, serverMtu: 1500 },
  description: 'mosquitto, mosquitto_pub and mosquitto_sub',

  plan({ rng, names }): MqttScript {
    return {
      host: rng.pick(names),
      keepalive: rng.integer(5, 60),
      dashboard: rng.chance(0.8),
      sensors: rng.sample(ROOMS, rng.integer(2, 5)).map((room) => {
        const period = rng.uniform(0.3, 1.5);
        return {
          topic: `home/${room}/climate`,
          qos: rng.pick([0, 1, 2] as const),
          startSeconds: rng.uniform(0, 1.5),
          readings: Array.from({ length: rng.integer(6, 14) }, (_, i) => ({
            after: period * rng.uniform(0.9, 1.1),
            text: `{"celsius":${rng.uniform(15, 25).toFixed(1)},"humidity":${rng.integer(30, 70)},"count":${1000 + i}}`,
          })),
        };
      }),
    };
  },

  async serve(session) {
    const path = join(session.folder, 'mosquitto.conf');
    writeFileSync(path, 'listener 1883\nallow_anonymous true\nuser root\npersistence false\n');
    session.serve(['mosquitto', '-c', path]);
    await session.listening(1883);
  },

  async use(session) {
    const { host, sensors, keepalive, dashboard } = session.script as MqttScript;
    const to = ['-h', host, '-k', String(keepalive)];
    const subscriber = dashboard ? session.client(['mosquitto_sub', ...to, '-t', 'home/#', '-q', '0']) : undefined;
    await Promise.all(
      sensors.map(async ({ topic, qos, startSeconds, readings }) => {
        await sleep(startSeconds);
        const publisher = session.client(['mosquitto_pub', ...to, '-t', topic, '-q', String(qos), '-l']);
        for (const { after, text } of readings) {
          await sleep(after);
          session.note({ at: Date.now() / 1000, seconds: 0, kind: 'upload', name: topic, bytes: text.length });
          publisher.write(`${text}\n`);
        }
        publisher.end();
        await ended(publisher);
      }),
    );
    await sleep(0.2);
    subscriber?.kill('SIGTERM');
    await subscriber?.done;
  },
};
