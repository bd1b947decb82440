import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ProcessEngine, type JobStatus } from '../../src/experiments';
import { temporaryFolder } from './toy';

/** A job as the engine sees it: tells of its progress, and then does what its key says. */
const PROGRAM = `
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const [folder, key] = process.argv.slice(2);
const say = (text) => writeFileSync(join(folder, key + '.txt'), text);
process.on('disconnect', () => process.exit(1));
process.send({ progress: { done: 1, total: 4, unit: 'steps' } }, () => {
  if (key.startsWith('ok')) { say(process.env.NETSSM_THREADS); process.exit(0); }
  if (key === 'fail') process.send({ failed: { code: 'toy', message: 'broken', hint: 'Mend it.' } }, () => process.exit(1));
  if (key === 'crash') { process.stderr.write('out of paper\\n'); process.exit(3); }
  if (key === 'deaf') process.on('SIGTERM', () => {});
  if (key === 'polite') process.on('SIGTERM', () => { say('ended'); process.exit(130); });
  if (key === 'deaf' || key === 'polite') { say('started'); setInterval(() => {}, 1000); }
});
`;

let folder: string;
let program: string;

beforeAll(() => {
  folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  program = join(folder, 'job.cjs');
  writeFileSync(program, PROGRAM);
});

async function settled(engine: ProcessEngine, id: string): Promise<JobStatus> {
  for (;;) {
    const status = engine.poll(id);
    if (status.state !== 'waiting' && status.state !== 'running') return status;
    await engine.changed(100);
  }
}

describe('ProcessEngine', () => {
  test('divides the cores among the jobs, and runs so many at a time', async () => {
    const engine = new ProcessEngine({ jobs: 2, cores: 9, program });
    const ids = ['ok-1', 'ok-2', 'ok-3'].map((key) => engine.submit({ folder, key }));
    expect(ids.map((id) => engine.poll(id).state)).toEqual(['running', 'running', 'waiting']);
    for (const id of ids) expect(await settled(engine, id)).toEqual({ state: 'done' });
    expect(readFileSync(join(folder, 'ok-3.txt'), 'utf8')).toBe('4');
  });

  test('tells why a job failed: what it said, or its last words', async () => {
    const engine = new ProcessEngine({ jobs: 2, program });
    const [fail, crash] = ['fail', 'crash'].map((key) => engine.submit({ folder, key }));
    expect(await settled(engine, fail)).toEqual({
      state: 'failed',
      error: { code: 'toy', message: 'broken', hint: 'Mend it.' },
    });
    const { error } = await settled(engine, crash);
    expect(error?.code).toBe('job_died');
    expect(error?.message).toBe('the process of crash ended with code 3: out of paper');
  });

  test('cancels: waiting jobs never start, running ones are told to end', async () => {
    const engine = new ProcessEngine({ jobs: 1, program });
    const [polite, never] = ['polite', 'ok-never'].map((key) => engine.submit({ folder, key }));
    while (!existsSync(join(folder, 'polite.txt'))) await engine.changed(20);
    await engine.cancel(never);
    expect(engine.poll(never).state).toBe('cancelled');
    await engine.cancel(polite);
    expect(engine.poll(polite).state).toBe('cancelled');
    expect(readFileSync(join(folder, 'polite.txt'), 'utf8')).toBe('ended');
    expect(existsSync(join(folder, 'ok-never.txt'))).toBe(false);
    await engine.cancel(polite); // twice does no harm
    expect(() => engine.poll('99')).toThrow('no job 99');
  });
});
