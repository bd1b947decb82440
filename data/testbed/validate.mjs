/** Checks a packed data set with tshark: `node data/testbed/validate.mjs DIR`. */
import { startProgram } from './start.mjs';

startProgram('validate');
