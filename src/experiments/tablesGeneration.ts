import type { Cell, ResultTable } from './experiment';
import type { GeneratedLabel } from './generated';
import { PAPER_SAMPLING_SETTINGS } from './paper';
import type { SamplingSettings } from './samplingSettings';
import { column } from './tables';

/** How generating went: what had to be drawn again, and what was given up. */
export function generationTable(sets: readonly GeneratedLabel[], prefix: string): ResultTable {
  const percent = (part: number, of: number): number | null => (of === 0 ? null : (100 * part) / of);
  const twins = (set: GeneratedLabel): number =>
    set.files.reduce((sum, { twinPackets }) => sum + twinPackets, 0);
  return {
    id: `${prefix}generation`,
    title: 'Generating: prompt = the first packet of a test trace, which is not counted',
    reproduces: [],
    columns: [
      column.name('class'),
      column.name('layout'),
      column.ours('traces'),
      column.ours('packets'),
      column.ours('of those of the test traces, %'),
      column.ours('ended by the model, %'),
      column.ours('decoded at first try, %', 4),
      column.ours('given up'),
      column.ours('tokens a packet'),
    ],
    rows: sets.map((set): Cell[] => [
      set.label,
      set.layout,
      set.files.length,
      set.packets,
      percent(set.packets, twins(set)),
      percent(set.files.filter(({ stopped }) => stopped === 'end').length, set.files.length),
      set.firstTry === null ? null : 100 * set.firstTry,
      set.skipped,
      set.packets === 0 ? null : set.tokens / set.packets,
    ]),
    notes: sets.some(({ withoutPrompt }) => withoutPrompt > 0)
      ? [
          `Test traces whose first packets the layout cannot hold, left out: ${sets.reduce((n, s) => n + s.withoutPrompt, 0)}.`,
        ]
      : [],
  };
}

/** Appendix Table 1: sampling settings, ours and the paper's. */
export function samplingTable(options: SamplingSettings): ResultTable {
  const rows = Object.entries(PAPER_SAMPLING_SETTINGS).map(([name, s]): Cell[] => [
    `paper: ${name}`,
    s.temperature,
    s.repetitionPenalty,
    s.topK,
    s.topP,
    s.minP,
    1,
  ]);
  return {
    id: 'appTab1',
    title: 'Sampling settings',
    reproduces: ['appTab1'],
    columns: [
      column.name('model'),
      ...['temperature', 'repetition penalty', 'top-k', 'top-p', 'min-p', 'draws of a packet'].map((title) =>
        column.ours(title),
      ),
    ],
    rows: [['ours', options.temperature, 1, 'all', 1, options.minP, options.tries], ...rows],
    notes: [
      'Draws: a packet that does not decode is drawn again from the state before it, so many times at most.',
    ],
  };
}
