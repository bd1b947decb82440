import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePcap } from '../../src/capture';
import type { Frame } from '../../src/capture/frame';
import { buildDataset, collectInputs, openDataset } from '../../src/tokens';
import type { BuildOptions, TokenDataset } from '../../src/tokens';
import { DNS, frame, tcp } from './frames';

const [FIN, SYN, RST, ACK, PSH] = [1, 2, 4, 16, 8];

/** The packet of the other side: addresses the other way round; ports are given so already. */
function back(data: Uint8Array): Uint8Array {
  const out = data.slice();
  out.set(data.subarray(30, 34), 26);
  out.set(data.subarray(26, 30), 30);
  return out;
}

/** A TCP flow: three packets of handshake, `data` packets, and its end; 1,000 microseconds between packets. */
export function tcpFlow(port: number, data: number, end: 'fin' | 'rst' | 'none' = 'fin', at = 0): Frame[] {
  const up = (seq: number, flags: number) => tcp(port, 80, seq, flags);
  const down = (seq: number, flags: number) => back(tcp(80, port, seq, flags));
  const packets = [up(1, SYN), down(1, SYN | ACK), up(2, ACK)];
  for (let i = 0; i < data; i++) packets.push(i % 2 ? down(2 + i, ACK) : up(2 + i, ACK | PSH));
  if (end === 'fin') packets.push(up(90, FIN | ACK), down(90, FIN | ACK), up(91, ACK));
  if (end === 'rst') packets.push(up(90, RST));
  return packets.map((bytes, i) => frame(bytes, at + 1000 * i));
}

/** `n` packets of a UDP flow. */
export function udpFlow(n: number, at = 0): Frame[] {
  return Array.from({ length: n }, (_, i) => frame(DNS, at + 1000 * i));
}

/** A data set of single flows of two labels: ten TCP flows that end in all ways, and two UDP flows, each. */
export async function flowDataset(
  options: Partial<BuildOptions> = {},
  labels = ['mqtt', 'web'],
): Promise<TokenDataset> {
  const dir = mkdtempSync(join(tmpdir(), 'netssm-flows-'));
  for (const label of labels) {
    mkdirSync(join(dir, 'captures', label), { recursive: true });
    for (let i = 0; i < 6; i++) {
      const flows = [
        tcpFlow(40000 + i, 4 + i, 'fin', 0),
        tcpFlow(50000 + i, 2 + i, i % 2 ? 'rst' : 'none', 500),
        ...(i < 2 ? [udpFlow(1 + 2 * i, 700)] : []),
      ];
      const frames = flows.flat().sort((a, b) => a.tsMicros - b.tsMicros);
      await writePcap(join(dir, 'captures', label, `${i}.pcap`), frames);
    }
  }
  const out = join(dir, 'data');
  await buildDataset({ inputs: collectInputs(join(dir, 'captures')), out, unit: 'flow', ...options });
  return openDataset(out);
}
