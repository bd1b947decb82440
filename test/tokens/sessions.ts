import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePcap } from '../../src/capture';
import { buildDataset, collectInputs, openDataset } from '../../src/tokens';
import type { BuildOptions, TokenDataset } from '../../src/tokens';
import { DNS, frame, tcp } from './frames';

/** Capture i of a label: 4 + i packets of two TCP flows, 1,000 microseconds apart, then DNS. */
const capture = (i: number) => [
  ...Array.from({ length: 4 + i }, (_, k) => frame(tcp(40000 + (k % 2), 80, 1000 + k), k * 1000)),
  frame(DNS, 20000),
];

/** A data set of two labels with four sessions each, all for training. */
export async function eightSessions(options: Partial<BuildOptions> = {}): Promise<TokenDataset> {
  const dir = mkdtempSync(join(tmpdir(), 'netssm-sessions-'));
  for (const label of ['mqtt', 'web'])
    for (let i = 0; i < 4; i++) {
      mkdirSync(join(dir, 'captures', label), { recursive: true });
      await writePcap(join(dir, 'captures', label, `${i}.pcap`), capture(i));
    }
  const out = join(dir, 'data');
  await buildDataset({
    inputs: collectInputs(join(dir, 'captures')),
    out,
    layout: 'compact',
    validationShare: 0,
    ...options,
  });
  return openDataset(out);
}
