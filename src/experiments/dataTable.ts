import type { ResultTable, RunContext } from './experiment';
import { PAPER_DATA } from './paper';
import { column } from './tables';

/** Table 1: what was measured on, beside the paper's data. */
export async function dataTable(context: RunContext): Promise<ResultTable> {
  const { classes, sessions, name } = await context.data();
  const rows = classes.map((label) => {
    const own = sessions.filter((session) => session.label === label);
    const count = (split: string): number => own.filter((session) => session.split === split).length;
    return [label, own[0]?.service ?? null, count('train'), count('test'), null, null];
  });
  return {
    id: 'data',
    title: 'Data: sessions that were used, and those of the paper',
    reproduces: ['tab1'],
    columns: [
      column.name('class'),
      column.name('service'),
      column.ours('training sessions'),
      column.ours('test sessions'),
      column.paper('captures'),
      column.paper('GiB'),
    ],
    rows: [
      ...rows,
      ...PAPER_DATA.map((each) => [
        `paper: ${each.name}`,
        `${each.classes} classes`,
        null,
        null,
        each.captures,
        each.gibibytes,
      ]),
    ],
    notes: [`Ours: ${name}.`],
  };
}
