/** The root entry: the version. Everything else is imported by part: `netssm/packets`, `netssm/model` ... */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** This package's version, from package.json. */
export const version: string = (
  JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { version: string }
).version;
