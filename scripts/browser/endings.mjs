// What only an interrupt ends, in copies of notebooks, and what later cells make of what it left.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * By notebook: `change` alters its text; `cells` come behind its last one. The cell whose bar says `live` is
 * interrupted once that has changed `states` times; afterwards `ask` must answer what `answer` matches.
 */
export const ENDINGS = {
  '00_quickstart': {
    change: (text) => text.replace(/trainSeconds: \d[\d_]*/g, 'trainSeconds: 3600'),
    live: /a tiny Mamba-2 .*\d/,
    states: 6,
    cells: [
      `const keptModel = await loadModel(join(work, "run"));
const keptTraces = await generateTraces({ model: keptModel, label: keptModel.labels[0], packets: 3, seed });
keptTraces`,
    ],
    ask: '[history.stopped, history.steps.length, Number.isFinite(history.steps.at(-1).lossNats), keptTraces[0].report.tokens].join(" ")',
    answer: /^interrupt [1-9]\d* true [1-9]/,
  },
  '06_train_netssm': {
    live: /until interrupted .*\d\/1,000,000/,
    states: 12,
    cells: [
      `import { rmSync } from "node:fs";

rmSync(join(work, "endless"), { recursive: true, force: true }); // of an earlier drive
const endless = { ...config, steps: 1_000_000, evalEvery: 8, evalTokens: 2000, checkpointEvery: 100_000 };
const kept = await loadOrTrain(join(work, "endless"), {
  data, engine, config: endless, title: "until interrupted",
});
kept`,
      `import { generateTraces } from "netssm/generate";

const keptTraces = await generateTraces({ model: kept.model, label: kept.model.labels[0], packets: 3, seed });
keptTraces`,
      `const goesOn = { ...endless, steps: kept.history.step + 4 };
const on = await fit({ run: kept.history.run, data, engine, config: goesOn, resume: true });
on.step - kept.history.step`,
    ],
    ask: '[kept.history.stopped, kept.history.step === kept.history.steps.length, keptTraces[0].report.tokens, on.step - kept.history.step, on.stopped].join(" ")',
    answer: /^interrupt true [1-9]\d* 4 steps/,
  },
  '07_generate_traces': {
    live: /until interrupted .*\d packets/,
    states: 8,
    cells: [
      `const kept = await streamPackets({ model, label: p.label, packets: 100_000, seed, continueAfterEnd: true }, {
  title: "until interrupted",
});
kept`,
      `const [more] = await generateTraces({ model, label: p.label, packets: 3, seed });
more`,
    ],
    ask: '[kept.length, kept[0].report.stopped, kept[0].frames.length, more.frames.length].join(" ")',
    answer: /^1 aborted [1-9]\d* [1-9]/,
  },
};

/** Writes a copy of a notebook with its {@link ENDINGS} to a folder. */
export function writeCopy(path, folder) {
  const ending = ENDINGS[basename(path, '.ipynb')];
  const text = readFileSync(path, 'utf8');
  const notebook = JSON.parse(ending?.change ? ending.change(text) : text);
  for (const [i, source] of (ending?.cells ?? []).entries())
    notebook.cells.push({
      cell_type: 'code',
      id: `ending-${i}`,
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    });
  writeFileSync(join(folder, basename(path)), JSON.stringify(notebook, null, 1));
}
