import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, sleep } from '../lib/process';
import type { TrafficClass } from './types';

interface BackgroundScript {
  /** Time servers asked, each every 2 to the power of `poll` seconds. */
  clocks: { host: string; poll: number }[];
  bursts: { thinkSeconds: number; lookups: string[]; query: string[] }[];
}

/** What a machine does when nobody uses it: it asks for the time and for names. */
export const background: TrafficClass = {
  name: 'background',
  service: 'extra',
  adaptive: false,
  programs: ['chrony', 'dig'],
  tuning: { clientWindow: 2 ** 22, serverWindow: 2 ** 22, serverMtu: 1500 },
  description: "chrony at both ends (NTP); dnsmasq, the C library's resolver and dig (DNS over UDP and TCP)",

  plan({ rng, names }): BackgroundScript {
    const domain = (name: string): string => name.split('.').slice(-2).join('.');
    return {
      clocks: rng.sample(names, rng.integer(1, 4)).map((host) => ({ host, poll: rng.pick([-1, 0, 0, 1]) })),
      bursts: Array.from({ length: rng.integer(8, 20) }, () => {
        const [name] = rng.sample(names, 1);
        return {
          thinkSeconds: rng.exponential(0.5, 0.1, 2.5),
          lookups: rng.sample(names, rng.integer(1, 4)), // A and AAAA, by the C library's resolver
          query: rng.pick([
            [domain(name), 'MX'],
            [domain(name), 'TXT', '+noedns'], // longer than 512 bytes: truncated, asked again over TCP
            [domain(name), 'TXT'],
            [name, 'A', '+tcp'],
            [`old.${name}`, 'A'],
          ]),
        };
      }),
    };
  },

  async serve(session) {
    const path = join(session.folder, 'chronyd-server.conf');
    const lines = ['local stratum 2', 'allow all', 'cmdport 0', `pidfile ${session.folder}/chronyd-server.pid`];
    writeFileSync(path, `${lines.join('\n')}\nbindcmdaddress /\n`);
    // -x: the clock of this machine is never touched.
    session.serve(['chronyd', '-x', '-d', '-u', 'root', '-f', path]);
    await sleep(0.3);
  },

  async use(session) {
    const { clocks, bursts } = session.script as BackgroundScript;
    const path = join(session.folder, 'chronyd-client.conf');
    const servers = clocks.map(({ host, poll }) => `server ${host} iburst minpoll ${poll} maxpoll ${poll}`);
    const own = ['cmdport 0', 'port 0', `pidfile ${session.folder}/chronyd-client.pid`, 'bindcmdaddress /'];
    writeFileSync(path, `${[...servers, ...own].join('\n')}\n`);
    const clock = session.client(['chronyd', '-x', '-d', '-u', 'root', '-f', path]);
    for (const { thinkSeconds, lookups, query } of bursts) {
      const at = Date.now() / 1000;
      await Promise.all(lookups.map((name) => ended(session.client(['getent', 'ahosts', name]))));
      await session.client(['dig', '+tries=4', '+time=2', ...query]).done; // a name that is not there is no error
      session.note({ at, seconds: Date.now() / 1000 - at, kind: 'lookup', name: query.join(' '), bytes: 0 });
      await sleep(thinkSeconds);
    }
    clock.kill('SIGTERM');
    await clock.done;
  },
};
