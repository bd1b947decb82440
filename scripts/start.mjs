// `npm start`: install what is missing, build what is stale, run the main job. Arguments go to `netssm demo`.
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { ensureBuilt, ensureInstalled, root } from './ensure.mjs';

await ensureInstalled();
ensureBuilt();
const args = [join(root, 'bin', 'netssm.cjs'), 'demo', ...process.argv.slice(2)];
process.exit(spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1);
