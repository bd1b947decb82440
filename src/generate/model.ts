import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MambaConfig, Weights } from '../model';
import { getLayout, loadTiming, loadVocabulary, PHASES } from '../tokens';
import type { ChecksumOption, Layout, Phase, Timing, Vocabulary } from '../tokens';
import { formatNumber, inspectable, NetssmError, projectRoot, readJson } from '../util';
import { packStepper } from './nativeStepper';
import type { WeightFormat } from './nativeStepper';
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

export interface LoadOptions {
  /**
   * Who computes: `native` (the compiled decoder), `loops` (plain TypeScript, the same numbers within rounding), or
   * `auto`, the default: native where it is available and NETSSM_ENGINE does not name another engine.
   */
  engine?: 'auto' | 'native' | 'loops';
  /** How the native decoder keeps its matrices. Default float32; `bf16` and `int8` are faster and change the samples. */
  weights?: WeightFormat;
}

const MODEL_HINT = 'Name a run folder of `netssm train`, a model folder, or a shipped model: demo, testbed.';

/** Names of the models that ship with the package. */
export const SHIPPED_MODELS = ['demo', 'testbed'] as const;

/** Where the model that the demo shows is. */
export const DEMO_MODEL_DIR = join(projectRoot, 'data', 'models', 'demo');

/** The models in a folder of models by phase; undefined where it is another folder. */
export function phasesBelow(dir: string): Record<Phase, string> | undefined {
  const folders = PHASES.map((phase) => [phase, join(dir, phase)] as const);
  if (existsSync(join(dir, 'config.json')) || !folders.every(([, each]) => existsSync(each)))
    return undefined;
  return Object.fromEntries(folders) as Record<Phase, string>;
}

/** The folder of a shipped model, or the path itself; a folder of the same name where the program runs goes first. */
export function modelFolder(nameOrDir: string): string {
  const shipped = SHIPPED_MODELS.some((name) => name === nameOrDir) && !existsSync(nameOrDir);
  return shipped ? join(projectRoot, 'data', 'models', nameOrDir) : nameOrDir;
}

/**
 * Opens a model folder or a run folder (config.json, model.safetensors, tokenizer.json, netssm.json, timing.json);
 * `demo` and `testbed` ship with the package. A folder with the subfolders `handshake`, `data` and `teardown` holds models
 * that take turns: see `loadPhaseModels`.
 *
 * @throws NetssmError `model_missing`, `model_incomplete` naming the files, `vocab_mismatch`, and what the files' own
 *   readers throw (`config_invalid`, `safetensors_invalid`, `weights_mismatch`, `tokenizer_unusable` ...);
 *   `native_...` where the native decoder is asked for by name and cannot be had.
 */
export async function loadModel(nameOrDir: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const dir = modelFolder(nameOrDir);
  if (!existsSync(dir)) {
    throw new NetssmError('model_missing', `there is no model in ${dir}`, {
      hint:
        dir !== nameOrDir
          ? `This checkout ships no ${nameOrDir} model; make it with: node scripts/ship-model.mjs ${nameOrDir}`
          : MODEL_HINT,
      exitCode: 2,
    });
  }
  const phases = phasesBelow(dir);
  if (phases) {
    const { loadPhaseModels } = await import('./phaseModels.js');
    return inspectable({ ...(await loadPhaseModels(phases, options)), name: nameOrDir, dir }, modelLine);
  }
  const needed = ['config.json', 'model.safetensors', 'tokenizer.json', 'netssm.json'];
  const missing = needed.filter((name) => !existsSync(join(dir, name)));
  if (missing.length > 0) {
    throw new NetssmError('model_incomplete', `${dir} lacks ${missing.join(', ')}`, {
      hint: missing.includes('model.safetensors')
        ? 'A run writes its weights with its first checkpoint. Train on, or name another folder.'
        : MODEL_HINT,
      exitCode: 2,
    });
  }
  const card = readJson<GenerationCard>(join(dir, 'netssm.json'));
  const vocabulary = loadVocabulary(join(dir, 'tokenizer.json'));
  const { derivedSizes, loadModelFiles } = await import('../model/index.js');
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
  const model: LoadedModel = {
    name: dir === DEMO_MODEL_DIR ? 'demo' : nameOrDir,
    dir,
    labels: vocabulary.labels,
    vocabulary,
    layout: getLayout(card.layout, { checksums: card.checksums }),
    checksums: card.checksums ?? 'keep',
    timing: existsSync(timingPath) ? loadTiming(timingPath) : undefined,
    card,
    logitsLength: padded_vocab_size,
    stepper: await openStepper(config, weights, options),
    files: { config, weights },
  };
  return inspectable(model, modelLine);
}

/** A model in consoles, in a line. */
export function modelLine({ name, labels, layout, card, files }: LoadedModel): string {
  const sizes = card.phases
    ? ', three models by phase'
    : files
      ? `, ${files.config.n_layer} layers of width ${files.config.d_model}`
      : '';
  const loss = typeof card.heldOutLossNats === 'number' && !card.phases ? card.heldOutLossNats : undefined;
  const held = loss === undefined ? '' : `, held-out loss ${formatNumber(loss, 3)} nats`;
  return `LoadedModel ${name}: ${layout.name}${sizes}, labels ${labels.join(', ')}${held}`;
}

/** The fastest stepper that the options and this machine allow; only the native one has `bf16` and `int8` weights. */
export async function openStepper(
  config: MambaConfig,
  weights: Weights,
  { engine = 'auto', weights: format }: LoadOptions = {},
): Promise<Stepper> {
  const named = process.env.NETSSM_ENGINE;
  const other = named !== undefined && named !== '' && named !== 'auto' && named !== 'native';
  const packed = format !== undefined && format !== 'float32';
  if (engine === 'loops' && packed)
    throw new NetssmError('weight_format_unavailable', `the plain loops have no ${format} weights`, {
      hint: 'Leave out the engine, or take float32.',
      exitCode: 2,
    });
  if (engine === 'native' || packed || (engine === 'auto' && !other)) {
    const { loadNative, nativeFailure } = await import('../tensor/native/index.js');
    const library = await loadNative();
    if (library) return (await packStepper(library, config, weights, { format })) as Stepper;
    const failure = nativeFailure();
    if ((engine === 'native' || packed) && failure) throw failure;
    warnOnce(`${failure?.message ?? ''}. ${failure?.hint ?? ''}`);
  }
  const { StepModel } = await import('../model/index.js');
  return new StepModel(config, weights) as Stepper;
}

let warned = false;
function warnOnce(reason: string): void {
  if (!warned)
    process.stderr.write(`warning: native decoder not available, the plain loops are used: ${reason}\n`);
  warned = true;
}
