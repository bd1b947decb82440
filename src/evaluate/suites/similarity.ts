import { attributeRows, randomAttributes } from '../attributes';
import { betweenLabels } from '../betweenLabels';
import type { Evaluation } from '../evaluation';
import { bitShares, histograms } from '../figureData';
import { sizeOf, statsByLabel } from '../groups';
import { headerDefinitionRows, headerPatterns, randomPatterns } from '../headerDefinitions';
import type { PacketStats } from '../packetStats';
import { similarityRows } from '../similarity';
import { tracesOf, type SuiteInput } from '../sources';
import { constantStats, otherLabels, resampled } from '../yardsticks';

/**
 * Distances of every source from the reference, and the yardsticks, which have no traces of their own: fills `similarity`,
 * `attributes`, `headerDefinitions`, `betweenLabels` and the figures' data, and adds the yardsticks to the sources.
 */
export function similaritySuite(evaluation: Evaluation, input: SuiteInput): void {
  const { reference, training, seed, sources } = input;
  const referenceStats = statsByLabel(reference);
  const { similarity, figures } = evaluation;
  figures.bitsOne.reference = bitShares(referenceStats, referenceStats);
  const shown = new Map([['reference', referenceStats]]);
  const floorStats = new Map<string, PacketStats>();
  const patterns = headerPatterns(reference);
  sources.forEach(({ name, role, traces }, i) => {
    input.onProgress?.({ done: i, total: sources.length, unit: 'sources', detail: `similarity, ${name}` });
    const stats = statsByLabel(traces);
    similarity.push(...similarityRows(name, referenceStats, stats));
    evaluation.attributes.push(...attributeRows(name, traces, reference, training));
    evaluation.headerDefinitions.push(...headerDefinitionRows(name, patterns, headerPatterns(traces)));
    if (role === 'floor') for (const [label, s] of stats) floorStats.set(label, s);
    if (role === 'synthetic' || role === 'floor') {
      shown.set(name, stats);
      figures.bitsOne[name] = bitShares(stats, referenceStats);
    }
  });
  figures.histograms = histograms(shown);
  evaluation.betweenLabels = betweenLabels(referenceStats, floorStats);
  const judged =
    sources.find(({ role }) => role === 'synthetic') ?? sources.find(({ role }) => role === 'floor');
  const size = (label: string): number =>
    tracesOf(judged?.traces ?? [], label).reduce((sum, { packets }) => sum + packets.length, 0);
  const yardstick = (
    name: string,
    description: string,
    stats: Map<string, PacketStats>,
    pooled = true,
  ): void => {
    if (stats.size === 0) return;
    similarity.push(...similarityRows(name, referenceStats, stats, pooled));
    const perLabel = Object.fromEntries([...stats].map(([label, s]) => [label, sizeOf(s, 0)]));
    evaluation.sources.push({
      name,
      role: 'yardstick',
      description,
      perLabel,
      refused: {},
      decodeRate: null,
      promptPackets: 0,
    });
  };
  yardstick(
    'sampling',
    `packets drawn from the reference itself, as many as ${judged?.name ?? 'nothing'} has: the distance that sample size alone causes`,
    resampled(reference, size, seed),
  );
  yardstick('other labels', 'real packets of all the other labels together', otherLabels(floorStats), false); // Pooled, the others of all labels are all labels again.
  yardstick(
    'constant',
    "each bit and field always at its most frequent value in the label's real packets",
    constantStats(floorStats),
  );
  const random = randomAttributes(reference, seed);
  evaluation.attributes.push(...attributeRows(random.name, random.traces, reference, []));
  evaluation.headerDefinitions.push(
    ...headerDefinitionRows(random.name, patterns, randomPatterns(patterns, seed)),
  );
}
