import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { expandShorthandProperties } from '../../src/notebook/cellSource';
import {
  cellSource,
  figure,
  jupyterDataDir,
  kernelSpec,
  params,
  parseSetting,
  readNotebook,
  staticSvg,
  stripNotebook,
  textTable,
  type Cell,
  type Notebook,
} from '../../src/notebook';

const root = join(__dirname, '..', '..');
const built = existsSync(join(root, 'dist', 'notebook', 'runnerProcess.js'));

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'netssm-notebook-'));
}

function code(source: string): Cell {
  return { cell_type: 'code', metadata: {}, source, outputs: [], execution_count: null };
}

function writeCells(path: string, ...cells: Cell[]): void {
  const notebook: Notebook = { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 };
  writeFileSync(path, JSON.stringify(notebook));
}

/** The command as a user calls it, in a folder that knows nothing of the project. */
function runNotebook(
  cwd: string,
  ...argv: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'bin', 'netssm.cjs'), 'run-notebook', ...argv], {
    cwd,
    encoding: 'utf8',
  });
}

describe.skipIf(!built)('run-notebook (needs dist/: npm run build)', () => {
  test('imports the package by name from any folder, keeps outputs, updates in place', () => {
    const folder = temporaryFolder();
    writeCells(
      join(folder, 'tiny.ipynb'),
      { cell_type: 'markdown', metadata: {}, source: '# A title' },
      code('import { Rng, formatDuration } from "netssm/util"; import { newDisplay } from "tslab";'),
      code('const rng: Rng = new Rng(1); console.log(formatDuration(75)); Object.keys({ rng }).length'),
      code(
        'const d = newDisplay(); d.text("before"); await new Promise((r) => setTimeout(r, 10)); d.text("after")',
      ),
      code('import { params, setup } from "netssm/notebook"; params({ steps: 100 }, { steps: 5 })'),
    );
    const run = runNotebook(folder, 'tiny.ipynb', '--fast', '--set', 'steps=7', '--out', 'done', '--json');
    expect(run.stderr).not.toContain('failed');
    expect(run.status).toBe(0);
    const { runs } = JSON.parse(run.stdout) as {
      runs: { cells: number; peakBytes: number; seconds: number }[];
    };
    expect(runs).toHaveLength(1);
    expect(runs[0].cells).toBe(4);
    expect(runs[0].peakBytes).toBeGreaterThan(50e6);
    const cells = readNotebook(join(folder, 'done', 'tiny.ipynb')).cells;
    expect(cells[2].outputs).toEqual([{ output_type: 'stream', name: 'stdout', text: '1 min 15 s\n1\n' }]);
    expect(cells[3].outputs).toEqual([
      { output_type: 'display_data', data: { 'text/plain': 'after' }, metadata: {} },
    ]);
    expect(cells[4].outputs).toEqual([{ output_type: 'stream', name: 'stdout', text: '{ steps: 7 }\n' }]);
    expect(cells.map((cell) => cell.execution_count ?? null)).toEqual([null, 1, 2, 3, 4]);
    // The original is untouched.
    expect(readNotebook(join(folder, 'tiny.ipynb')).cells[2].outputs).toEqual([]);
  });

  test('a failing cell: exit 1, its message, and nothing after it is run', () => {
    const folder = temporaryFolder();
    writeCells(
      join(folder, 'fails.ipynb'),
      code('const a = 1;'),
      code('throw new Error("no packets at offset 5");'),
      code('console.log("never reached")'),
    );
    const run = runNotebook(folder, 'fails.ipynb', '--in-place');
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('code cell 2 of 3 failed');
    expect(run.stderr).toContain('no packets at offset 5');
    expect(run.stderr).not.toContain('tslab');
    const cells = readNotebook(join(folder, 'fails.ipynb')).cells;
    expect(cells[1].outputs?.at(-1)).toMatchObject({ output_type: 'error' });
    expect(cells[2].outputs).toEqual([]);
  });

  test('a type error stops the cell before it runs', () => {
    const folder = temporaryFolder();
    writeCells(
      join(folder, 'types.ipynb'),
      code('import { formatDuration } from "netssm/util"; formatDuration("75")'),
    );
    const run = runNotebook(folder, 'types.ipynb');
    expect(run.status).toBe(1);
    expect(run.stderr).toContain("Argument of type 'string' is not assignable to parameter of type 'number'");
  });
});

describe('notebook files', () => {
  test('stripping removes outputs and counts, and keeps tagged cells', () => {
    const kept = code('"kept"');
    kept.metadata = { tags: ['keep-output'], scrolled: true };
    kept.outputs = [{ output_type: 'stream', name: 'stdout', text: 'x' }];
    const gone = code('a\nb');
    gone.outputs = kept.outputs;
    gone.execution_count = 7;
    const stripped = stripNotebook({ cells: [kept, gone], metadata: {}, nbformat: 4, nbformat_minor: 2 });
    expect(stripped.cells[0].outputs).toHaveLength(1);
    expect(stripped.cells[0].metadata).toEqual({ tags: ['keep-output'] });
    expect(stripped.cells[1]).toMatchObject({ outputs: [], execution_count: null, source: ['a\n', 'b'] });
    expect(stripped.metadata).toMatchObject({ kernelspec: { name: 'netssm-ts' } });
    expect(cellSource(stripped.cells[1])).toBe('a\nb');
    // Idempotent: a stripped notebook is its own stripped form.
    expect(stripNotebook(stripped)).toEqual(stripped);
  });

  test('something else is refused with its name', () => {
    const path = join(temporaryFolder(), 'x.ipynb');
    writeFileSync(path, '{"nbformat": 3}');
    expect(() => readNotebook(path)).toThrow(/x\.ipynb is not a notebook of format 4/);
  });
});

describe('parameters', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('--set values are typed', () => {
    expect(parseSetting('steps=50')).toEqual(['steps', 50]);
    expect(parseSetting('fast=true')).toEqual(['fast', true]);
    expect(parseSetting('name=a=b')).toEqual(['name', 'a=b']);
    expect(parseSetting('empty=')).toEqual(['empty', '']);
    expect(() => parseSetting('=5')).toThrow(/name=value/);
  });

  test('fast values, then overrides; unknown names and wrong types are errors', () => {
    expect(params({ steps: 100, label: 'web' })).toEqual({ steps: 100, label: 'web' });
    vi.stubEnv('NETSSM_FAST', '1');
    expect(params({ steps: 100, label: 'web' }, { steps: 5 })).toEqual({ steps: 5, label: 'web' });
    vi.stubEnv('NETSSM_PARAMS', '{"steps": 9}');
    expect(params({ steps: 100 }, { steps: 5 })).toEqual({ steps: 9 });
    expect(() => params({ label: 'web' })).toThrow(/no parameter steps/);
    expect(() => params({ steps: 'many' })).toThrow(/parameter steps is a string, not 9/);
  });
});

describe('kernelspec', () => {
  test('is found where Jupyter looks, on every platform', () => {
    expect(jupyterDataDir({ JUPYTER_DATA_DIR: '/data' }, 'linux')).toBe('/data');
    expect(jupyterDataDir({ XDG_DATA_HOME: '/xdg' }, 'linux')).toBe(join('/xdg', 'jupyter'));
    expect(jupyterDataDir({}, 'darwin')).toMatch(/Library.Jupyter$/);
    expect(jupyterDataDir({ APPDATA: 'C:' }, 'win32')).toBe(join('C:', 'jupyter'));
  });

  test('starts bin/kernel.cjs with this Node', () => {
    const { argv, env } = kernelSpec();
    expect(argv[0]).toBe(process.execPath);
    expect(argv).toContain(join(root, 'bin', 'kernel.cjs'));
    expect(env.NODE_PATH).toBe(join(root, 'node_modules'));
  });
});

describe('figures', () => {
  const line = {
    data: [{ type: 'scatter', x: [0, 1, 2], y: [3, 1, 2], name: 'loss' }],
    layout: { title: { text: 'A <b>loss</b>' } },
  };

  test('static SVG of a line: three points, the title as plain text', () => {
    const svg = staticSvg(line)!;
    const points = /points="([^"]+)"/.exec(svg)![1].split(' ');
    expect(points).toHaveLength(3);
    const [y0, y1, y2] = points.map((point) => Number(point.split(',')[1]));
    expect(y1).toBeGreaterThan(y2); // smaller values lie lower, and SVG counts downwards
    expect(y2).toBeGreaterThan(y0);
    expect(svg).toContain('>A loss<');
  });

  test('bars: heights in proportion, categories as labels', () => {
    const svg = staticSvg({ data: [{ type: 'bar', x: ['real', 'generated'], y: [10, 5] }] })!;
    const heights = [...svg.matchAll(/height="([\d.]+)" fill="#0072b2"/g)].map((match) => Number(match[1]));
    expect(heights).toHaveLength(2);
    expect(heights[0] / heights[1]).toBeCloseTo(2, 1);
    expect(svg).toContain('>generated<');
  });

  test('histograms count, heatmaps draw a cell each, the rest is left to plotly', () => {
    expect(staticSvg({ data: [{ type: 'histogram', x: [1, 1, 2] }] })!.match(/<rect/g)!.length).toBe(31);
    expect(
      staticSvg({
        data: [
          {
            type: 'heatmap',
            z: [
              [1, 2],
              [3, 4],
            ],
          },
        ],
      })!.match(/hsl\(/g)!.length,
    ).toBe(4);
    expect(staticSvg({ data: [{ type: 'scatter3d', z: [1] }] })).toBe(undefined);
  });

  test('are saved as SVG and JSON', () => {
    const folder = temporaryFolder();
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    figure('loss', line, { save: folder, caption: 'It falls.' });
    expect(log).toHaveBeenCalledWith('[figure loss: It falls.]');
    log.mockRestore();
    expect(JSON.parse(readFileSync(join(folder, 'loss.json'), 'utf8'))).toEqual(line);
    expect(readFileSync(join(folder, 'loss.svg'), 'utf8')).toBe(staticSvg(line));
  });
});

describe('cells', () => {
  test('shorthand properties are written out, and nothing else is changed', () => {
    expect(expandShorthandProperties('f({ a, b: 1, c })')).toBe('f({ a: a, b: 1, c: c })');
    expect(expandShorthandProperties('({ a = 1 } = x)')).toBe('({ a: a = 1 } = x)');
    const others = 'const { a } = x; import { b } from "c"; // { d }\nconst e = "{ f }";';
    expect(expandShorthandProperties(others)).toBe(others);
  });
});

test('text tables align', () => {
  expect(
    textTable(
      ['name', 'n'],
      [
        ['a', '1'],
        ['bcdef', '20'],
      ],
      ['left', 'right'],
    ),
  ).toBe('name    n\n-----  --\na       1\nbcdef  20');
});
