/** Where the testbed's own files are that are not compiled. */
import { join } from 'node:path';

/** The compiled program lies in node_modules/.cache/netssm-testbed. */
const TESTBED = join(__dirname, '..', '..', '..', '..', 'data', 'testbed');

export const RELAY_SOURCE = join(TESTBED, 'wire', 'wire.c');
export const pythonProgram = (name: string): string => join(TESTBED, 'python', name);
/** Debian's Python, which has the packages of install.sh; another one on the PATH may not. */
export const PYTHON = '/usr/bin/python3';
