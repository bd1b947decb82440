// Brings notebooks into the form in which they are committed: no outputs (but of cells tagged keep-output), no
// execution counts, this project's kernel in the metadata. `--check` changes nothing and exits 1 if something would.
// Usage: node scripts/nb-strip.mjs [--check] [NOTEBOOK...]   (default: all of notebooks/)
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = join(root, 'dist', 'notebook', 'ipynb.js');
if (!existsSync(built)) {
  console.error('nb-strip: dist/ is missing. Run `npm run build` first.');
  process.exit(1);
}
const { readNotebook, stripNotebook } = createRequire(import.meta.url)(built);
const LARGEST = 300_000;

const args = process.argv.slice(2);
const check = args.includes('--check');
const named = args.filter((argument) => !argument.startsWith('--'));
const notebooks =
  named.length > 0
    ? named
    : readdirSync(join(root, 'notebooks'), { recursive: true })
        .filter((name) => name.endsWith('.ipynb') && !name.includes('.ipynb_checkpoints'))
        .map((name) => join(root, 'notebooks', name));

let wrong = 0;
for (const path of notebooks) {
  const before = readFileSync(path, 'utf8');
  const after = `${JSON.stringify(stripNotebook(readNotebook(path)), null, 1)}\n`;
  if (before !== after) {
    if (check) {
      console.error(`${path}: not stripped (node scripts/nb-strip.mjs does it)`);
      wrong++;
    } else {
      writeFileSync(path, after);
      console.error(`${path}: stripped`);
    }
  }
  if (statSync(path).size > LARGEST) {
    console.error(`${path}: ${statSync(path).size} bytes; a committed notebook has at most ${LARGEST}`);
    wrong++;
  }
}
process.exit(wrong > 0 ? 1 : 0);
