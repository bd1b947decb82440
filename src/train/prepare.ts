import { existsSync } from 'node:fs';
import { parameterShapes, validateConfig, type MambaConfig, type Weights } from '../model';
import { openDataset, saveVocabulary, Vocabulary, type TokenDataset } from '../tokens';
import { NetssmError, readJson, Rng, writeJson } from '../util';
import { readCheckpoint, type Checkpoint } from './checkpoint';
import { DEFAULT_TRAIN, validateTrainConfig, type TrainConfig } from './config';
import type { FitOptions } from './fit';
import { idMapBetween, mergeTiming, startingPoint } from './fineTune';
import { planMemory, type MemoryPlan } from './memory';
import {
  assertSameSettings,
  copyDatasetFiles,
  describeEnvironment,
  fingerprint,
  fixedSettings,
  openRun,
  type RunPaths,
} from './runFolder';

/** All that a run begins with, new or resumed. */
export interface PreparedRun {
  paths: RunPaths;
  train: TrainConfig;
  dataset: TokenDataset;
  vocabulary: Vocabulary;
  config: MambaConfig;
  /** Initial weights, or those of the checkpoint. */
  weights: Weights;
  /** Null for a new run. */
  checkpoint: Checkpoint | null;
  /** Ids of the model for ids of the data set, where they differ. */
  idMap?: Int32Array;
  rng: Rng;
  fingerprint: Record<string, unknown>;
  /** How rows are cut into chunks, and what the run takes. */
  memory: MemoryPlan;
  notes: string[];
}

/** Checks settings, data and folder before anything is written; then writes the run's first files. */
export async function prepareRun(options: FitOptions): Promise<PreparedRun> {
  const processBytes = process.memoryUsage().rss;
  const { paths, resumes } = openRun(options.run, options.resume ?? false, options.overwrite ?? false);
  const notes: string[] = [];
  const before: Partial<TrainConfig> = options.resume && existsSync(paths.train) ? readJson(paths.train) : {};
  const given = Object.fromEntries(Object.entries(options.config ?? {}).filter(([, v]) => v !== undefined));
  const train = validateTrainConfig({ ...before, ...given });
  const dataset = await openDataset(options.data);
  try {
    const { contentHash, layout, checksums, labels, unit } = dataset.meta;
    if (train.phase !== null && unit !== 'flow')
      throw new NetssmError(
        'phase_needs_flows',
        `${options.data} holds sessions; phases are those of single flows`,
        {
          hint: 'Tokenize the captures with --unit flow.',
          exitCode: 2,
        },
      );
    const settings = fingerprint(train, { contentHash, layout, checksums, labels });
    const base = { paths, train, dataset, fingerprint: settings, notes };
    if (resumes) {
      const checkpoint = readCheckpoint(paths.checkpoint);
      // A setting that did not exist when the run began had its default.
      assertSameSettings(
        { ...fixedSettings(DEFAULT_TRAIN), ...checkpoint.state.fingerprint },
        settings,
        options.run,
      );
      if (checkpoint.state.engine !== options.engine.name)
        notes.push(
          `written by the engine ${checkpoint.state.engine}, continued by ${options.engine.name}: not bit for bit the same run`,
        );
      const vocabulary = new Vocabulary(checkpoint.state.labels, checkpoint.state.times);
      const config = validateConfig(readJson(paths.config));
      const memory = planMemory(options.engine, config, train, processBytes, checkpoint.state.chunkLen);
      notes.push(...memory.notes);
      writeJson(paths.train, train);
      return {
        ...base,
        memory,
        vocabulary,
        config,
        weights: inOrder(config, checkpoint.parameters),
        checkpoint,
        idMap: idMapBetween(dataset.vocabulary, vocabulary),
        rng: Rng.fromState(checkpoint.state.rng),
      };
    }
    if (options.resume) notes.push(`${options.run} has no checkpoint yet: the run starts at step 0`);
    const rng = new Rng(train.seed);
    const start = startingPoint(train, dataset, rng);
    const memory = planMemory(options.engine, start.config, train, processBytes);
    copyDatasetFiles(options.data, paths);
    if (train.init !== null) mergeTiming(train.init, paths.timing);
    saveVocabulary(paths.tokenizer, start.vocabulary); // with init it has more labels than the data set's
    writeJson(paths.config, start.config);
    writeJson(paths.train, train);
    writeJson(paths.env, describeEnvironment(options.engine));
    notes.push(...start.notes, ...memory.notes);
    return {
      ...base,
      ...start,
      memory,
      weights: inOrder(start.config, start.weights),
      checkpoint: null,
      rng,
      notes,
    };
  } catch (error) {
    dataset.close();
    throw error;
  }
}

/** Files sort tensors by name; sums over all tensors need one order, or a resumed run would round differently. */
function inOrder(config: MambaConfig, weights: Weights): Weights {
  return Object.fromEntries(parameterShapes(config).map(([name]) => [name, weights[name]]));
}
