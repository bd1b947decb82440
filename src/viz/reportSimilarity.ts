import {
  ATTRIBUTES,
  ATTRIBUTE_DEFINITIONS,
  FIELDS,
  HEADER_DEFINITIONS,
  HEADER_LEVELS,
  type Evaluation,
} from '../evaluate';
import { betweenLabelsFigure } from './evaluationFigures';
import type { TableSpec } from './html';
import type { ReportPage } from './reportPage';
import { distance, findSimilarity } from './reportTables';
import { similarityBars } from './similarityFigure';
import { sourceStyle } from './theme';
import { bitStrip } from './trafficFigures';

/** Suite `similarity`. */
export function similaritySection(page: ReportPage, evaluation: Evaluation): void {
  if (evaluation.similarity.length === 0) return;
  page.heading('Similarity to real traffic', 'Similarity');
  page.text(
    'Read every number between two others: the floor, which is what other real captures of the same labels score, and the ' +
      'far end (constant, other labels). A distance near that of byte marginals says that single bytes are right and nothing more; ' +
      'shuffled fields have every field right and no packet.',
  );
  page.figure(
    similarityBars(evaluation),
    'Sampling alone: packets drawn from the reference itself, as many as were judged.',
  );
  page.table(similarityTable(evaluation));
  const between = evaluation.betweenLabels;
  if (between) {
    page.subheading('What the measures tell apart: real against real');
    page.text(
      `Held-out real captures against other real ones: of the same label ${distance(between.same.tcp)} (TCP header bits) and ${distance(between.same.fields)} (fields), ` +
        `of different labels ${distance(between.other.tcp)} and ${distance(between.other.fields)} on average. ` +
        'Where these are near each other, a small distance says nothing about the label.',
    );
    page.figure(
      betweenLabelsFigure(between),
      'Rows: held-out captures; columns: other real captures. The diagonal is the floor.',
    );
  }
  page.subheading('Label by label, field by field');
  page.table(labelTable(evaluation));
  page.table(fieldTable(evaluation));
  const strip = evaluation.figures.bitsOne;
  page.figure(
    strip.reference ? bitStrip(strip) : undefined,
    'Each column is one bit of the TCP header: how often it is 1 among TCP packets. Below, how far the last row is from the first.',
  );
  if (evaluation.attributes.length > 0) {
    page.subheading("The paper's attributes");
    page.table(attributeTable(evaluation));
    page.folded(
      'The same by other definitions, which the paper leaves open',
      attributeDefinitionTable(evaluation),
      headerDefinitionTable(evaluation),
    );
  }
}

/** The three distances of the header levels and of the fields' mean, source by source, mean over labels. */
export function similarityTable(evaluation: Evaluation): TableSpec {
  const measured = evaluation.sources.filter(({ name }) =>
    evaluation.similarity.some((r) => r.source === name),
  );
  const row = (name: string): (string | number | undefined)[] => {
    const tcp = findSimilarity(evaluation, name, 'macro', 'tcp');
    const of = (what: string): string =>
      distance(findSimilarity(evaluation, name, 'macro', what)?.jsDistance);
    return [
      sourceStyle(name).title,
      tcp?.nSource,
      distance(tcp?.jsDistance),
      distance(tcp?.totalVariation),
      distance(tcp?.hellinger),
      of('tcp-no-checksum'),
      of('ipv4'),
      of('udp'),
      findSimilarity(evaluation, name, 'macro', 'mean')?.nSource,
      of('mean'),
    ];
  };
  return {
    caption:
      'Distance from held-out real captures, mean over the labels. JS: base-2 Jensen-Shannon distance; TVD: total ' +
      'variation; HD: Hellinger; all from 0 (same) to 1. Header columns are means over the bits of the header.',
    columns: [
      'source',
      'TCP packets',
      'TCP bits, JS',
      'TVD',
      'HD',
      'TCP without checksum, JS',
      'IPv4 bits, JS',
      'UDP bits, JS',
      'packets',
      'fields, mean JS',
    ],
    rows: measured.map(({ name }) => row(name)),
    highlight: measured.flatMap(({ role }, i) => (role === 'synthetic' ? [i] : [])),
  };
}

/** One line a header field: JS distance of every source. */
export function fieldTable(evaluation: Evaluation, label = 'macro'): TableSpec {
  const sources = evaluation.sources.filter(({ name }) =>
    evaluation.similarity.some((r) => r.source === name),
  );
  return {
    caption:
      'Base-2 Jensen-Shannon distance of single header fields from held-out real captures, mean over the labels.',
    columns: ['field', 'compared by', ...sources.map(({ name }) => sourceStyle(name).title)],
    rows: FIELDS.filter(({ name }) =>
      sources.some((s) => findSimilarity(evaluation, s.name, label, name)?.jsDistance != null),
    ).map(({ name, title, unit }) => [
      title,
      unit,
      ...sources.map((s) => distance(findSimilarity(evaluation, s.name, label, name)?.jsDistance)),
    ]),
  };
}

/** One line a label: sizes and the two headline distances of the sources with traffic. */
export function labelTable(evaluation: Evaluation): TableSpec {
  const sources = evaluation.sources.filter(({ role }) => role === 'synthetic' || role === 'floor');
  const levels = HEADER_LEVELS.slice(0, 1).map(({ name }) => name);
  return {
    caption:
      'By label: sizes and base-2 JS distances. Few packets alone cause distance (about 0.036 with 100, 0.013 with 1,000).',
    columns: [
      'label',
      'reference captures',
      'reference packets (TCP)',
      ...sources.flatMap(({ name }) => {
        const { title } = sourceStyle(name);
        return [`${title}: packets (TCP)`, 'TCP bits', 'fields'];
      }),
    ],
    rows: Object.entries(evaluation.reference.perLabel).map(([label, size]) => [
      label,
      size.captures,
      `${size.packets.toLocaleString('en')} (${size.tcp.toLocaleString('en')})`,
      ...sources.flatMap(({ name, perLabel }) => [
        perLabel[label]
          ? `${perLabel[label].packets.toLocaleString('en')} (${perLabel[label].tcp.toLocaleString('en')})`
          : null,
        ...[...levels, 'mean'].map((what) =>
          distance(findSimilarity(evaluation, name, label, what)?.jsDistance),
        ),
      ]),
    ]),
  };
}

/** Table 2's attribute level: each trace against its twin. */
export function attributeTable(evaluation: Evaluation): TableSpec {
  const rows = evaluation.attributes.filter(
    ({ label, definition }) => label === 'all' && definition === 'twins',
  );
  const sources = [...new Set(rows.map(({ source }) => source))];
  const columns = [
    ...ATTRIBUTES.filter(({ paper }) => paper),
    { name: 'avg' as const },
    ...ATTRIBUTES.filter(({ paper }) => !paper),
  ];
  const of = (source: string, attribute: string) =>
    rows.find((row) => row.source === source && row.attribute === attribute);
  const known = rows.some(({ twins }) => twins > 0);
  return {
    caption:
      `Base-2 Jensen-Shannon distance of attribute values, each trace against ${known ? 'its twin' : 'a real one of its label (none says whose twin it is)'}, ` +
      'mean over the pairs. Addresses and ports of other captures differ in real traffic too: values far below the floor say that they were copied. ' +
      'The paper has .00 to .12 for its models; TTL, length, flags and window are not in it.',
    columns: ['source', 'pairs', ...columns.map(({ name }) => name), 'avg, TVD', 'avg, HD'],
    rows: sources.map((source) => [
      sourceStyle(source).title,
      of(source, 'avg')?.n,
      ...columns.map(({ name }) => distance(of(source, name)?.jsDistance)),
      distance(of(source, 'avg')?.totalVariation),
      distance(of(source, 'avg')?.hellinger),
    ]),
    highlight: sources.flatMap((source, i) => (isJudged(evaluation, source) ? [i] : [])),
  };
}

/** The average of the paper's five attributes by every definition. */
export function attributeDefinitionTable(evaluation: Evaluation): TableSpec {
  return byDefinition(
    'Average of SA, DA, SP, DP and PR: base-2 distance / distance with natural logarithms / base-2 divergence.',
    ATTRIBUTE_DEFINITIONS,
    evaluation.attributes.filter(({ label, attribute }) => label === 'all' && attribute === 'avg'),
    (row, nats) => [row.jsDistance, nats, row.jsDivergence],
  );
}

/** The TCP header by every definition. */
export function headerDefinitionTable(evaluation: Evaluation): TableSpec {
  return byDefinition(
    'TCP header bits, mean over the labels: distance with natural logarithms / TVD / HD. The paper has .82 / .99 / .95 for uniform random bits.',
    HEADER_DEFINITIONS,
    evaluation.headerDefinitions,
    (row, nats) => [nats, row.totalVariation, row.hellinger],
  );
}

/** A row for each definition, a column for each source; `numbers` gets the distance with natural logarithms, too. */
function byDefinition<Row extends { source: string; definition: string; jsDistance: number | null }>(
  caption: string,
  definitions: readonly { name: string; title: string }[],
  rows: readonly Row[],
  numbers: (row: Row, nats: number) => (number | null)[],
): TableSpec {
  const sources = [...new Set(rows.map(({ source }) => source))];
  return {
    caption,
    columns: ['definition', ...sources.map((source) => sourceStyle(source).title)],
    rows: definitions.map(({ name, title }) => [
      `${name}: ${title}`,
      ...sources.map((source) => {
        const row = rows.find((each) => each.source === source && each.definition === name);
        if (!row || row.jsDistance === null) return '–';
        return numbers(row, row.jsDistance * Math.sqrt(Math.LN2))
          .map(distance)
          .join(' / ');
      }),
    ]),
  };
}

function isJudged(evaluation: Evaluation, source: string): boolean {
  return evaluation.sources.some(({ name, role }) => name === source && role === 'synthetic');
}
