/** The kernel as Jupyter drives it: interrupts, completion, hover, and `reload()` after an edit of the sources. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reload } from '../../src/notebook';
import { KernelClient } from './kernelClient';

const root = join(__dirname, '..', '..');
const built = existsSync(join(root, 'dist', 'notebook', 'reload.js'));

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'netssm-kernel-'));
}

/** A copy of the project that a test may edit; dependencies and data are shared with the original. */
function copyProject(): string {
  const copy = temporaryFolder();
  // Sources first: a build is newer than what it was built from.
  for (const part of ['src', 'tsconfig.json', 'package.json', 'bin', 'dist'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  for (const part of ['node_modules', 'data', 'native'])
    symlinkSync(join(root, part), join(copy, part), 'junction');
  return copy;
}

/** Cells that are already waiting when one fails are dropped for a fifth of a second, as Jupyter wants it. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

describe.skipIf(!built)('the kernel (needs dist/: npm run build)', () => {
  let project: string;
  let kernel: KernelClient;
  beforeAll(async () => {
    project = copyProject();
    kernel = await KernelClient.start(project, temporaryFolder(), { NETSSM_THREADS: '1' });
  });
  afterAll(async () => {
    await kernel.close();
    rmSync(project, { recursive: true, force: true });
  });

  test('an interrupt stops a synchronous cell; later cells run and variables are kept', async () => {
    expect((await kernel.execute('let kept = 41;')).status).toBe('ok');
    const spinning = kernel.execute('console.log("on"); (() => { for (;;) kept += 0; })()', ({ content }) => {
      if (content.text === 'on\n') setTimeout(() => kernel.interrupt(), 50);
    });
    const cell = await spinning;
    expect(cell.status).toBe('error');
    expect(cell.text).toMatch(/interrupted/i);
    await settled();
    expect((await kernel.execute('console.log(kept + 1)')).text).toContain('42');
  });

  test('an interrupt stops waiting in an asynchronous cell; later cells run', async () => {
    const waiting = kernel.execute(
      'console.log("on"); await new Promise((r) => setTimeout(r, 60_000))',
      ({ content }) => {
        if (content.text === 'on\n') setTimeout(() => kernel.interrupt(), 200);
      },
    );
    const cell = await waiting;
    expect(cell.status).toBe('error');
    expect(cell.seconds).toBeLessThan(10);
    await settled();
    expect((await kernel.execute('console.log(kept + 2)')).text).toContain('43');
  });

  test('says busy as long as a cell runs, whatever else is asked meanwhile', async () => {
    const both = [
      kernel.execute('1'),
      kernel.execute('await new Promise((r) => setTimeout(r, 800)); console.log("done")'),
    ];
    await both[0];
    await kernel.request('kernel_info_request', {});
    await settled();
    expect(kernel.status).toBe('busy');
    expect((await both[1]).text).toBe('done\n');
    expect(kernel.status).toBe('idle');
  });

  test('completes names of the library and members of values', async () => {
    const declared = await kernel.execute(
      'import { Rng, formatDuration } from "netssm/util"; const rng = new Rng(1);',
    );
    expect(declared.text).toBe('');
    expect(await kernel.complete('rng.')).toEqual(expect.arrayContaining(['int', 'normal']));
    expect(await kernel.complete('formatDur')).toEqual(['formatDuration']);
    expect(await kernel.complete('import { } from "netssm/tokens"', 9)).toEqual(
      expect.arrayContaining(['encodeSession', 'getLayout']),
    );
  });

  test('hover shows signature and documentation, with shapes', async () => {
    await kernel.execute(
      'import { parameterShapes } from "netssm/model"; import { StepModel } from "netssm/model";',
    );
    expect(await kernel.inspect('formatDuration')).toMatch(/formatDuration\(seconds: number\): string/);
    const shapes = await kernel.inspect('parameterShapes');
    expect(shapes).toContain('parameterShapes(');
    expect(shapes).toMatch(/shape/i);
  });

  function edit(file: string, change: (text: string) => string): void {
    const path = join(project, 'src', file);
    const before = readFileSync(path, 'utf8');
    expect(change(before)).not.toBe(before);
    writeFileSync(path, change(before));
  }

  test('reload(): new behaviour and new types within five seconds, and a trained model stays usable', async () => {
    const trained = await kernel.execute(`
      import { reload } from "netssm/notebook";
      const { useEngine }: any = require("netssm/tensor");
      const { tf }: any = await useEngine();
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [1] })] });
      model.compile({ loss: "meanSquaredError", optimizer: tf.train.sgd(0.1) });
      const x = tf.tensor2d([[0], [1], [2]]);
      const y = tf.tensor2d([[1], [3], [5]]);
      await model.fit(x, y, { epochs: 60, verbose: 0 });
      const ask = (value: number): number => tf.tidy(() => model.predict(tf.tensor2d([[value]])).dataSync()[0]);
      console.log(ask(3).toFixed(3), formatDuration(75))`);
    expect(trained.text).toMatch(/^[67]\.\d+ 1 min 15 s\n$/);
    const prediction = trained.text.split(' ')[0];

    edit(
      'util/format.ts',
      (text) => `${text}\n/** Half of it. */\nexport const half = (n: number): number => n / 2;\n`,
    );
    edit('util/format.ts', (text) =>
      text.replace(
        /(export function formatDuration\(seconds: number\): string \{\n)/,
        "$1  if (seconds === 75) return 'edited';\n",
      ),
    );
    const reloaded = await kernel.execute('await reload()');
    expect(reloaded.text).toMatch(/^reloaded src.util.format\.ts in .*; new in cells: .*formatDuration/);
    expect(reloaded.seconds).toBeLessThan(5);

    // The cell that imported it is not run again.
    expect((await kernel.execute('console.log(formatDuration(75))')).text).toBe('edited\n');
    expect((await kernel.execute('console.log(ask(3).toFixed(3))')).text.trim()).toBe(prediction);
    // Further training in the reloaded world: the engine is the one that holds the weights.
    const more = await kernel.execute(
      'await model.fit(x, y, { epochs: 200, verbose: 0 }); console.log(ask(3).toFixed(1), (await useEngine()).tf === tf)',
    );
    expect(more.text).toBe('7.0 true\n');
    // What did not exist before has its type.
    const typed = await kernel.execute('import { half } from "netssm/util"; const wrong: string = half(5);');
    expect(typed.text).toContain("Type 'number' is not assignable to type 'string'");
    await settled();
    const used = await kernel.execute('import { half } from "netssm/util"; console.log(half(5))');
    expect(used.text).toBe('2.5\n');
    expect((await kernel.execute('await reload()')).text).toBe(
      'nothing to reload: dist/ is as new as src/\n',
    );
  });

  test('reload(): what the library itself imports inside functions is new too', async () => {
    edit('util/rng.ts', (text) => `${text}\nexport const probe: number = 1;\n`);
    edit('util/format.ts', (text) =>
      [
        text,
        'export async function probed(): Promise<number> {',
        "  return (await import('./rng.js')).probe;",
        '}\n',
      ].join('\n'),
    );
    await kernel.execute('await reload()');
    const first = await kernel.execute('import { probed } from "netssm/util"; console.log(await probed())');
    expect(first.text).toBe('1\n');
    edit('util/rng.ts', (text) => text.replace('probe: number = 1', 'probe: number = 2'));
    await kernel.execute('await reload()');
    expect((await kernel.execute('console.log(await probed())')).text).toBe('2\n');
  });

  test('reload(): a source that does not parse changes nothing', async () => {
    const path = join(project, 'src', 'util', 'format.ts');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, `${good}\nexport const broken = (;\n`);
    const failed = await kernel.execute('await reload()');
    expect(failed.status).toBe('error');
    expect(failed.text).toMatch(
      /nothing was reloaded\n *src.util.format\.ts\(\d+,\d+\): error TS\d+: Expression expected/,
    );
    await settled();
    expect((await kernel.execute('console.log(formatDuration(75))')).text).toBe('edited\n');
    writeFileSync(path, good);
  });
});

test('an installed package has no sources, and reload() says so', async () => {
  const installed = temporaryFolder();
  await expect(reload({ root: installed })).rejects.toThrow(
    /is an installed package: it has no sources to reload/,
  );
});
