import type { ComplianceRow } from '../evaluate';
import type { Cell, ResultTable } from './experiment';
import type { Measured } from './measure';
import { PAPER_PATTERNS, PAPER_SEGMENTS, TRACECODEC } from './paper';
import { column } from './tables';
import { LEAST_SOUND, MOST_NEVER_SHOWN, neverShown, percent, pointsBar, SHARES } from './tablesCompliance';
import {
  classesOf,
  fieldVerdict,
  FIELDS_BY_CLASS,
  findSimilarity,
  headerVerdict,
  ratio,
  type TableOptions,
} from './tablesSimilarity';

/** What a fidelity or floors run has measured. */
export interface MeasuredParts {
  similarity: Measured;
  compliance: Measured;
  semantics: Measured;
  /** One result a class. */
  memorisation: readonly Measured[];
}

/** One thing that is asked for: what a source has, and whether that will do. */
interface Bar {
  measure: string;
  asked: string;
  of(source: string): { value: Cell; met: boolean | null };
  published?: Cell;
  /** Measured against other real sessions, which have nothing to be measured against here. */
  againstFloor?: boolean;
}

type Verdicts = readonly (boolean | null)[];

/** All that is asked of traces in one table, each with what other real traffic scores: a bar that it misses asks too much. */
export function barsTable(parts: MeasuredParts, { judged, prefix }: TableOptions): ResultTable {
  const verdict = (met: boolean | null): Cell => (met === null ? null : met ? 'met' : 'missed');
  const bars = [
    ...(judged === null ? [] : similarityBars(parts)),
    ...complianceBars(parts, prefix),
    ...(prefix === '' ? populationBars(parts) : []),
    ...memorisationBars(parts),
  ];
  const rows = bars.map(({ measure, asked, of, published, againstFloor }): Cell[] => {
    const real = againstFloor ? { value: null, met: null } : of('real');
    const own = judged === null ? null : of(judged);
    return [
      measure,
      asked,
      ...(own ? [own.value, verdict(own.met)] : []),
      real.value,
      verdict(real.met),
      published ?? null,
    ];
  });
  return {
    id: `${prefix}bars`,
    title: 'What is asked of traces, at a glance',
    reproduces: [],
    columns: [
      column.name('measure'),
      column.name('asked'),
      ...(judged === null ? [] : [column.ours(judged), column.bar('verdict')]),
      column.ours('other real sessions'),
      column.bar('theirs'),
      column.paper('published'),
    ],
    rows,
    notes: [
      '"7 of 13": classes that have it, of those where enough was measured. Memorisation has held-out real sessions in the ' +
        `column of other real ones. Published: NetSSM's Netflix traces, or ${TRACECODEC.name} (${TRACECODEC.source}): ` +
        `${TRACECODEC.what}.`,
    ],
  };
}

/** Classes that have it, of all that can be judged. */
function classCount(verdicts: Verdicts): { value: Cell; met: boolean | null } {
  const known = verdicts.filter((met) => met !== null);
  if (known.length === 0) return { value: null, met: null };
  const good = known.filter(Boolean).length;
  return { value: `${good} of ${known.length}`, met: good === known.length };
}

function most(limit: number, value: number | null | undefined): { value: Cell; met: boolean | null } {
  return value == null ? { value: null, met: null } : { value, met: value <= limit };
}

function least(limit: number, value: number | null | undefined): { value: Cell; met: boolean | null } {
  return value == null ? { value: null, met: null } : { value, met: value >= limit };
}

function within(limit: number, value: number | null | undefined): { value: Cell; met: boolean | null } {
  return value == null ? { value: null, met: null } : { value, met: Math.abs(value) <= limit };
}

function similarityBars({ similarity }: MeasuredParts): Bar[] {
  const labels = classesOf(similarity).filter((label) => label !== 'macro');
  const distance = (source: string, label: string, what: Parameters<typeof findSimilarity>[3]) =>
    findSimilarity(similarity, source, label, what);
  return [
    {
      measure: 'header bits (JSD), classes with 4,000 TCP packets a side',
      asked: 'at most 1.5 x the floor',
      againstFloor: true,
      of: (source) =>
        classCount(
          labels.map((label) => {
            const said = headerVerdict(distance(source, label, 'tcp'), distance('real', label, 'tcp'));
            return said === 'met' || said === 'missed' ? said === 'met' : null;
          }),
        ),
    },
    {
      measure: 'header bits (JSD), mean of all classes over the floor',
      asked: 'at most 1.5',
      againstFloor: true,
      of: (source) =>
        most(
          1.5,
          ratio(distance(source, 'macro', 'tcp')?.jsDistance, distance('real', 'macro', 'tcp')?.jsDistance),
        ),
    },
    ...FIELDS_BY_CLASS.map((field): Bar => ({
      measure: `${field} (JSD), classes`,
      asked: 'at most 1.5 x the floor',
      againstFloor: true,
      of: (source) =>
        classCount(
          labels.map((label) => {
            const said = fieldVerdict(
              distance(source, label, field)?.jsDistance ?? null,
              distance('real', label, field)?.jsDistance ?? null,
            );
            return said === null ? null : said === 'met';
          }),
        ),
    })),
  ];
}

function complianceBars({ compliance, similarity }: MeasuredParts, prefix: string): Bar[] {
  const rows = compliance.compliance?.rows ?? [];
  const find = (source: string, label: string): ComplianceRow | undefined =>
    rows.find((row) => row.source === source && row.label === label);
  const labels = rows
    .filter((row) => row.source === 'reference' && row.label !== 'pooled')
    .map(({ label }) => label);
  const points = pointsBar(prefix);
  const valueOf = (
    row: ComplianceRow | undefined,
    of: (row: ComplianceRow) => number | null,
  ): number | null => (row ? of(row) : null);
  return [
    ...SHARES.map(({ title, of }): Bar => ({
      measure: `${title}, classes`,
      asked: `within ${points} points of real`,
      of: (source) =>
        classCount(
          labels.map((label) => {
            const [real, own] = ['reference', source].map((name) => valueOf(find(name, label), of));
            return real === null || own === null ? null : Math.abs(own - real) <= points;
          }),
        ),
    })),
    {
      measure: 'what real traffic never shows, % of segments',
      asked: `at most ${MOST_NEVER_SHOWN}`,
      of: (source) => most(MOST_NEVER_SHOWN, valueOf(find(source, 'pooled'), neverShown)),
    },
    {
      measure: 'sound IP and TCP or UDP headers, % of packets',
      asked: `at least ${LEAST_SOUND}`,
      of(source) {
        const row = similarity.validity.find((each) => each.source === source && each.label === 'pooled');
        return least(LEAST_SOUND, row && percent(row.structure.ok, row.structure.checked));
      },
    },
  ];
}

/** Of what a class's name says that it streams in segments, as the paper's Netflix does. */
const SEGMENTED = /dash|netflix/i;

function populationBars({ semantics }: MeasuredParts): Bar[] {
  const all = (source: string) =>
    semantics.populations.find((row) => row.source === source && row.label === 'all')?.comparison;
  const change = (value: number | null | undefined): number | null => (value == null ? null : 100 * value);
  const bars: Bar[] = [
    {
      measure: 'protocol mix: change of the TCP share, %',
      asked: 'within 5',
      of: (source) => within(5, change(all(source)?.tcpShare.change)),
      published: TRACECODEC.percent,
    },
    {
      measure: 'packets per flow, change of the mean, %',
      asked: 'within 10',
      of: (source) => within(10, change(all(source)?.packetsPerFlow.change)),
      published: TRACECODEC.percent,
    },
    {
      measure: 'flows per session, change of the mean, %',
      asked: 'within 10',
      of: (source) => within(10, change(all(source)?.flows.change)),
      published: TRACECODEC.percent,
    },
    {
      measure: 'flows per session, K-S',
      asked: 'at most 0.3',
      of: (source) => most(0.3, all(source)?.flows.ks),
    },
    {
      measure: 'flows per session, K-S, classes',
      asked: 'at most 0.3',
      of: (source) =>
        classCount(
          semantics.populations
            .filter((row) => row.source === source && row.label !== 'all')
            .map(({ comparison }) => comparison.flows.ks <= 0.3),
        ),
    },
  ];
  const labels = Object.keys(semantics.reference.perLabel).filter((label) => SEGMENTED.test(label));
  for (const label of labels) {
    bars.push({
      measure: `segment sizes of ${label}, K-S, median over the pairs`,
      asked: 'at most 0.31',
      of(source) {
        const row = semantics.semantics?.comparisons.find(
          (each) => each.source === source && each.label === label && each.evaluation === 'sizes',
        );
        return most(0.31, row?.median.ks);
      },
      published:
        PAPER_SEGMENTS.find(
          (row) => row.application === 'Netflix' && row.model === 'multi-flow' && row.evaluation === 'sizes',
        )?.ks ?? null,
    });
    bars.push({
      measure: `sending pattern of ${label}, Pearson r, median over the pairs`,
      asked: 'at least 0.3',
      of(source) {
        const row = semantics.semantics?.patterns.find(
          (each) => each.source === source && each.label === label,
        );
        return least(0.3, row?.pearson);
      },
      published: PAPER_PATTERNS.Netflix.pearson,
    });
  }
  bars.push({
    measure: 'invented five-tuples, % of flows',
    asked: 'reported',
    of(source) {
      const rows = (semantics.semantics?.flows ?? []).filter(
        (row) => row.source === (source === 'real' ? 'reference' : source),
      );
      const flows = rows.reduce((sum, row) => sum + row.flows, 0);
      const invented = rows.reduce((sum, row) => sum + row.invented, 0);
      return { value: percent(invented, flows), met: null };
    },
  });
  return bars;
}

function memorisationBars({ memorisation }: MeasuredParts): Bar[] {
  const rows = memorisation.flatMap((measured) => measured.memorisation?.rows ?? []);
  const labels = [...new Set(rows.map(({ label }) => label))].filter((label) => label !== 'pooled');
  const find = (source: string, label: string) =>
    rows.find((row) => row.source === (source === 'real' ? 'reference' : source) && row.label === label);
  const audits = memorisation.flatMap((measured) => measured.memorisation?.membership ?? []);
  return [
    {
      measure: 'TCP headers identical to a training one',
      asked: 'none',
      of(source) {
        const counts = labels.map((label) => find(source, label)?.identical ?? null);
        const known = counts.filter((n) => n !== null);
        return most(0, known.length === 0 ? null : known.reduce((a, b) => a + b, 0));
      },
    },
    {
      measure: 'distance to the nearest training header, classes',
      asked: 'not below real - 0.01',
      of: (source) =>
        classCount(
          labels.map((label) => {
            const [own, real] = [source, 'real'].map((name) => find(name, label)?.nearest?.mean);
            return own === undefined || real === undefined ? null : own >= real - 0.01;
          }),
        ),
    },
    {
      measure: 'diversity ratio, classes',
      asked: 'at least 0.93',
      of: (source) =>
        classCount(
          labels.map((label) => {
            const own = find(source, label)?.diversityRatio ?? null;
            return own === null ? null : own >= 0.93;
          }),
        ),
    },
    {
      measure: 'membership inference (AUC), classes',
      asked: 'at most 0.6',
      of: (source) =>
        source === 'real'
          ? { value: null, met: null }
          : classCount(audits.map(({ auc }) => auc.estimate <= 0.6)),
    },
  ];
}
