import {
  NPRINT_BITS,
  utilityFeatures,
  utilityItems,
  type FeatureMatrix,
  type Trace,
  type UtilityItem,
  type UtilityTask,
} from '../evaluate';
import { NPRINT_FIELDS, NPRINT_RANGES } from '../packets';
import { matrix, type Matrix } from '../stats';

/** What the classifiers see; the three of the utility suite. */
export const MIXING_FEATURES: readonly UtilityTask[] = ['packet', 'flow', 'sequence'];

/**
 * Header bits that a classifier may see. `noports`: neither addresses nor ports, which name a service by themselves;
 * `noaddr`: ports, too; `all`: everything.
 */
export type MixingColumns = 'noports' | 'noaddr' | 'all';
export const MIXING_COLUMNS: readonly MixingColumns[] = ['noports', 'noaddr', 'all'];

/** Bits [from, to) of the 1,024 columns. */
const ADDRESSES = [[96, 160]] as const;
const PORTS = [
  [480, 512],
  [960, 992],
] as const;

/** Places of the columns that are left, of one packet. */
export function columnsOf(columns: MixingColumns): Uint16Array {
  const without = columns === 'all' ? [] : columns === 'noaddr' ? ADDRESSES : [...ADDRESSES, ...PORTS];
  const all = Array.from({ length: NPRINT_BITS }, (_, i) => i);
  return Uint16Array.from(all.filter((i) => !without.some(([from, to]) => i >= from && i < to)));
}

/**
 * Items of traces. Of generated traces the flows that a prompt begins are left out: their first packets are real, and
 * without them they begin in the middle.
 */
export function mixingItems(traces: readonly Trace[], task: UtilityTask): UtilityItem[] {
  const items = utilityItems(traces, task);
  if (task === 'packet') return items;
  return items.filter(({ trace, packets }) => {
    const prompted = traces[trace].prompt?.map(({ role }) => role?.flow) ?? [];
    return !prompted.includes(packets[0].role?.flow);
  });
}

/** Features of items as a matrix: header bits {1, 0, -1: absent}, or scaled sizes and times. */
export function mixingMatrix(
  items: readonly UtilityItem[],
  task: UtilityTask,
  columns: MixingColumns,
): Matrix {
  if (task === 'sequence') return logMatrix(utilityFeatures(items, task, 'all'));
  if (columns === 'noaddr' || columns === 'all') return asMatrix(utilityFeatures(items, task, columns));
  const { data, rows, columns: width } = utilityFeatures(items, task, 'all');
  const taken = columnsOf(columns);
  const packets = width / NPRINT_BITS;
  const out = new Int8Array(rows * packets * taken.length);
  let at = 0;
  for (let block = 0; block < rows * packets; block++)
    for (const column of taken) out[at++] = data[block * NPRINT_BITS + column];
  return matrix(out, rows, packets * taken.length);
}

function asMatrix({ data, rows, columns }: FeatureMatrix): Matrix {
  return matrix(data, rows, columns);
}

/** Sizes and times span seven decades: their logarithms, signs kept, suit all three classifiers. */
function logMatrix({ data, rows, columns }: FeatureMatrix): Matrix {
  return matrix(
    Float64Array.from(data, (value) => Math.sign(value) * Math.log1p(Math.abs(value))),
    rows,
    columns,
  );
}

/** Mean and deviation of each column of the training items, for machines that need features of one scale. */
export function scaler({ data, rows, columns }: Matrix): (m: Matrix) => Matrix {
  const mean = new Float64Array(columns);
  const sd = new Float64Array(columns);
  for (let i = 0; i < rows; i++) for (let c = 0; c < columns; c++) mean[c] += data[i * columns + c] / rows;
  for (let i = 0; i < rows; i++)
    for (let c = 0; c < columns; c++) sd[c] += (data[i * columns + c] - mean[c]) ** 2 / rows;
  return (m) =>
    matrix(
      Float64Array.from(m.data as ArrayLike<number>, (value, k) => {
        const c = k % columns;
        return sd[c] > 0 ? (value - mean[c]) / Math.sqrt(sd[c]) : 0;
      }),
      m.rows,
      m.columns,
    );
}

/** Importances added up by header field (all packets of a flow together), or by kind and place of a sequence. */
export function importancesByField(
  importances: ArrayLike<number>,
  task: UtilityTask,
  columns: MixingColumns,
): Record<string, number> {
  const sums: Record<string, number> = {};
  const taken = columnsOf(columns);
  for (let i = 0; i < importances.length; i++) {
    const name = task === 'sequence' ? sequenceName(i) : fieldName(taken[i % taken.length]);
    sums[name] = (sums[name] ?? 0) + importances[i];
  }
  return sums;
}

function sequenceName(i: number): string {
  const place = Math.floor(i / 2) + 1;
  const group = place <= 3 ? `packet ${place}` : place <= 10 ? 'packets 4 to 10' : 'packets 11 to 30';
  return `${i % 2 === 0 ? 'payload' : 'inter-arrival'}, ${group}`;
}

/** The field of one of the 1,024 columns: IPv4, TCP, UDP. */
function fieldName(column: number): string {
  const [section, from] =
    column < 480 ? (['ipv4', 0] as const) : column < 960 ? (['tcp', 480] as const) : (['udp', 960] as const);
  const place = NPRINT_RANGES[section][0] + column - from;
  return NPRINT_FIELDS.find((each) => place >= each.from && place < each.from + each.bits)?.name ?? section;
}
