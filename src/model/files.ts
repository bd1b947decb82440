import { join } from 'node:path';
import { readJson, writeJson } from '../util';
import { validateConfig, type MambaConfig } from './config';
import { checkWeights, type Weights } from './params';
import { loadSafetensors, saveSafetensors } from './safetensors';

/** A model as files hold it. */
export interface ModelFiles {
  config: MambaConfig;
  weights: Weights;
  /** The strings in the safetensors header. */
  metadata?: Record<string, string>;
}

/** Writes config.json (the reference's keys) and model.safetensors into a folder, each atomically. */
export function saveModel(dir: string, { config, weights, metadata }: ModelFiles): void {
  checkWeights(config, weights, dir);
  saveSafetensors(join(dir, 'model.safetensors'), weights, { format: 'pt', ...metadata });
  writeJson(join(dir, 'config.json'), config);
}

/**
 * Reads what {@link saveModel} wrote, or a reference checkpoint converted to safetensors: a separate `lm_head.weight`
 * is the tied embedding again and is dropped.
 * @throws NetssmError `file_unreadable`, `json_invalid`, `config_invalid`, `safetensors_invalid`, `weights_mismatch`.
 */
export function loadModelFiles(dir: string): Required<ModelFiles> {
  const config = validateConfig(readJson(join(dir, 'config.json')));
  const path = join(dir, 'model.safetensors');
  const { weights, metadata } = loadSafetensors(path);
  delete weights['lm_head.weight'];
  checkWeights(config, weights, path);
  return { config, weights, metadata };
}
