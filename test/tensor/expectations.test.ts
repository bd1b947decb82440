import { execFile } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative, nativeFailure } from '../../src/tensor/native';
import { projectRoot } from '../../src/util';
import { compileSources } from '../train/child';
import { temporaryFolder } from '../train/toy';

const available = (await loadNative()) !== null;
const reason = available ? '' : ` (skipped: ${nativeFailure()?.message.split('\n')[0]})`;

interface Outcome {
  engines: Record<string, { passed: number; failed: { name: string }[] }>;
  regressions: { native: { name: string; message: string }[] };
}

describe.skipIf(!available)(`the expectations that tfjs-core publishes${reason}`, () => {
  let folder: string;
  beforeAll(() => {
    folder = temporaryFolder('expectations');
    compileSources(folder);
    symlinkSync(join(projectRoot, 'native'), join(folder, 'native'), 'junction');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('hold on native wherever they hold on cpu', { timeout: 240_000 }, async () => {
    const script = join(projectRoot, 'scripts', 'tfjs-expectations.mjs');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [script, '--package', folder, '--engines', 'native,cpu', '--json'],
      { maxBuffer: 1 << 26 },
    ).catch((e: { stdout: string }) => e);
    const { engines, regressions } = JSON.parse(stdout) as Outcome;
    expect(regressions.native).toEqual([]);
    expect(engines.cpu.failed).toEqual([]);
    expect(engines.native.passed).toBeGreaterThan(3800);
  });
});
