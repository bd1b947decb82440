import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writePcap } from '../../src/capture';
import { openPrompts } from '../../src/cli/prompts';
import type { GenerationReport } from '../../src/generate';
import { getLayout } from '../../src/tokens';
import { netssm, tcpSession, temporaryFolder } from './helpers';

const dir = temporaryFolder();
const layout = getLayout('compact');
beforeAll(() => {
  for (const label of ['ssh', 'page'])
    for (let i = 0; i < 6; i++) {
      mkdirSync(join(dir, label), { recursive: true });
      writePcap(join(dir, label, `${i}.pcap`), tcpSession({ port: 40000 + i }));
    }
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('openPrompts', () => {
  it('one capture: the same for all; which class it is of nobody says', async () => {
    const file = join(dir, 'ssh', '3.pcap');
    const prompts = await openPrompts(file, 2, layout, 1);
    expect([prompts.several, prompts.labels]).toEqual([false, undefined]);
    const { frames, source } = await prompts.of('page', 7);
    expect([frames.length, source]).toEqual([2, { capture: file }]);
  });
  it('a folder: test captures of the label, each once before one comes again', async () => {
    const prompts = await openPrompts(dir, 1, layout, 1);
    expect([prompts.several, prompts.labels]).toEqual([true, ['page', 'ssh']]);
    const names = [];
    for (let i = 0; i < 4; i++) names.push((await prompts.of('ssh', i)).source);
    expect(names.map(({ label }) => label)).toEqual(Array(4).fill('ssh'));
    const [a, b] = names.map(({ capture }) => capture);
    expect(a).not.toBe(b);
    expect(names.map(({ capture }) => capture)).toEqual([a, b, a, b]); // a third of six is for testing
    await expect(prompts.of('dash', 0)).rejects.toThrow('has no captures of dash to take prompts from');
  });
});

describe('netssm generate --prompt DIR', () => {
  it('says in generation.json whose beginning each trace was given', async () => {
    const out = join(dir, 'out');
    const { code, stdout, stderr } = await netssm(
      ...['generate', '--model', 'demo', '--label', 'ssh', '--prompt', dir, '--count', '2'],
      ...['--packets', '3', '--out', out, '--jobs', '1', '--json'],
    );
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const { files } = JSON.parse(readFileSync(join(out, 'generation.json'), 'utf8')) as GenerationReport;
    expect(files.map(({ promptPackets, prompt }) => [promptPackets, prompt?.label])).toEqual([
      [1, 'ssh'],
      [1, 'ssh'],
    ]);
    const captures = files.map(({ prompt }) => prompt!.capture);
    expect(new Set(captures).size).toBe(2);
    for (const capture of captures) expect(capture).toMatch(/^ssh\/[0-5]\.pcap$/);
    const printed = JSON.parse(stdout) as { files: { prompt: unknown }[] };
    expect(printed.files.map(({ prompt }) => prompt)).toEqual(files.map(({ prompt }) => prompt));
  });
  it('leaves out labels without captures, and says so', async () => {
    const out = join(dir, 'all');
    const { code, stderr } = await netssm(
      ...['generate', '--model', 'demo', '--prompt', dir, '--packets', '1', '--out', out, '--jobs', '1'],
    );
    expect(code).toBe(0);
    expect(stderr).toContain('not generated, for there is no prompt: ');
    expect(stderr).not.toMatch(/no prompt: .*ssh/);
  });
});
