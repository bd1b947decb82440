import {
  chunkedLossAndGradients,
  disposeStates,
  toParams,
  type LayerState,
  type MambaConfig,
  type Params,
  type Weights,
} from '../model';
import { withPrecision, type Engine } from '../tensor';
import type { TokenBatch } from '../tokens';
import { NetssmError } from '../util';
import { AdamW } from './adamw';
import type { TrainConfig } from './config';
import { GradientSum } from './gradientSum';
import type { NextBatch } from './rows';

/** What one update did. */
export interface UpdateResult {
  /** Mean nats a predicted token, before the update. */
  lossNats: number;
  /** Global gradient norm before clipping. */
  gradNorm: number;
  tokens: number;
  /** Byte tokens (ids 0–255) among the predicted ones. */
  bytes: number;
  /** Milliseconds in the forward and backward passes, the copy of the gradients included. */
  gradientMs: number;
}

/** A gradient that is cheap to read, of the last operation of the way back through the layers. */
const SMALL = 'backbone.layers.0.norm.weight';

/**
 * The weights in training: float32 masters with AdamW's moments as plain arrays, their copy on the engine, and the
 * recurrent states that the next rows go on from.
 */
export class Learner {
  readonly optimizer: AdamW;
  /** The engine's copy of the weights. */
  params: Params;
  /** Recurrent states after the last rows, in `stream` mode. */
  states: LayerState[] | undefined;
  private readonly gradients: GradientSum;
  private gradientMs = 0;

  constructor(
    private readonly engine: Engine,
    readonly config: MambaConfig,
    private readonly train: TrainConfig,
    readonly weights: Weights,
    /** Tokens whose activations are held at once; default: the whole row. */
    private readonly chunkLen = train.chunkLen ?? train.contextLen,
  ) {
    this.optimizer = new AdamW(weights, train);
    this.gradients = new GradientSum(engine.tf);
    this.params = this.upload();
  }

  /**
   * The weights as tensors. `native` and `cpu` compute on the masters themselves, which the optimiser writes between two
   * steps: no copy, and none to be kept up to date.
   */
  private upload(): Params {
    const { tf } = this.engine;
    if (!this.sharesWeights()) return toParams(tf, this.weights);
    return Object.fromEntries(
      Object.entries(this.weights).map(([name, { shape, data }]) => [
        name,
        tf.tensor(data, shape, 'float32'),
      ]),
    );
  }

  private sharesWeights(): boolean {
    return this.engine.name === 'native' || this.engine.name === 'cpu';
  }

  /**
   * Gradients of the mean loss over all targets of `batches`, clipped together, and one AdamW update with `lr`.
   * Weights and moments are untouched if it throws.
   * @throws NetssmError `loss_not_finite`.
   */
  async update(batches: readonly NextBatch[], lr: number): Promise<UpdateResult> {
    this.gradientMs = 0;
    const weight = batches.reduce((sum, { batch }) => sum + batch.lossTokens, 0);
    let lossNats = 0;
    let tokens = 0;
    let bytes = 0;
    this.gradients.clear(); // of an update that threw
    for (const { batch, fresh } of batches) {
      if (fresh) this.forget();
      lossNats += await this.addGradients(batch, weight);
      for (let i = 0; i < batch.mask.length; i++) {
        if (batch.mask[i] === 0) continue;
        tokens++;
        if (batch.targets[i] < 256) bytes++;
      }
    }
    const gradients = this.gradients.values();
    const gradNorm = Number.isFinite(lossNats)
      ? this.optimizer.clippedStep(gradients, lr, this.train.clipNorm)
      : NaN;
    this.gradients.clear();
    if (!Number.isFinite(lossNats) || !Number.isFinite(gradNorm)) {
      throw new NetssmError(
        'loss_not_finite',
        `the loss of update ${this.optimizer.updates + 1} is ${lossNats}, its gradient norm ${gradNorm}`,
        {
          hint: 'The last checkpoint is kept. Start a new run with a lower lr, more warmupSteps, or init from its weights.',
          context: { step: this.optimizer.updates + 1, lossNats, gradNorm },
        },
      );
    }
    if (!this.sharesWeights()) {
      this.engine.tf.dispose(Object.values(this.params));
      this.params = this.upload();
    }
    return { lossNats, gradNorm, tokens, bytes, gradientMs: this.gradientMs };
  }

  /** Adds one batch's share to the gradients; returns its share of the mean loss. */
  private async addGradients(batch: TokenBatch, denominator: number): Promise<number> {
    const { tf } = this.engine;
    const shape: [number, number] = [this.train.batchSize, this.train.contextLen];
    const inputs = {
      tokens: tf.tensor2d(batch.tokens, shape, 'int32'),
      targets: tf.tensor2d(batch.targets, shape, 'int32'),
      mask: tf.tensor2d(batch.mask, shape, 'float32'),
      starts: tf.tensor2d(batch.starts, shape, 'int32'),
    };
    const { tokens, targets, mask, starts } = inputs;
    const started = performance.now();
    const result = withPrecision(this.train.precision, () =>
      chunkedLossAndGradients(tf, this.config, this.params, tokens, targets, mask, {
        chunkLen: this.chunkLen,
        states: this.states,
        starts,
        denominator,
      }),
    );
    await result.gradients[SMALL].data(); // engines may still be computing
    this.gradientMs += performance.now() - started;
    tf.dispose(inputs);
    disposeStates(this.states ?? []);
    this.states = undefined;
    if (this.train.mode === 'stream') this.states = result.states;
    else disposeStates(result.states);
    this.gradients.add(result.gradients);
    return result.loss;
  }

  /** The next rows begin from the empty state: a new epoch. */
  forget(): void {
    disposeStates(this.states ?? []);
    this.states = undefined;
  }

  /** The carried states as arrays, for a checkpoint. */
  async carried(): Promise<Weights> {
    const out: Weights = {};
    for (const [i, state] of (this.states ?? []).entries())
      for (const key of ['conv', 'ssm'] as const)
        out[`${i}.${key}`] = {
          shape: state[key].shape.slice(),
          data: ((await state[key].data()) as Float32Array).slice(),
        };
    return out;
  }

  /** Goes on from a checkpoint: `updates` made, moments, and the states that {@link carried} gave. */
  restore(
    updates: number,
    m: Record<string, Float32Array>,
    v: Record<string, Float32Array>,
    carried: Weights,
  ): void {
    this.optimizer.updates = updates;
    for (const name of Object.keys(this.weights)) {
      this.optimizer.m[name].set(m[name]);
      this.optimizer.v[name].set(v[name]);
    }
    this.forget();
    if (Object.keys(carried).length === 0) return;
    const get = (name: string) => this.engine.tf.tensor(carried[name].data, carried[name].shape);
    this.states = Array.from(
      { length: this.config.n_layer },
      (_, i) => ({ conv: get(`${i}.conv`), ssm: get(`${i}.ssm`) }) as LayerState,
    );
  }

  dispose(): void {
    this.gradients.clear();
    this.forget();
    this.engine.tf.dispose(Object.values(this.params));
  }
}
