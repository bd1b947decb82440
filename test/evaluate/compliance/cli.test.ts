import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ComplianceReport } from '../../../src/evaluate/compliance';
import { RULES } from '../../../src/evaluate/compliance';
import { netssm, tcpSession, temporaryFolder, writePcap } from '../../cli/helpers';
import { at, build, MSS, open } from './build';

interface Output {
  files: ComplianceReport[];
  total: ComplianceReport;
  failed: boolean;
  shown?: { packet: number; broken: { rule: string; severity: string }[]; tree: string }[];
  errors?: { file: string; code: string }[];
}

describe('netssm check', () => {
  let [good, bad] = ['', ''];
  let folder = '';

  beforeAll(() => {
    folder = temporaryFolder();
    good = join(folder, 'good.pcap');
    bad = join(folder, 'bad.pcap');
    writePcap(good, tcpSession());
    writePcap(bad, build([...open(), at(0, 10, { options: [MSS] }), at(200, 10)]));
  });

  const json = async (...args: string[]): Promise<Output & { code: number }> => {
    const { code, stdout } = await netssm('check', '--json', ...args);
    return { ...(JSON.parse(stdout) as Output), code };
  };

  test('a table for people', async () => {
    const { code, stdout } = await netssm('check', good);
    expect(code).toBe(0);
    expect(stdout).toContain('1 with a handshake, 1 closed by FIN');
    expect(stdout).toContain('no rule is broken');
    const broken = await netssm('check', bad);
    expect(broken.code).toBe(0);
    expect(broken.stdout).toMatch(/tcp-mss-outside-syn +violation +1 +1 +4 +MSS 1460 in ACK/);
    const both = await netssm('check', folder);
    expect(both.stdout).toMatch(/2 captures +14 +2 /);
  });

  test('JSON: a report a file, and the total', async () => {
    const { code, files, total, failed } = await json(folder);
    expect(code).toBe(0);
    expect(failed).toBe(false);
    expect(files.map(({ violatingPackets }) => violatingPackets)).toEqual([1, 0]);
    expect(total).toMatchObject({ file: '2 captures', packets: 14, flows: { all: 2, violating: 1 } });
  });

  test('--fail-on decides the exit code', async () => {
    expect(await json('--fail-on', 'violation', good)).toMatchObject({ code: 0, failed: false });
    expect(await json('--fail-on', 'violation', bad)).toMatchObject({ code: 1, failed: true });
    expect(await json('--fail-on', 'oddity', bad)).toMatchObject({ code: 1, failed: true });
    const gap = ['--skip', '4', bad];
    expect(await json('--fail-on', 'violation', ...gap)).toMatchObject({ code: 0, failed: false });
    expect((await netssm('check', '--fail-on', 'sometimes', good)).code).toBe(2);
  });

  test('--show prints the packets as trees, violations first', async () => {
    const { shown } = await json('--show', '2', bad);
    expect(shown!.map(({ packet }) => packet)).toEqual([4, 5]);
    expect(shown![0].broken.map(({ rule }) => rule)).toContain('tcp-mss-outside-syn');
    expect(shown![0].tree).toContain('sequenceNumber       = 1001');
    const { stdout } = await netssm('check', '--show', '1', bad);
    expect(stdout).toContain('violation: tcp-mss-outside-syn: MSS 1460 in ACK');
    expect(stdout).not.toContain('packet 5');
  });

  test('--filter, --count and --examples', async () => {
    expect((await json('--filter', 'tcp[13] & 2 != 0', bad)).total.packets).toBe(2);
    expect((await json('--count', '3', bad)).total.rules).toEqual([]);
    expect((await json('--examples', '0', bad)).files[0].rules[0].examples).toEqual([]);
  });

  test('--rules lists all of them', async () => {
    const { code, stdout } = await netssm('check', '--rules', '--json');
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { rules: { id: string }[] }).rules.map(({ id }) => id)).toEqual(
      RULES.map(({ id }) => id),
    );
  });

  test('what cannot be read', async () => {
    expect((await netssm('check')).code).toBe(2);
    const { code, errors } = await json(join(folder, 'nothing.pcap'));
    expect(code).toBe(2);
    expect(errors).toHaveLength(1);
    const mixed = await json(join(folder, 'nothing.pcap'), good);
    expect(mixed).toMatchObject({ code: 0, total: { packets: 9 } });
  });
});
