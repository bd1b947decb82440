/** docs/lecture.md: each slide has its row, and each row names a notebook and a heading that is really there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cellSource, readNotebook } from '../../src/notebook';
import { projectRoot } from '../../src/util';

const page = readFileSync(join(projectRoot, 'docs', 'lecture.md'), 'utf8');
const table = page.slice(page.indexOf('## Slide by slide'), page.indexOf('## The notebooks as a course'));
const rows = table
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => line.slice(1, -1).split(' | ').map((cell) => cell.trim())); // prettier-ignore
const path = (notebook: string): string => join(projectRoot, 'notebooks', `${notebook}.ipynb`);

function headings(notebook: string): string[] {
  return readNotebook(path(notebook))
    .cells.filter((cell) => cell.cell_type === 'markdown')
    .flatMap((cell) => [...cellSource(cell).matchAll(/^#{1,3} (.+)$/gm)].map(([, heading]) => heading));
}

describe('the table of slides', () => {
  test('has a row of six columns for each of the 26, in order', () => {
    expect(rows.map(([slide]) => Number(slide))).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
    expect(rows.filter((row) => row.length !== 6)).toEqual([]);
  });

  test('each row names a cell by notebook and heading, and both exist', () => {
    const cells = rows.map(([slide, , cell]) => ({ slide, match: /^`([\w]+)`: "(.+)"$/.exec(cell), cell }));
    expect(cells.filter(({ match }) => !match)).toEqual([]);
    const wrong = cells
      .map(({ slide, match }) => ({ slide, notebook: match![1], heading: match![2] }))
      .filter(
        ({ notebook, heading }) => !existsSync(path(notebook)) || !headings(notebook).includes(heading),
      );
    expect(wrong).toEqual([]);
  });

  test('a row without a number on the slide, or without one of ours, says why in words', () => {
    for (const [slide, , , , ours, why] of rows) {
      if (ours === '–') expect(why.length, `slide ${slide}`).toBeGreaterThan(40);
      expect(`${ours} ${why}`.length, `slide ${slide}`).toBeGreaterThan(30);
    }
  });

  test('all notebooks and sections that the page names exist', () => {
    for (const [, notebook] of page.matchAll(/`(\d\d[a-z]?_\w+)`/g))
      expect(existsSync(path(notebook)), notebook).toBe(true);
    const sections = [...page.matchAll(/`(\d\d[a-z]?_\w+)`,\s+section (\d+)/g)];
    expect(sections.length).toBeGreaterThan(4);
    for (const [, notebook, number] of sections)
      expect(headings(notebook).some((heading) => heading.startsWith(`${number}. `)), `${notebook} ${number}`).toBe(true); // prettier-ignore
    for (const [, file] of page.matchAll(/\]\((\w+\.md)\)/g))
      expect(existsSync(join(projectRoot, 'docs', file)), file).toBe(true);
  });

  test('numbers that are said to stand in reproduction.md do', () => {
    const reproduction = readFileSync(join(projectRoot, 'docs', 'reproduction.md'), 'utf8');
    const row = (start: string): string =>
      reproduction.split('\n').find((line) => line.startsWith(start)) ?? `no row ${start}`;
    expect(row('| netssm | ours | 0.673 |')).toContain('| 0.0502 |');
    expect(row('| real | ours | 0.999 |')).toContain('| 0.0392 |');
    expect(row('| correct handshakes found |')).toContain('| 92.6 |');
    expect(row('| nearest, mean |')).toMatch(/\| 0\.281 \| 0\.275 \|/);
    expect(row('| netssm | all | 259 |')).toContain('| 0.358 | 82.3 | 10.9 | 11.8 |');
    expect(row('| netssm | dash | 20 |')).toContain('| 0.837 |');
    expect(row('| netssm, dash | raw segment size |')).toContain('| 0.216 |');
    expect(row('| one packet, header bits | application |')).toContain('| 0.808 | 0.774 |');
    expect(row('| first 10 packets of a flow, header bits | application |')).toContain('| 0.626 | 0.606 |');
  });
});
