import { byLabel } from '../groups';
import { reportSource, type SuiteInput } from '../sources';
import { poolValidity, validityRow, type ValidityRow } from '../validity';

/** Packet checks and connections of the reference and of all sources, by label and `pooled`. */
export function validitySuite(input: SuiteInput): ValidityRow[] {
  return [{ name: 'reference', traces: input.reference }, ...input.sources].flatMap(({ name, traces }, i) => {
    reportSource(input, 'validity', i, name);
    const rows = [...byLabel(traces)].map(([label, group]) => validityRow(name, label, group));
    return rows.length > 0 ? [...rows, poolValidity(rows)] : [];
  });
}
