import type { Suite } from '../evaluate';
import type { Experiment, ExperimentJob } from './experiment';
import { measure, MEASURE_DEFAULTS, MEASURE_FAST, type Measured, type MeasureSettings } from './measure';
import { dataTable } from './dataTable';
import { checkCounts } from './settings';
import { barsTable } from './tablesBars';
import { complianceTables } from './tablesCompliance';
import { memorisationTables } from './tablesMemorisation';
import { semanticsTables } from './tablesSemantics';
import { similarityTables } from './tablesSimilarity';
import { utilityTables } from './tablesUtility';

/** What is measured in one job, over all classes at once. */
const SUITE_JOBS: Readonly<Record<string, readonly Suite[]>> = {
  similarity: ['similarity', 'validity'],
  compliance: ['compliance'],
  semantics: ['semantics'],
  utility: ['utility'],
};

/** Every measure of real traffic against held-out real traffic: what a perfect generator could reach. */
export const floorsExperiment: Experiment<MeasureSettings, Measured> = {
  name: 'floors',
  title: 'what real traffic scores against real traffic',
  description:
    'Every measure of the training sessions against held-out test sessions, class by class, with the trivial rivals ' +
    'beside: a number for synthetic traffic means something only next to these.',
  reproduces: ['tab1'],
  needs: { model: false },
  options: MEASURE_DEFAULTS,
  fast: MEASURE_FAST,
  check: (options) => checkCounts('floors', options),
  async plan(context): Promise<ExperimentJob[]> {
    const { classes } = await context.data();
    return [
      ...Object.keys(SUITE_JOBS).map((key) => ({ key, params: { labels: classes } })),
      ...classes.map((label, i) => ({ key: memoryKey(i), params: { labels: [label] } })),
    ];
  },
  run(job, context) {
    const suites = SUITE_JOBS[job.key] ?? (['memorisation'] as const);
    return measure(context, {
      unit: 'session',
      labels: job.params.labels as string[],
      suites,
      population: job.key === 'semantics',
      memory: suites.includes('memorisation'),
    });
  },
  async summarise(results, context) {
    const of = (key: string): Measured => (results.get(key) as { result: Measured }).result;
    const { classes } = await context.data();
    const memory = classes.map((_, i) => of(memoryKey(i)));
    const [similarity, compliance, semantics] = ['similarity', 'compliance', 'semantics'].map(of);
    return {
      tables: [
        await dataTable(context),
        barsTable({ similarity, compliance, semantics, memorisation: memory }, { judged: null, prefix: '' }),
        ...similarityTables(similarity, { judged: null, prefix: '' }),
        ...complianceTables(compliance, similarity, { judged: null, prefix: '' }),
        ...semanticsTables(semantics, { judged: null, prefix: '' }),
        ...memorisationTables(memory, { judged: null, prefix: '' }),
        ...utilityTables(of('utility')),
      ],
      notes: [...new Set([...results.values()].flatMap(({ result }) => result.notes))],
    };
  },
};

function memoryKey(i: number): string {
  return `memorisation-${i}`;
}
