/** The programs a run needs: their versions, and which are missing. */
import { release } from 'node:os';
import { PYTHON } from '../lib/paths';
import { start } from '../lib/process';

const PROGRAMS: Record<string, string[]> = {
  nginx: ['nginx', '-v'],
  ffmpeg: ['ffmpeg', '-version'],
  chromium: ['chromium', '--version'],
  aiortc: [PYTHON, '-c', 'import aiortc, numpy; print(aiortc.__version__)'],
  aiohttp: [PYTHON, '-c', 'import aiohttp; print(aiohttp.__version__)'],
  coturn: ['turnserver', '--version'],
  baresip: ['baresip', '-h'],
  mosquitto: ['mosquitto', '-h'],
  dnsmasq: ['dnsmasq', '-v'],
  dig: ['dig', '-v'],
  openssh: ['ssh', '-V'],
  rsync: ['rsync', '--version'],
  chrony: ['chronyd', '--version'],
  openssl: ['openssl', 'version'],
  zstd: ['zstd', '--version'],
  cc: ['cc', '--version'],
  ip: ['ip', '-V'],
  ethtool: ['ethtool', '--version'],
  tcpdump: ['tcpdump', '--version'],
  tshark: ['tshark', '--version'],
};

/** What every session needs. */
const ALWAYS = ['dnsmasq', 'openssl', 'zstd', 'cc', 'ip', 'ethtool', 'tcpdump', 'tshark'];

export interface Programs {
  node: string;
  kernel: string;
  versions: Record<string, string>;
  missing: string[];
}

/** Asks the programs that these classes need for their versions. */
export async function describePrograms(classes: { programs: string[] }[]): Promise<Programs> {
  const wanted = new Set([...ALWAYS, ...classes.flatMap((c) => c.programs)]);
  const found: Programs = {
    node: process.versions.node,
    kernel: release().split('.').slice(0, 2).join('.'),
    versions: {},
    missing: [],
  };
  await Promise.all(
    [...wanted].map(async (name) => {
      try {
        const { stdout, stderr, code } = await start(PROGRAMS[name], { input: '' }).done;
        if (code !== 0 && name.startsWith('aio')) throw new Error(stderr);
        found.versions[name] = /\d+\.\d+[.\w]*/.exec(stdout + stderr)?.[0] ?? 'unknown';
      } catch {
        found.missing.push(name);
      }
    }),
  );
  found.versions = Object.fromEntries(Object.entries(found.versions).sort());
  return found;
}
