// The Jupyter kernel "NetSSM (TypeScript)"; its kernelspec is written by `netssm kernel install`.
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const kernel = join(__dirname, '..', 'dist', 'notebook', 'kernel.js');
if (!existsSync(kernel)) {
  console.error(
    'netssm: dist/ is missing. Run `npm run build` in the project folder, then restart the kernel.',
  );
  process.exit(1);
}
require(kernel).startKernel(process.argv.slice(2));
