/*
 * The synthetic tasks on which state spaces without selection fail: A. Gu, T. Dao, arXiv 2312.00752, section 4.1 and
 * figure 2. Ids: symbols 0 .. symbols-1, then those that the task adds.
 */
import { NetssmError, type Rng } from '../../util';
import type { SequenceTask, TaskExample } from './task';

/** Sizes of {@link copying} and {@link selectiveCopying}. */
export interface CopyingSettings {
  /** Steps before the answers begin: data and noise together. 4,096 in the paper. */
  length: number;
  /** Alphabet of the data. */
  symbols: number;
  /** Data tokens an example, and answers. 16 in the paper. */
  tokensToCopy: number;
}

/** Sizes of {@link inductionHeads}. */
export interface InductionSettings {
  /** Tokens of an example. 256 in the paper. */
  length: number;
  /** Alphabet, without the marker. 16 with it in the paper. */
  symbols: number;
}

/** The ids that {@link copying} and {@link selectiveCopying} add to the alphabet. */
export function copyingIds(symbols: number): { noise: number; answer: number; vocab_size: number } {
  return { noise: symbols, answer: symbols + 1, vocab_size: symbols + 2 };
}

/**
 * Data tokens at random places among noise; then, at `tokensToCopy` answer marks, they are asked for in their order
 * (section 4.1.1). Since distances are random, no fixed kernel can fetch them: a model has to tell data from noise.
 */
export function selectiveCopying(settings: CopyingSettings, rng: Rng): TaskExample {
  checkCopying(settings);
  const { length, tokensToCopy } = settings;
  return copyingExample(settings, sortedPlaces(length, tokensToCopy, rng), rng);
}

/** The same with the data in the first `tokensToCopy` places, always: a constant kernel of the right delay solves it. */
export function copying(settings: CopyingSettings, rng: Rng): TaskExample {
  checkCopying(settings);
  const places = Int32Array.from({ length: settings.tokensToCopy }, (_, i) => i);
  return copyingExample(settings, places, rng);
}

function copyingExample(settings: CopyingSettings, places: Int32Array, rng: Rng): TaskExample {
  const { length, symbols, tokensToCopy } = settings;
  const { noise, answer } = copyingIds(symbols);
  const example = emptyExample(length + tokensToCopy);
  example.tokens.fill(noise, 0, length).fill(answer, length);
  places.forEach((place, i) => {
    const symbol = rng.int(symbols);
    example.tokens[place] = symbol;
    example.targets[length + i] = symbol;
    example.mask[length + i] = 1;
  });
  return example;
}

/**
 * A marker stands somewhere among random symbols, and again at the end: what followed it the first time? (C. Olsson et
 * al., arXiv 2209.11895, in the form of section 4.1.2.)
 */
export function inductionHeads(settings: InductionSettings, rng: Rng): TaskExample {
  const { length, symbols } = settings;
  if (!(Number.isInteger(length) && length >= 4 && Number.isInteger(symbols) && symbols >= 2))
    fail(`induction heads need a length of at least 4 and 2 symbols, not ${length} and ${symbols}`);
  const marker = symbols;
  const example = emptyExample(length);
  for (let t = 0; t < length; t++) example.tokens[t] = rng.int(symbols);
  const at = rng.int(length - 2);
  example.tokens[at] = marker;
  example.tokens[length - 1] = marker;
  example.targets[length - 1] = example.tokens[at + 1];
  example.mask[length - 1] = 1;
  return example;
}

/**
 * {@link selectiveCopying} as a task.
 * @throws NetssmError `task_settings`.
 * @example
 * const task = selectiveCopyingTask({ length: 256, symbols: 16, tokensToCopy: 16 });
 */
export function selectiveCopyingTask(settings: CopyingSettings): SequenceTask {
  checkCopying(settings);
  return copyingTask('selective copying', settings, (rng) => selectiveCopying(settings, rng));
}

/** {@link copying} as a task. @throws NetssmError `task_settings`. */
export function plainCopyingTask(settings: CopyingSettings): SequenceTask {
  checkCopying(settings);
  return copyingTask('copying', settings, (rng) => copying(settings, rng));
}

/** {@link inductionHeads} as a task. @throws NetssmError `task_settings`. */
export function inductionTask(settings: InductionSettings): SequenceTask {
  const { length, symbols } = settings;
  const example = (rng: Rng) => inductionHeads(settings, rng);
  return { name: 'induction heads', vocab_size: symbols + 1, length, chance: 1 / symbols, example };
}

function copyingTask(
  name: string,
  { length, symbols, tokensToCopy }: CopyingSettings,
  example: (rng: Rng) => TaskExample,
): SequenceTask {
  const { vocab_size } = copyingIds(symbols);
  return { name, vocab_size, length: length + tokensToCopy, chance: 1 / symbols, example };
}

/** n different places below length, ascending. */
function sortedPlaces(length: number, n: number, rng: Rng): Int32Array {
  const places = Array.from({ length }, (_, i) => i);
  for (let i = 0; i < n; i++) {
    const j = i + rng.int(length - i);
    [places[i], places[j]] = [places[j], places[i]];
  }
  return Int32Array.from(places.slice(0, n)).sort();
}

function emptyExample(length: number): TaskExample {
  return {
    tokens: new Int32Array(length),
    targets: new Int32Array(length),
    mask: new Float32Array(length),
  };
}

function checkCopying({ length, symbols, tokensToCopy }: CopyingSettings): void {
  const whole = [length, symbols, tokensToCopy].every((n) => Number.isInteger(n) && n >= 1);
  if (!whole || symbols < 2 || tokensToCopy > length)
    fail(`copying ${tokensToCopy} tokens of ${symbols} symbols in ${length} steps is not possible`);
}

function fail(message: string): never {
  throw new NetssmError('task_settings', message, { exitCode: 2 });
}
