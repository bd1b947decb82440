import { freemem, totalmem } from 'node:os';
import type { Tensor2D } from '@tensorflow/tfjs';
import {
  forward,
  nextTokenLoss,
  parameterShapes,
  stateShapes,
  type MambaConfig,
  type Params,
} from '../model';
import { hasSelectiveScan, hasSsdScan, peakBytes, vectorJacobian, type Engine, type TF } from '../tensor';
import { formatBytes, NetssmError } from '../util';
import type { TrainConfig } from './config';

/** Where the memory of a training run goes, in bytes. */
export interface MemoryEstimate {
  /** What the process takes before training: Node, tfjs, the engine, the data set's index. */
  process: number;
  /** Weights, their copy on the engine, gradients and AdamW's two moments. */
  weights: number;
  /** Tape of one chunk, with what the engine keeps of freed buffers to use them again. */
  activations: number;
  /** States between the chunks of a row; 0 for rows in one piece. */
  boundaries: number;
  /** Tokens, targets and masks of the rows. */
  rows: number;
  total: number;
}

/** How a run is cut into chunks: what {@link planMemory} decides. */
export interface MemoryPlan {
  /** Tokens whose activations are held at once. */
  chunkLen: number;
  /** Whether rows are longer than that, so that all chunks but the last are computed twice. */
  recomputes: boolean;
  estimate: MemoryEstimate;
  /** What the run should stay within, in bytes. */
  budget: number;
  /** Things worth knowing, in words. */
  notes: string[];
}

/** Activations of one chunk where rows are cut: more of it makes nothing faster. */
const CHUNK_BYTES = 1 << 30;
const [SHORTEST_CHUNK, LONGEST_CHUNK] = [16, 4096];
/**
 * Freed buffers wait for others of the same size: measured 1.15 to 1.35 times what is live (docs/performance.md), and up to
 * what the pool allows itself where the last chunk has sizes of its own.
 */
const [POOL_SLACK, POOL_SLACK_UNEVEN] = [1.3, 1.5];
/** Engines that compute on the master weights themselves. */
const SHARING: readonly Engine['name'][] = ['native', 'cpu'];
/** The address space of WebAssembly. */
const WASM_BYTES = 2 ** 31;

/** Memory that this process may use: the machine's, or the limit of its container. */
export function usableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(totalmem(), limit) : totalmem();
}

/**
 * Bytes that the tape takes for a token of a row, fixed by the shapes: found by differentiating one and two layers of
 * the model on short rows and counting the arrays in use, so that it holds for every engine and every form of the
 * operator.
 */
export function activationBytesPerToken(engine: Engine, config: MambaConfig): number {
  const { tf } = engine;
  // Two lengths of whole chunks where the operator works by chunks, so that the difference is that of any two.
  const Q = config.ssm_cfg.layer === 'Mamba2' && !hasSsdScan(tf) ? config.ssm_cfg.chunk_size : 64;
  const perToken = (n_layer: number) => {
    const part = { ...config, n_layer };
    const params = Object.fromEntries(
      parameterShapes(part).map(([name, shape]) => [name, tf.fill(shape, 0.01)]),
    );
    const difference = probe(tf, part, params, 2 * Q) - probe(tf, part, params, Q);
    tf.dispose(Object.values(params));
    return difference / Q;
  };
  const [one, two] = [perToken(1), perToken(2)];
  const layer = Math.max(0, two - one);
  return Math.max(0, one - layer) + config.n_layer * layer;
}

/**
 * Largest number of bytes in arrays while a row of L tokens is differentiated. With respect to one small parameter at the
 * bottom: gradients of the others would hide the tape of a short row, and are counted elsewhere.
 */
function probe(tf: TF, config: MambaConfig, params: Params, L: number): number {
  const ids = tf.zeros([1, L], 'int32') as Tensor2D;
  const mask = tf.ones([1, L]) as Tensor2D;
  const bytes = peakBytes(tf, () => {
    const { outputs, gradients } = vectorJacobian(tf, () => {
      const { logits } = forward(tf, config, params, ids);
      return [{ output: nextTokenLoss(tf, logits, ids, mask), gradient: tf.scalar(1) }];
    }, [params['backbone.layers.0.norm.weight']]);
    tf.dispose([...outputs, ...gradients]);
  });
  tf.dispose([ids, mask]);
  return bytes;
}

/** What a run with chunks of `chunkLen` takes. `perToken`: see {@link activationBytesPerToken}. */
export function estimateMemory(
  engine: Engine,
  config: MambaConfig,
  rows: Pick<TrainConfig, 'batchSize' | 'contextLen' | 'accumulate'>,
  chunkLen: number,
  perToken: number,
  processBytes = process.memoryUsage().rss,
): MemoryEstimate {
  const { batchSize: B, contextLen: L } = rows;
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const parameters = parameterShapes(config).reduce((sum, [, shape]) => sum + size(shape), 0);
  const chunks = Math.ceil(L / chunkLen);
  const { conv, ssm } = stateShapes(config);
  // The composed form of Mamba-1 sweeps log2(L) times over its arrays.
  const sweeps =
    config.ssm_cfg.layer === 'Mamba1' && !hasSelectiveScan(engine.tf)
      ? Math.max(1, Math.log2(chunkLen) / 7)
      : 1;
  const parts = {
    process: processBytes,
    // Masters, moments and gradients; sums over chunks and over batches; engines with memory of their own copy the weights.
    weights:
      4 *
      parameters *
      (4 + (chunks > 1 ? 1 : 0) + (rows.accumulate > 1 ? 1 : 0) + (SHARING.includes(engine.name) ? 0 : 1)),
    activations:
      (L % chunkLen === 0 ? POOL_SLACK : POOL_SLACK_UNEVEN) * B * Math.min(chunkLen, L) * perToken * sweeps,
    boundaries: 4 * B * (chunks - 1) * config.n_layer * (size(conv) + size(ssm)),
    rows: 64 * B * L,
  };
  return { ...parts, total: Object.values(parts).reduce((a, b) => a + b, 0) };
}

/**
 * Decides how many tokens' activations a run holds at once.
 *
 * `recompute: 'auto'`: rows in one piece where that fits the budget (and `chunkLen`, if given, allows it), else in chunks
 * that fit. `'never'`: rows in one piece. `'always'`: chunks of `chunkLen`, or of what fits. `before` is the length that a
 * resumed run had.
 * @throws NetssmError `memory_exceeded` where the run would take more memory than there is.
 */
export function planMemory(
  engine: Engine,
  config: MambaConfig,
  train: TrainConfig,
  processBytes = process.memoryUsage().rss,
  before?: number,
): MemoryPlan {
  const L = train.contextLen;
  const perToken = activationBytesPerToken(engine, config);
  const usable = usableMemory();
  const budget = Math.min(train.memoryBudgetGB === null ? usable / 2 : 1e9 * train.memoryBudgetGB, usable);
  const estimate = (chunkLen: number) =>
    estimateMemory(engine, config, train, chunkLen, perToken, processBytes);
  const fits = (chunkLen: number) => {
    const { total } = estimate(chunkLen);
    return total <= budget && (engine.name !== 'wasm' || total - processBytes <= WASM_BYTES);
  };
  const notes: string[] = [];
  const whole = train.recompute !== 'always' && (train.chunkLen ?? L) >= L;
  let chunkLen: number;
  if (train.recompute === 'never' || (whole && fits(L))) chunkLen = L;
  else chunkLen = cut(train, (n) => estimate(n).total, fits, CHUNK_BYTES / (train.batchSize * perToken));
  if (before !== undefined && before !== chunkLen) {
    if (train.recompute === 'never' || fits(before)) chunkLen = before;
    else
      notes.push(
        `chunks of ${chunkLen} tokens instead of ${before}, which do not fit the memory budget: not bit for bit the same run`,
      );
  }
  const plan = { chunkLen, recomputes: chunkLen < L, estimate: estimate(chunkLen), budget, notes };
  guard(plan, train, usable);
  return plan;
}

/**
 * The chunk length where rows are cut: what was asked for, else the useful one where it fits, else the longest shorter one
 * that does. States between chunks may take more than the activations of one: then longer ones are tried, and in the end
 * the length that takes least.
 */
function cut(
  train: TrainConfig,
  total: (chunkLen: number) => number,
  fits: (chunkLen: number) => boolean,
  useful: number,
): number {
  const { recompute, chunkLen, contextLen } = train;
  if (chunkLen !== null && (recompute === 'always' || fits(chunkLen))) return chunkLen;
  const first = chunkLen ?? Math.min(LONGEST_CHUNK, Math.max(256, Math.floor(useful)), contextLen);
  const lengths: number[] = [];
  for (let n = first; n >= SHORTEST_CHUNK; n = Math.floor(n / 2)) lengths.push(evenly(contextLen, n));
  if (chunkLen === null) for (let n = 2 * first; n < contextLen; n *= 2) lengths.push(evenly(contextLen, n));
  return (
    lengths.find((n) => fits(n)) ??
    lengths.reduce((best, n) => (total(n) < total(best) ? n : best), Math.min(first, contextLen))
  );
}

/**
 * Length of equal parts of at most `most`, more than half of it, where there are such: arrays of a shorter last part would
 * need buffers of their own. Else a power of two.
 */
function evenly(length: number, most: number): number {
  for (let parts = Math.ceil(length / most); parts < (2 * length) / most; parts++)
    if (length % parts === 0) return length / parts;
  return 2 ** Math.floor(Math.log2(most));
}

/** Says no before the machine starts to swap, or kills the process. */
function guard(plan: MemoryPlan, train: TrainConfig, usable: number): void {
  const { total, weights, activations, boundaries } = plan.estimate;
  const parts = `${formatBytes(weights)} for weights and optimiser, ${formatBytes(activations)} for the activations of ${train.batchSize} x ${plan.chunkLen} tokens, ${formatBytes(boundaries)} for states between chunks`;
  if (total > usable) {
    throw new NetssmError(
      'memory_exceeded',
      `this run would take about ${formatBytes(total)} of memory and there are ${formatBytes(usable)}: ${parts}`,
      {
        hint:
          train.recompute === 'never' || activations > total / 2
            ? 'Let rows be cut (recompute "auto", no chunkLen), or take a smaller batchSize.'
            : 'Take a smaller model, batchSize or contextLen.',
        exitCode: 2,
        context: { ...plan.estimate, usable },
      },
    );
  }
  if (plan.recomputes && plan.chunkLen !== train.chunkLen)
    plan.notes.push(
      `rows of ${train.contextLen} tokens are cut into chunks of ${plan.chunkLen} (recompute "${train.recompute}"): about ${formatBytes(total)} of memory`,
    );
  if (total > plan.budget)
    plan.notes.push(
      `about ${formatBytes(total)} of memory, more than the budget of ${formatBytes(plan.budget)}: ${parts}`,
    );
  const free = process.availableMemory?.() ?? freemem();
  if (total - plan.estimate.process > free)
    plan.notes.push(
      `other programs leave ${formatBytes(free)} of memory and this run takes about ${formatBytes(total)}: close some of them, or lower memoryBudgetGB`,
    );
}
