/** The command line of validate.mjs. */
import { compareSets } from './validate/compare';
import { validateSet } from './validate/set';

const HELP = `node data/testbed/validate.mjs DIR [--same-as DIR2]
Checks a packed set with tshark: handshakes, closes, lengths, recorded checksums, hashes, and the
segments of the DASH class; prints a table of the classes. Exits 1 when a promise is not kept.

  --same-as DIR2   compares with a set made from the same seed instead: scripts, sizes`;

const [folder, option, other, ...more] = process.argv.slice(2);
const usable = folder && !folder.startsWith('-') && (!option || (option === '--same-as' && other)) && more.length === 0;
if (!usable) {
  const wanted = folder === '--help';
  (wanted ? console.log : console.error)(HELP);
  process.exit(wanted ? 0 : 2);
}
Promise.resolve(option ? compareSets(folder, other) : validateSet(folder)).then(
  (right) => process.exit(right ? 0 : 1),
  (error: unknown) => {
    console.error((error as Error).message);
    process.exit(2);
  },
);
