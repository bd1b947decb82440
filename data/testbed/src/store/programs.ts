/** The programs a run needs: their versions, and which are missing. */
import { release } from 'node:os';
import { start } from '../lib/process';

const PROGRAMS: Record<string, string[]> = {
  nginx: ['nginx', '-v'],
  ffmpeg: ['ffmpeg', '-version'],
  chromium: ['chromium', '--version'],
  aiortc: ['/usr/bin/python3', '-c', 'import aiortc, aiohttp; print(aiortc.__version__)'],
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

export interface Programs {
  node: string;
  kernel: string;
  versions: Record<string, string>;
  missing: string[];
}

/** Asks every program for its version. */
export async function describePrograms(): Promise<Programs> {
  const found: Programs = {
    node: process.versions.node,
    kernel: release().split('.').slice(0, 2).join('.'),
    versions: {},
    missing: [],
  };
  await Promise.all(
    Object.entries(PROGRAMS).map(async ([name, command]) => {
      try {
        const { stdout, stderr, code } = await start(command, { input: '' }).done;
        if (code !== 0 && name === 'aiortc') throw new Error(stderr);
        found.versions[name] = /\d+\.\d+[.\w]*/.exec(stdout + stderr)?.[0] ?? 'unknown';
      } catch {
        found.missing.push(name);
      }
    }),
  );
  found.versions = Object.fromEntries(Object.entries(found.versions).sort());
  return found;
}
