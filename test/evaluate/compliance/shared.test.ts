import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkCapture,
  sumReports,
  type ComplianceReport,
  type SegmentKind,
} from '../../../src/evaluate/compliance';
import { projectRoot } from '../../../src/util';

const data = join(projectRoot, '..', 'shared', 'data');

interface Golden {
  files: Record<
    string,
    { tcp: number; retransmission?: number[]; outOfOrder?: number[]; keepAlive?: number[] }
  >;
}

const verdict = (kind: SegmentKind): 'retransmission' | 'outOfOrder' | 'keepAlive' | undefined =>
  kind === 'outOfOrder' || kind === 'keepAlive'
    ? kind
    : /etransmission$/.test(kind)
      ? 'retransmission'
      : undefined;

describe.skipIf(!existsSync(data))(
  'real and generated captures (skipped where ../shared/data is absent)',
  () => {
    test('what is known of NetDiffusion’s netflix_5.pcap', async () => {
      const report = await checkCapture(join(data, 'netdiffusion', 'generated', 'netflix_5.pcap'));
      expect(report.packets).toBe(1024);
      expect(report.checksums.ipv4.right).toBe(1024);
      expect(report.checksums.tcp).toMatchObject({ right: 0, wrong: 997, offloaded: 27, notCheckable: 0 });
      expect(report.tcp).toMatchObject({
        synAfterOpening: 86,
        finAfterOpening: 230,
        rstAfterOpening: 35,
        conflictingFlags: 6,
        malformedOptions: 180,
        seqContinuous: 709,
        seqChecked: 1022,
        ackContinuous: 227,
        ackChecked: 1023,
      });
      const packets = Object.fromEntries(report.rules.map(({ rule, packets }) => [rule, packets]));
      expect(packets).toMatchObject({
        'tcp-flags-conflict': 6,
        'tcp-options-malformed': 180,
        'tcp-sack-not-permitted': 158,
      });
    });

    test('the captures of the manifest', async () => {
      const [head, ...lines] = readFileSync(join(data, 'MANIFEST.tsv'), 'utf8').trimEnd().split('\n');
      const names = head.split('\t');
      const golden = JSON.parse(
        readFileSync(join(projectRoot, 'test', 'golden', 'tcp-analysis.json'), 'utf8'),
      ) as Golden;
      const reports: ComplianceReport[] = [];
      const differences: string[] = [];
      let [same, different, keepAlives] = [0, 0, 0];
      for (const line of lines) {
        const row = Object.fromEntries(line.split('\t').map((cell, i) => [names[i], cell]));
        const expected = new Map<number, string>();
        const { retransmission = [], outOfOrder = [], keepAlive = [] } = golden.files[row.file];
        for (const packet of retransmission) expected.set(packet, 'retransmission');
        for (const packet of outOfOrder) expected.set(packet, 'outOfOrder');
        for (const packet of keepAlive) expected.set(packet, 'keepAlive');
        const report = await checkCapture(join(data, row.file), {
          onSegment: (packet, kind) => {
            const [ours, theirs] = [verdict(kind), expected.get(packet)];
            if (ours === theirs) {
              if (ours === 'keepAlive') keepAlives++;
              else if (ours) same++;
            } else different++;
          },
        });
        reports.push(report);
        const { flows, handshakes, handshakesClosed } = report.tcp;
        const seen = [flows, handshakes, handshakesClosed].join(' ');
        const wanted = [row.tcp_flows, row.tcp_handshakes, row.tcp_handshake_and_close].join(' ');
        if (seen !== wanted) differences.push(`${row.file}: ${seen}, not ${wanted}`);
      }
      expect(differences).toEqual([]);

      // Of all segments that one of the two calls a retransmission or out-of-order; docs/compliance.md explains the rest.
      expect(same).toBe(2604);
      expect(different).toBe(61);
      expect(same / (same + different)).toBeGreaterThan(0.95);
      expect(keepAlives).toBe(2383);

      // One capture was anonymised without new checksums: all that it breaks comes of that.
      const [readdressed, ...more] = reports.filter((report) => report.readdressed > 0);
      expect(more).toEqual([]);
      expect(readdressed).toMatchObject({
        readdressed: 2421,
        packets: 2421,
        flows: { all: 67, violating: 67 },
      });
      expect(
        readdressed.rules.filter(({ severity }) => severity === 'violation').map(({ rule }) => rule),
      ).toEqual(['ipv4-checksum', 'tcp-checksum', 'tcp-address', 'ipv4-source']);

      const clean = sumReports(reports.filter((report) => report.readdressed === 0));
      expect(clean.flows).toMatchObject({ all: 6876, violating: 41 });
      expect(clean.flows.violating / clean.flows.all).toBeLessThan(0.01);
      const violations = clean.rules.filter(({ severity }) => severity === 'violation');
      expect(Object.fromEntries(violations.map(({ rule, flows }) => [rule, flows]))).toEqual(EXPLAINED);
      expect(clean.checksums.ipv4.wrong).toBe(0);
      expect(clean.checksums.tcp).toMatchObject({ wrong: 0, offloaded: 4370 });
    });
  },
);

/** Flows by rule; docs/compliance.md explains each. */
const EXPLAINED = {
  'tcp-rst-sequence': 31,
  'tcp-seq-outside': 3,
  'tcp-ack-old': 1,
  'tcp-seq-before-isn': 1,
  'tcp-timestamps-missing': 2,
  'tcp-address': 1,
  'tcp-reserved': 1,
  'tcp-syn-established': 1,
  'tcp-isn-changed': 1,
  'tcp-window-exceeded': 1,
  'tcp-ack-unsent': 1,
  'tcp-fin-moved': 1,
};
