import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadModelFiles, saveSafetensors, type MambaConfig, type Weights } from '../model';
import { writeJson } from '../util';
import { saveBf16 } from './bf16';
import { readCard } from './fineTune';
import { runPaths, type ModelCard } from './runFolder';

/** Writes weights, config.json and netssm.json of a model folder, each file atomically, the card last. */
export function writeModelFiles(
  dir: string,
  config: MambaConfig,
  weights: Weights,
  card: ModelCard,
  bf16 = false,
): void {
  const paths = runPaths(dir);
  (bf16 ? saveBf16 : saveSafetensors)(paths.weights, weights, { format: 'pt' });
  writeJson(paths.config, config);
  writeJson(paths.card, card);
}

export interface ExportOptions {
  /** Round the weights to bfloat16: half the size, about three significant digits. */
  bf16?: boolean;
  /** Fields of netssm.json to add or replace: baselines, a loss on other data. */
  card?: Partial<ModelCard>;
}

/**
 * Writes the model folder of a run: what generation needs and nothing else (no optimiser state, no metrics).
 * `out` may be the run folder itself, to change its card.
 * @throws NetssmError `model_card_missing` where the run has no weights yet.
 */
export function exportModel(run: string, out: string, options: ExportOptions = {}): ModelCard {
  const card: ModelCard = { ...readCard(run), ...options.card };
  const { config, weights } = loadModelFiles(run);
  mkdirSync(out, { recursive: true });
  for (const name of ['tokenizer.json', 'timing.json']) {
    const from = join(run, name);
    if (existsSync(from) && run !== out) copyFileSync(from, join(out, name));
  }
  writeModelFiles(out, config, weights, card, options.bf16);
  return card;
}
