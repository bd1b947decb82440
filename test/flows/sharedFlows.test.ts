import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../src/capture';
import { splitFlows } from '../../src/flows';
import { projectRoot } from '../../src/util';

const data = join(projectRoot, '..', 'shared', 'data');

describe.skipIf(!existsSync(data))('flows of real captures (skipped where ../shared/data is absent)', () => {
  it('finds the TCP flows, handshakes and closes that the manifest counts', async () => {
    const [head, ...lines] = readFileSync(join(data, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n');
    const names = head.split('\t');
    const differences: string[] = [];
    for (const line of lines) {
      const row = Object.fromEntries(line.split('\t').map((cell, i) => [names[i], cell]));
      const { frames } = await readCapture(join(data, row.file));
      const flows = splitFlows(frames).filter((flow) => flow.tcp);
      const handshakes = flows.filter((flow) => flow.tcp!.handshake);
      const closed = handshakes.filter((flow) => flow.tcp!.closed !== 'none');
      const seen = [flows.length, handshakes.length, closed.length].join(' ');
      const wanted = [row.tcp_flows, row.tcp_handshakes, row.tcp_handshake_and_close].join(' ');
      if (seen !== wanted) differences.push(`${row.file}: ${seen}, not ${wanted}`);
    }
    expect(differences).toEqual([]);
  });
});
