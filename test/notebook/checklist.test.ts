/** The table of promises in docs/notebooks.md: complete, and each proof that it names is a test that exists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { setup } from '../../src/notebook';

const root = join(__dirname, '..', '..');
const text = readFileSync(join(root, 'docs', 'notebooks.md'), 'utf8');
const rows = [...text.matchAll(/^\| (\d+) \| (.+?) \| (P[01]) \| (.+) \|$/gm)].map(
  ([, number, feature, priority, proof]) => ({ number: Number(number), feature, priority, proof }),
);

describe('the table of promises', () => {
  test('has all of them: 20 of the first release, 11 of the next', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
    expect(rows.filter(({ priority }) => priority === 'P0')).toHaveLength(20);
  });

  test.each(rows)('$number: the tests exist', ({ proof }) => {
    let file = '';
    let proofs = 0;
    for (const [, path, title] of proof.matchAll(/`(test\/[\w/.-]+)`|"([^"]+)"/g)) {
      if (path) {
        file = path;
        expect(existsSync(join(root, path)), path).toBe(true);
        continue;
      }
      const source = readFileSync(join(root, file), 'utf8');
      const quoted = ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
      expect(quoted, `"${title}" in ${file}`).toBe(true);
      proofs++;
    }
    expect(proofs > 0 || proof === 'not there yet', proof).toBe(true);
  });
});

test('setup says what a notebook runs on', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const context = await setup({ engine: 'none', seed: 7, fast: true });
  const shown = String(log.mock.calls[0][0]).split('\n');
  log.mockRestore();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(shown[0]).toMatch(new RegExp(`^netssm +${version.replace(/\./g, '\\.')}( \\([0-9a-f]{7,}\\))?$`));
  expect(shown.slice(1, 3)).toEqual([`node      ${process.version}`, 'tslab     1.0.22']);
  expect(shown).toContain('seed      7');
  expect(shown.find((line) => line.startsWith('mode'))).toMatch(/^mode +fast \(small sizes/);
  expect(context).toMatchObject({ seed: 7, fast: true, engine: undefined, root });
  // The same seed, the same numbers.
  const again = await setup({ engine: 'none', seed: 7, fast: true });
  expect(again.rng.uniform()).toBe(context.rng.uniform());
});
