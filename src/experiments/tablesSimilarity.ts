import type { AttributeName, HeaderLevel, SimilarityRow } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured } from './measure';
import { PAPER_SIMILARITY } from './paper';
import { column } from './tables';

/** Which source the tables are about, and what goes before their ids (`flow-`: single flows). */
export interface TableOptions {
  /** Name of the judged source; null: real ones and rivals only. */
  judged: string | null;
  prefix: string;
}

/** A class's distance may be so many times that of real traffic. */
const BAR = 1.5;
/** Packets a side below which the sample itself is most of the distance. */
const ENOUGH = 4000;
/** Fields that are asked for by class; addresses and ephemeral ports differ between real captures, too. */
export const FIELDS_BY_CLASS = [
  'ip.proto',
  'ip.ttl',
  'tcp.flags',
  'ip.len',
  'tcp.window',
  'port.service',
] as const;

/** Table 2 and what it leaves out: by class against the class's floor, field by field, with the rivals. */
export function similarityTables(measured: Measured, options: TableOptions): ResultTable[] {
  return [table2(measured, options), headerByClass(measured, options), fieldsByClass(measured, options)];
}

export function findSimilarity(
  measured: Measured,
  source: string,
  label: string,
  what: SimilarityRow['what'],
): SimilarityRow | undefined {
  return measured.similarity.find((row) => row.source === source && row.label === label && row.what === what);
}

function distance(
  measured: Measured,
  source: string,
  label: string,
  what: SimilarityRow['what'],
): number | null {
  return findSimilarity(measured, source, label, what)?.jsDistance ?? null;
}

/** Sources that have rows, the judged one first. */
function sourcesOf(measured: Measured, judged: string | null): string[] {
  const names = measured.sources.map(({ name }) => name).filter((name) => name !== judged);
  return judged === null ? names : [judged, ...names];
}

function table2(measured: Measured, { judged, prefix }: TableOptions): ResultTable {
  const attribute = (source: string, name: AttributeName | 'avg'): number | null =>
    measured.attributes.find(
      (row) =>
        row.source === source && row.label === 'all' && row.definition === 'twins' && row.attribute === name,
    )?.jsDistance ?? null;
  const ours = sourcesOf(measured, judged).map((source): Cell[] => {
    const header = findSimilarity(measured, source, 'macro', 'tcp');
    return [
      source,
      'ours',
      ...(['SA', 'DA', 'SP', 'DP', 'PR', 'avg'] as const).map((name) => attribute(source, name)),
      header?.jsDistance ?? null,
      header?.totalVariation ?? null,
      header?.hellinger ?? null,
    ];
  });
  const paper = PAPER_SIMILARITY.map((row): Cell[] => [
    row.method,
    'paper',
    row.sa,
    row.da,
    row.sp,
    row.dp,
    row.pr,
    row.average,
    row.jsd,
    row.tvd,
    row.hd,
  ]);
  const titles = ['SA', 'DA', 'SP', 'DP', 'PR', 'mean', 'header JSD', 'header TVD', 'header HD'];
  return {
    id: `${prefix}tab2`,
    title: 'Distances from held-out real traffic, and the paper’s from its own',
    reproduces: ['tab2'],
    columns: [column.name('source'), column.name('from'), ...titles.map((title) => column.ours(title))],
    rows: [...ours, ...paper],
    notes: [
      'Base-2 Jensen-Shannon distances. Addresses and ports are compared trace by trace with the twin, as in the ' +
        'paper: real sessions of another day have others, so small values there mean copying. Header level: mean ' +
        'over the 480 TCP bits, mean over the classes with at least 100 TCP packets. The paper gives neither base ' +
        'nor construction.',
    ],
  };
}

function headerByClass(measured: Measured, { judged, prefix }: TableOptions): ResultTable {
  const what: HeaderLevel = 'tcp';
  const others = sourcesOf(measured, judged).filter((name) => name !== judged && name !== 'real');
  const rows = classesOf(measured).map((label): Cell[] => {
    const floor = findSimilarity(measured, 'real', label, what);
    const own = judged === null ? undefined : findSimilarity(measured, judged, label, what);
    return [
      label,
      floor?.nReference ?? null,
      floor?.jsDistance ?? null,
      ...(judged === null
        ? []
        : [
            own?.nSource ?? null,
            own?.jsDistance ?? null,
            ratio(own?.jsDistance, floor?.jsDistance),
            headerVerdict(own, floor),
          ]),
      ...others.map((source) => distance(measured, source, label, what)),
    ];
  });
  return {
    id: `${prefix}header-by-class`,
    title: 'Header level (480 TCP bits) by class',
    reproduces: ['tab2'],
    columns: [
      column.name('class'),
      column.ours('TCP packets, test'),
      column.ours('real (floor)'),
      ...(judged === null
        ? []
        : [
            column.ours('TCP packets, judged'),
            column.ours(judged),
            column.ours('times the floor'),
            column.bar(`at most ${BAR}`),
          ]),
      ...others.map((source) => column.ours(source)),
    ],
    rows,
    notes: [
      `Distances between fewer than ${ENOUGH.toLocaleString('en')} packets a side are partly those of the sample: see the column "sampling".`,
    ],
  };
}

function fieldsByClass(measured: Measured, { judged, prefix }: TableOptions): ResultTable {
  const labels = classesOf(measured);
  const rivals = measured.sources.filter(({ role }) => role === 'baseline').map(({ name }) => name);
  const rows = FIELDS_BY_CLASS.flatMap((field) =>
    labels.map((label): Cell[] => {
      const floor = distance(measured, 'real', label, field);
      const own = judged === null ? null : distance(measured, judged, label, field);
      return [
        field,
        label,
        floor,
        ...(judged === null ? [] : [own, ratio(own, floor), fieldVerdict(own, floor)]),
        ...rivals.map((source) => distance(measured, source, label, field)),
      ];
    }),
  );
  return {
    id: `${prefix}fields-by-class`,
    title: 'Header fields by class',
    reproduces: [],
    columns: [
      column.name('field'),
      column.name('class'),
      column.ours('real (floor)'),
      ...(judged === null
        ? []
        : [column.ours(judged), column.ours('times the floor'), column.bar(`at most ${BAR}`)]),
      ...rivals.map((source) => column.ours(source)),
    ],
    rows,
    notes: [
      'A floor below 0.01 counts as 0.01: a field that is constant in real traffic has a floor of 0, of which nothing is a ' +
        'multiple.',
    ],
  };
}

/** A field that never varies in real traffic has a floor of 0; nobody has to be as near as that. */
const LEAST_FLOOR = 0.01;

export function fieldVerdict(own: number | null, floor: number | null): 'met' | 'missed' | null {
  if (own === null || floor === null) return null;
  return own <= BAR * Math.max(floor, LEAST_FLOOR) ? 'met' : 'missed';
}

/** Classes that the reference has, with `macro` at the end. */
export function classesOf(measured: Measured): string[] {
  return [...Object.keys(measured.reference.perLabel), 'macro'];
}

export function ratio(value: number | null | undefined, floor: number | null | undefined): number | null {
  return value == null || floor == null || floor === 0 ? null : value / floor;
}

export function headerVerdict(
  own: SimilarityRow | undefined,
  floor: SimilarityRow | undefined,
): string | null {
  const times = ratio(own?.jsDistance, floor?.jsDistance);
  if (times === null || !own) return null;
  if (Math.min(own.nSource, own.nReference) < ENOUGH) return 'few packets';
  return times <= BAR ? 'met' : 'missed';
}
