/** Makes and packs the data set: `node data/testbed/make.mjs --help`. */
import { startProgram } from './start.mjs';

startProgram('make');
