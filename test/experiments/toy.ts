import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Experiment, ExperimentJob, JobContext } from '../../src/experiments';
import { projectRoot, Rng } from '../../src/util';

export const CAPTURES = join(projectRoot, 'data', 'captures');

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'netssm-experiments-'));
}

export interface ToyOptions {
  classes: string[] | null;
  numbers: number;
  scale: number;
}

/** Draws numbers in one stage and adds them up in the next. `before` sees each job before it is done. */
export function toyExperiment(
  before: (job: ExperimentJob, context: JobContext<ToyOptions>) => void | Promise<void> = () => {},
): Experiment<ToyOptions, number> {
  return {
    name: 'toy',
    title: 'sums of drawn numbers',
    description: 'For tests.',
    reproduces: ['tab1'],
    needs: { model: false },
    options: { classes: null, numbers: 4, scale: 10 },
    fast: { numbers: 2 },
    plan: ({ options }) =>
      Promise.resolve([
        ...Array.from({ length: options.numbers }, (_, i) => ({ key: `draw-${i}`, params: { i } })),
        { key: 'sum', stage: 1, params: {} },
      ]),
    async run(job, context) {
      await before(job, context);
      const { options, config } = context;
      if (job.key !== 'sum')
        return options.scale * new Rng(config.seed).split(String(job.params.i)).uniform();
      let sum = 0;
      for (let i = 0; i < options.numbers; i++) sum += context.result<number>(`draw-${i}`);
      return sum;
    },
    summarise: (results) =>
      Promise.resolve({
        tables: [
          {
            id: 'sums',
            title: 'Sums',
            reproduces: ['tab1'],
            columns: [
              { title: 'what', kind: 'name' },
              { title: 'value', kind: 'ours' },
            ],
            rows: [...results.values()].map(({ key, result }) => [key, result]),
            notes: [],
          },
        ],
      }),
  };
}
