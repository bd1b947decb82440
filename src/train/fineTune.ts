import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  derivedSizes,
  initWeights,
  loadModelFiles,
  validateConfig,
  type MambaConfig,
  type Weights,
} from '../model';
import { loadTiming, loadVocabulary, saveTiming, Vocabulary, type TokenDataset } from '../tokens';
import { NetssmError, readJson, type Rng } from '../util';
import type { TrainConfig } from './config';
import type { ModelCard } from './runFolder';

/** The model that a new run begins with. */
export interface StartingPoint {
  config: MambaConfig;
  weights: Weights;
  vocabulary: Vocabulary;
  idMap?: Int32Array;
  notes: string[];
}

const EMBEDDING = 'backbone.embedding.weight';

/**
 * New weights as the reference initialises them or, with `init`, those of a model folder, with embedding rows added
 * for labels that it did not know.
 * @throws NetssmError `init_layout_differs`, `init_with_model`, and what loading a model folder throws.
 */
export function startingPoint(train: TrainConfig, dataset: TokenDataset, rng: Rng): StartingPoint {
  if (train.init === null) {
    const config = validateConfig({ ...train.model, vocab_size: dataset.vocabulary.size });
    const weights = initWeights(config, rng.split('weights'));
    return { config, weights, vocabulary: dataset.vocabulary, notes: [] };
  }
  if (Object.keys(train.model).length > 0) {
    throw new NetssmError(
      'init_with_model',
      `init (${train.init}) decides the model; "model" must be left out`,
      {
        exitCode: 2,
      },
    );
  }
  const { config: before, weights } = loadModelFiles(train.init);
  const card = readCard(train.init);
  const { layout, checksums } = dataset.meta;
  if (card.layout !== layout || card.checksums !== checksums) {
    throw new NetssmError(
      'init_layout_differs',
      `${train.init} was trained on layout ${card.layout} with checksums "${card.checksums}"; ${dataset.dir} has ${layout} with "${checksums}"`,
      { hint: 'Tokenize the captures with the layout and checksums of the model.', exitCode: 2 },
    );
  }
  const known = loadVocabulary(join(train.init, 'tokenizer.json'));
  const { times } = dataset.vocabulary;
  if (known.times && known.times.edgesMicros.join() !== times?.edgesMicros.join()) {
    throw new NetssmError(
      'init_times_differ',
      `${train.init} knows ${known.times.edgesMicros.length} time tokens, ${dataset.dir} has ${times ? 'other ones' : 'none'}`,
      { hint: 'Tokenize the captures with --time-tokens, as for the model.', exitCode: 2 },
    );
  }
  const added = dataset.vocabulary.labels.filter((label) => !known.labels.includes(label));
  // Ids never move: what is new comes behind all that is known.
  const first = known.times?.first ?? known.size;
  const vocabulary = new Vocabulary([...known.labels, ...added], times && { ...times, first });
  const config: MambaConfig = { ...before, vocab_size: vocabulary.size };
  weights[EMBEDDING] = extendEmbedding(weights[EMBEDDING], before, config, rng.split('labels'));
  const news = [
    ...(added.length > 0 ? [`new labels: ${added.join(', ')}`] : []),
    ...(times && !known.times ? ['new: time tokens'] : []),
  ];
  const notes = [[`weights of ${train.init}`, ...news].join(', ')];
  return { config, weights, vocabulary, idMap: idMapBetween(dataset.vocabulary, vocabulary), notes };
}

/** @throws NetssmError `model_card_missing` for a folder without netssm.json. */
export function readCard(dir: string): ModelCard {
  const path = join(dir, 'netssm.json');
  if (!existsSync(path)) {
    throw new NetssmError(
      'model_card_missing',
      `${dir} has no netssm.json, so its labels and layout are unknown`,
      {
        hint: 'Name a run folder, or a model folder written by exportModel.',
        exitCode: 2,
      },
    );
  }
  return readJson<ModelCard>(path);
}

/** Ids in `to` for ids in `from` by label name, and by time bin; undefined where all are equal. */
export function idMapBetween(from: Vocabulary, to: Vocabulary): Int32Array | undefined {
  const map = Int32Array.from({ length: from.size }, (_, id) => {
    const bin = from.timeBin(id);
    if (bin !== undefined && to.times) return to.times.first + bin;
    const label = from.labelOf(id);
    return label === undefined ? id : to.labelId(label);
  });
  return map.every((id, i) => id === i) ? undefined : map;
}

/** Adds to `path` the inter-arrival times of labels that only the model of `init` knows. */
export function mergeTiming(init: string, path: string): void {
  const old = join(init, 'timing.json');
  if (!existsSync(old) || !existsSync(path)) return;
  const timing = loadTiming(path);
  saveTiming(path, { ...timing, labels: { ...loadTiming(old).labels, ...timing.labels } });
}

/** Rows of ids in use stay; rows of new ids are drawn as at the start of training, N(0, 0.02). */
function extendEmbedding(
  old: Weights[string],
  before: MambaConfig,
  after: MambaConfig,
  rng: Rng,
): Weights[string] {
  const rows = derivedSizes(after).padded_vocab_size;
  const width = after.d_model;
  const data = new Float32Array(rows * width);
  data.set(old.data.subarray(0, Math.min(old.data.length, data.length)));
  const fresh = (row: number) =>
    (row >= before.vocab_size && row < after.vocab_size) || row >= derivedSizes(before).padded_vocab_size;
  for (let row = 0; row < rows; row++)
    if (fresh(row)) for (let i = 0; i < width; i++) data[row * width + i] = 0.02 * rng.normal();
  return { shape: [rows, width], data };
}
