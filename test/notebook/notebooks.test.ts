/** The notebooks that are part of the project: their shape, and that the solutions of their exercises run. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cellSource, readNotebook, stripNotebook } from '../../src/notebook';
import { projectRoot } from '../../src/util';

const folder = join(projectRoot, 'notebooks');
const names = readdirSync(folder).filter((name) => name.endsWith('.ipynb'));
const solutions = readdirSync(join(folder, 'solutions')).filter((name) => name.endsWith('.ipynb'));
const built = existsSync(join(projectRoot, 'dist', 'notebook', 'studies.js'));
const nonEmpty = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

describe.each(names)('%s', (name) => {
  const path = join(folder, name);
  const { cells } = readNotebook(path);
  const text = cells
    .filter((cell) => cell.cell_type === 'markdown')
    .map(cellSource)
    .join('\n');
  const code = cells.filter((cell) => cell.cell_type === 'code').map(cellSource);

  test('has the skeleton of a lecture', () => {
    for (const part of [
      '# ',
      '**You will**',
      '*Time: ',
      '## Setup',
      '## Parameters',
      '## What we saw',
      '## Exercises',
      '**Next:**',
    ])
      expect(text).toContain(part);
    for (const stars of ['1. ★ ', '2. ★★ ', '3. ★★★ ']) expect(text).toContain(stars);
    expect(code.some((source) => /\bcheck\(/.test(source))).toBe(true);
  });

  test('is stripped and small, in short cells without long loops', () => {
    expect(stripNotebook(readNotebook(path))).toEqual(readNotebook(path));
    expect(statSync(path).size).toBeLessThan(300_000);
    expect(code.length).toBeLessThanOrEqual(35);
    const lines = code.map((source) => nonEmpty(source).length);
    expect(Math.max(...lines)).toBeLessThanOrEqual(25);
    expect(lines.reduce((a, b) => a + b) / lines.length).toBeLessThanOrEqual(8);
    expect(code.filter((source) => /^\s*(for|while) ?\(/m.test(source))).toEqual([]);
  });

  test('names only notebooks and documents that exist', () => {
    for (const [, file] of text.matchAll(/`((?:docs\/|solutions\/)?[\w/]+\.(?:ipynb|md))`/g)) {
      expect(
        [join(folder, file), join(projectRoot, file)].some((candidate) => existsSync(candidate)),
        file,
      ).toBe(true);
    }
  });
});

/** Solutions that train or generate take longer; .ci/run runs them like the notebooks. */
const quick = solutions.filter((name) =>
  readNotebook(join(folder, 'solutions', name)).cells.some((cell) =>
    cellSource(cell).includes('engine: "none"'),
  ),
);

describe.skipIf(!built)('solutions (need dist/: npm run build)', () => {
  test('run', { timeout: 120_000 }, () => {
    expect(quick.length).toBeGreaterThanOrEqual(3);
    const out = mkdtempSync(join(tmpdir(), 'netssm-notebook-'));
    const paths = quick.map((name) => join(folder, 'solutions', name));
    const argv = ['run-notebook', '--fast', '--json', '--out', out, ...paths];
    const run = spawnSync(process.execPath, [join(projectRoot, 'bin', 'netssm.cjs'), ...argv], {
      encoding: 'utf8',
    });
    expect(run.stderr).not.toContain('failed');
    expect(run.status).toBe(0);
    const { runs } = JSON.parse(run.stdout) as { runs: { cells: number }[] };
    expect(runs.map(({ cells }) => cells > 3)).toEqual(quick.map(() => true));
    // A table as last expression of a cell shows itself.
    const shown = readNotebook(join(out, quick[0])).cells.flatMap((cell) => cell.outputs ?? []);
    const tables = shown.filter(
      (o) => o.output_type === 'display_data' && /^2 rows, 3 columns\n/.test(String(o.data['text/plain'])),
    );
    expect(tables).toHaveLength(1);
  });
});
