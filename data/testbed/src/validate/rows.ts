/** Packets of a packed file as tshark reads them. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run } from '../lib/process';
import type { ManifestSession } from '../store/pack';

export interface Row {
  /** Seconds since 1970. */
  time: number;
  /** Length on the wire. */
  length: number;
  source: string;
  target: string;
  protocol: number;
  sourcePort: number;
  targetPort: number;
  payload: number;
  flags: number;
}

const FIELDS = [
  'frame.time_epoch', 'frame.len', 'ip.src', 'ip.dst', 'ip.proto', 'tcp.srcport', 'tcp.dstport', 'tcp.len',
  'tcp.flags', 'udp.srcport', 'udp.dstport', 'udp.length',
]; // prettier-ignore

/**
 * Calls `visit` with every packet of one file of the set. Sessions are told apart by their packet
 * counts: a file's sections follow one another in the manifest's order.
 */
export async function eachRow(
  path: string,
  sessions: ManifestSession[],
  visit: (session: ManifestSession, row: Row) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'netssm-validate-'));
  try {
    const plain = join(folder, 'file.pcapng');
    await run(['zstd', '-q', '-d', path, '-o', plain]);
    const tshark = spawn('tshark', [
      '-n', '-r', plain, '-T', 'fields', '-E', 'occurrence=f', ...FIELDS.flatMap((field) => ['-e', field]),
      ...['tls', 'dns', 'rtp', 'rtcp', 'stun', 'dtls', 'sip', 'ssh', 'mqtt', 'ntp'].flatMap((p) => ['--disable-protocol', p]),
      '-o', 'tcp.analyze_sequence_numbers:FALSE',
    ]); // prettier-ignore
    let complaints = '';
    tshark.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => tshark.on('close', resolve));
    let [index, inSession] = [0, 0];
    for await (const line of createInterface({ input: tshark.stdout })) {
      while (index < sessions.length && inSession === sessions[index].packets) {
        index++;
        inSession = 0;
      }
      if (index === sessions.length) throw new Error(`${path}: more packets than the manifest says`);
      inSession++;
      visit(sessions[index], parse(line));
    }
    const code = await ended;
    if (code !== 0) throw new Error(`tshark ended with ${code} on ${path}: ${complaints.trim()}`);
    if (index !== sessions.length - 1 || inSession !== sessions[index].packets)
      throw new Error(`${path}: fewer packets than the manifest says`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parse(line: string): Row {
  const [time, length, source, target, protocol, tcpFrom, tcpTo, tcpLen, flags, udpFrom, udpTo, udpLen] =
    line.split('\t');
  const tcp = protocol === '6';
  return {
    time: Number(time),
    length: Number(length),
    source,
    target,
    protocol: Number(protocol),
    sourcePort: Number(tcp ? tcpFrom : udpFrom),
    targetPort: Number(tcp ? tcpTo : udpTo),
    payload: tcp ? Number(tcpLen) : Number(udpLen) - 8,
    flags: tcp ? Number(flags) : 0,
  };
}
