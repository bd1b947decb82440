import type { MemorisationRow } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured } from './measure';
import { PAPER_MEMORISATION } from './paper';
import { column } from './tables';
import type { TableOptions } from './tablesSimilarity';

/** Appendix Table 2, and the same class by class beside what other real sessions have. `all`: one result a class. */
export function memorisationTables(all: readonly Measured[], options: TableOptions): ResultTable[] {
  const rows = all.flatMap((measured) => measured.memorisation?.rows ?? []);
  return [overall(rows, options), byClass(all, rows, options), fieldChanges(rows, options)];
}

const shown = ({ judged }: TableOptions): string => judged ?? 'reference';

/** One source's classes, each with the weight of the packets that were compared. */
function mean(
  rows: readonly MemorisationRow[],
  of: (row: MemorisationRow) => number | null | undefined,
  weight: (row: MemorisationRow) => number = (row) => row.nearest?.queries ?? 0,
): number | null {
  let [sum, total] = [0, 0];
  for (const row of rows) {
    const value = of(row);
    if (value == null) continue;
    sum += value * weight(row);
    total += weight(row);
  }
  return total === 0 ? null : sum / total;
}

function ownRows(rows: readonly MemorisationRow[], source: string): MemorisationRow[] {
  return rows.filter((row) => row.source === source && row.label !== 'pooled');
}

function overall(rows: readonly MemorisationRow[], options: TableOptions): ResultTable {
  const judged = shown(options);
  const sources = [...new Set(rows.map(({ source }) => source))].sort(
    (a, b) => Number(b === judged) - Number(a === judged),
  );
  const paper = PAPER_MEMORISATION;
  const one = (
    title: string,
    of: (row: MemorisationRow) => number | null | undefined,
    value: number | null,
    weight?: (row: MemorisationRow) => number,
  ): Cell[] => [title, ...sources.map((source) => mean(ownRows(rows, source), of, weight)), value];
  const position = (from: number) => (row: MemorisationRow) =>
    row.byPosition.find((each) => each.from === from)?.mean;
  return {
    id: `${options.prefix}appTab2`,
    title: 'Distance to the nearest training packet, and the paper’s',
    reproduces: ['appTab2'],
    columns: [column.name('measure'), ...sources.map((source) => column.ours(source)), column.paper('paper')],
    rows: [
      one(
        'packets compared',
        (row) => row.nearest?.queries ?? null,
        null,
        () => 1,
      ),
      one(
        'identical headers, share',
        (row) => row.identicalShare,
        paper.identicalPackets,
        (row) => row.rows,
      ),
      one('nearest, mean', (row) => row.nearest?.mean, paper.nearest.mean),
      one('nearest, median', (row) => row.nearest?.median, paper.nearest.median),
      one('nearest, sd', (row) => row.nearest?.sd, paper.nearest.sd),
      one('nearest, max', (row) => row.nearest?.max, paper.nearest.max),
      ...(['0.05', '0.1', '0.15', '0.2'] as const).map((limit) =>
        one(`within ${limit}, share`, (row) => row.nearest?.within[limit], paper.within[limit]),
      ),
      ...paper.byPosition.map(({ from, to, mean: value }) =>
        one(`packets ${from} to ${to}, mean`, position(from), value),
      ),
      one('distance of pairs', (row) => row.pairDistance, paper.diversity.generated),
      one('diversity ratio', (row) => row.diversityRatio, paper.diversity.ratio),
      one('five-tuples that training has, share', (row) => share(row.reusedFlows, row.flows), null),
    ],
    notes: [
      'Normalised Hamming distance of 80-byte IPv4 and TCP headers in hexadecimal digits; means over the classes by ' +
        'packets compared. "reference": held-out real sessions, "training": each training session against the ' +
        "others. Prompt packets are not counted; the paper's identical ones are its prompts.",
    ],
  };
}

function share(part: number | null, of: number | null): number | null {
  return part === null || !of ? null : part / of;
}

function byClass(
  all: readonly Measured[],
  rows: readonly MemorisationRow[],
  options: TableOptions,
): ResultTable {
  const { judged, prefix } = options;
  const labels = [...new Set(rows.map(({ label }) => label))].filter((label) => label !== 'pooled');
  const find = (source: string, label: string): MemorisationRow | undefined =>
    rows.find((row) => row.source === source && row.label === label);
  return {
    id: `${prefix}memorisation-by-class`,
    title: 'Memorisation by class',
    reproduces: ['appTab2'],
    columns: [
      column.name('class'),
      column.ours('identical, real'),
      column.ours('nearest mean, real'),
      ...(judged === null
        ? [column.ours('diversity, real')]
        : [
            column.ours('identical'),
            column.bar('none'),
            column.ours('nearest mean'),
            column.bar('not below real - 0.01'),
            column.ours('diversity'),
            column.bar('at least 0.93'),
            column.ours('membership AUC'),
            column.ours('AUC low'),
            column.ours('AUC high'),
            column.bar('at most 0.6'),
          ]),
    ],
    rows: labels.map((label): Cell[] => {
      const real = find('reference', label);
      const own = judged === null ? undefined : find(judged, label);
      const base = [label, real?.identical ?? null, real?.nearest?.mean ?? null];
      if (judged === null) return [...base, real?.diversityRatio ?? null];
      const audit = all.find((m) => m.memorisation?.rows.includes(own as MemorisationRow))?.memorisation
        ?.membership;
      const [near, far] = [own?.nearest?.mean, real?.nearest?.mean];
      const diversity = own?.diversityRatio ?? null;
      return [
        ...base,
        own?.identical ?? null,
        own?.identical == null ? null : own.identical === 0 ? 'met' : 'missed',
        near ?? null,
        near === undefined || far === undefined ? null : near >= far - 0.01 ? 'met' : 'missed',
        diversity,
        diversity === null ? null : diversity >= 0.93 ? 'met' : 'missed',
        audit?.auc.estimate ?? null,
        audit?.auc.low ?? null,
        audit?.auc.high ?? null,
        audit ? (audit.auc.estimate <= 0.6 ? 'met' : 'missed') : null,
      ];
    }),
    notes:
      judged === null
        ? []
        : [
            'Membership: an attacker takes sessions with a low loss for training sessions; 0.5 is nothing to learn. ' +
              'Some of the training sessions may have been held back for validation when the model was trained.',
          ],
  };
}

function fieldChanges(rows: readonly MemorisationRow[], options: TableOptions): ResultTable {
  const { judged } = options;
  const own = ownRows(rows, shown(options));
  const real = judged === null ? [] : ownRows(rows, 'reference');
  const fields = [...new Set(own.flatMap(({ byField }) => byField.map(({ field }) => field)))];
  const change =
    (field: string, key: 'changed' | 'meanChange') =>
    (row: MemorisationRow): number | null | undefined =>
      row.byField.find((each) => each.field === field)?.[key];
  const paper = PAPER_MEMORISATION.fieldChanges as Readonly<Record<string, number>>;
  return {
    id: `${options.prefix}appTab2-fields`,
    title: 'Header fields beside those of the nearest training packet',
    reproduces: ['appTab2'],
    columns: [
      column.name('field'),
      column.ours('differs, share'),
      column.ours('mean difference'),
      ...(judged === null ? [] : [column.ours('real: differs'), column.ours('real: mean difference')]),
      column.paper('paper: mean difference'),
    ],
    rows: fields.map((field) => [
      field,
      mean(own, change(field, 'changed')),
      mean(own, change(field, 'meanChange')),
      ...(judged === null
        ? []
        : [mean(real, change(field, 'changed')), mean(real, change(field, 'meanChange'))]),
      paper[field] ?? null,
    ]),
    notes: [],
  };
}
