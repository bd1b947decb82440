import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../../src/util';

/**
 * Compiles src/ into a folder of its own, without type checks, so that a child process can run it whatever state
 * dist/ is in. The modules it needs are linked beside it.
 */
export function compileSources(out: string): string {
  const src = join(projectRoot, 'src');
  const visit = (dir: string): void => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (statSync(path).isDirectory()) visit(path);
      else if (name.endsWith('.ts')) {
        const target = join(out, 'dist', relative(src, path)).replace(/\.ts$/, '.js');
        mkdirSync(dirname(target), { recursive: true });
        const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
          compilerOptions: {
            target: ts.ScriptTarget.ES2022,
            module: ts.ModuleKind.CommonJS,
            esModuleInterop: true,
          },
        });
        writeFileSync(target, outputText);
      }
    }
  };
  for (const folder of ['util', 'stats', 'capture', 'packets', 'flows', 'tokens', 'tensor', 'model', 'train'])
    visit(join(src, folder));
  cpSync(join(projectRoot, 'package.json'), join(out, 'package.json'));
  symlinkSync(join(projectRoot, 'node_modules'), join(out, 'node_modules'), 'junction');
  return out;
}

/** A program that trains: `node train.cjs RUN DATA CONFIG_JSON [fault]`, resuming where there is something to resume. */
export const TRAIN_PROGRAM = `
const { existsSync } = require('node:fs');
const fs = require('node:fs');
const [run, data, config, fault] = process.argv.slice(2);
// With a fault the process kills itself at the n-th rename: in the middle of writing a checkpoint.
if (fault) {
  let left = Number(fault);
  const rename = fs.renameSync;
  fs.renameSync = (from, to) => {
    if (--left === 0) process.kill(process.pid, 'SIGKILL');
    rename(from, to);
  };
}
const { useEngine } = require('./dist/tensor');
const { fit } = require('./dist/train');
(async () => {
  const engine = await useEngine('wasm');
  process.stdout.write('ready\\n');
  await fit({
    run, data, engine, resume: existsSync(run), config: JSON.parse(config),
    onStep: (m) => process.stdout.write('step ' + m.step + '\\n'),
  });
  process.stdout.write('done\\n');
})().catch((error) => { process.stderr.write(String(error.stack) + '\\n'); process.exit(1); });
`;
