import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MambaConfig, Weights } from '../model';
import { getLayout, loadTiming, loadVocabulary } from '../tokens';
import type { ChecksumOption, Layout, Timing, Vocabulary } from '../tokens';
import { NetssmError, projectRoot, readJson } from '../util';
import type { Stepper } from './stepper';

/** The parts of netssm.json that generation needs; the rest is kept as it is. */
export interface GenerationCard {
  labels: string[];
  layout: string;
  checksums: ChecksumOption;
  [more: string]: unknown;
}

/** A model ready to generate. */
export interface LoadedModel {
  /** `demo`, or the folder as it was given. */
  name: string;
  dir: string;
  labels: readonly string[];
  vocabulary: Vocabulary;
  layout: Layout;
  checksums: ChecksumOption;
  /** Real inter-arrival times; without them all packets of a trace have the same time. */
  timing: Timing | undefined;
  card: GenerationCard;
  /** Length of the logits: vocabulary with padding. */
  logitsLength: number;
  stepper: Stepper;
  /** What another thread needs to make the same stepper; without it everything runs in this one. */
  files?: { config: MambaConfig; weights: Weights };
}

/** Where the model that ships with the package is. */
export const DEMO_MODEL_DIR = join(projectRoot, 'data', 'models', 'demo');

/**
 * Opens a model folder or a run folder (config.json, model.safetensors, tokenizer.json, netssm.json, timing.json);
 * `demo` is the one that ships with the package.
 *
 * @throws NetssmError `model_missing`, `model_incomplete` naming the files, `vocab_mismatch`, and what the files' own
 *   readers throw (`config_invalid`, `safetensors_invalid`, `weights_mismatch`, `tokenizer_unusable` ...).
 */
export async function loadModel(nameOrDir: string): Promise<LoadedModel> {
  const dir = nameOrDir === 'demo' && !existsSync('demo') ? DEMO_MODEL_DIR : nameOrDir;
  if (!existsSync(dir)) {
    throw new NetssmError('model_missing', `there is no model in ${dir}`, {
      hint:
        nameOrDir === 'demo'
          ? 'This checkout ships no demo model; train one with: netssm train --data DATASET --out RUN'
          : 'Name a run folder of `netssm train`, a model folder, or demo.',
      exitCode: 2,
    });
  }
  const needed = ['config.json', 'model.safetensors', 'tokenizer.json', 'netssm.json'];
  const missing = needed.filter((name) => !existsSync(join(dir, name)));
  if (missing.length > 0) {
    throw new NetssmError('model_incomplete', `${dir} lacks ${missing.join(', ')}`, {
      hint: missing.includes('model.safetensors')
        ? 'A run writes its weights with its first checkpoint. Train on, or name another folder.'
        : 'Name a run folder of `netssm train`, a model folder, or demo.',
      exitCode: 2,
    });
  }
  const card = readJson<GenerationCard>(join(dir, 'netssm.json'));
  const vocabulary = loadVocabulary(join(dir, 'tokenizer.json'));
  const { derivedSizes, loadModelFiles, StepModel } = await import('../model/index.js');
  const { config, weights } = loadModelFiles(dir);
  const { padded_vocab_size } = derivedSizes(config);
  if (config.vocab_size !== vocabulary.size) {
    throw new NetssmError(
      'vocab_mismatch',
      `${dir}: config.json has vocab_size ${config.vocab_size}, tokenizer.json ${vocabulary.size} ids`,
      { hint: 'Use the tokenizer.json that was saved beside the weights.' },
    );
  }
  const timingPath = join(dir, 'timing.json');
  return {
    name: dir === DEMO_MODEL_DIR ? 'demo' : nameOrDir,
    dir,
    labels: vocabulary.labels,
    vocabulary,
    layout: getLayout(card.layout, { checksums: card.checksums }),
    checksums: card.checksums ?? 'keep',
    timing: existsSync(timingPath) ? loadTiming(timingPath) : undefined,
    card,
    logitsLength: padded_vocab_size,
    stepper: new StepModel(config, weights) as Stepper,
    files: { config, weights },
  };
}
