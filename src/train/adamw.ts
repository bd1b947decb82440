import type { Weights } from '../model';
import { adamwUpdate } from '../tensor';
import { NetssmError } from '../util';

/** Settings of {@link AdamW}, with the names and defaults of torch.optim.AdamW except for `weightDecay`. */
export interface AdamWOptions {
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled weight decay (0.01 in PyTorch; 0 in the released NetSSM trainer, which is the default here). */
  weightDecay: number;
}

export const DEFAULT_ADAMW: AdamWOptions = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

/** Parameters that the reference marks `_no_weight_decay`: the decay rates, the skip and the step-size bias. */
const NO_DECAY = /\.(A_log|D|dt_bias)$/;

/**
 * Whether weight decay applies to a parameter. As in the reference, everything decays (norm weights, convolution
 * biases and the embedding too) except `A_log`, `D` and `dt_bias`.
 */
export function decays(name: string): boolean {
  return !NO_DECAY.test(name);
}

/**
 * AdamW over the parameters of a model, see `adamwUpdate`. It works on plain float32 arrays, in the order of the
 * parameters' names, so that a resumed run gets the same bits as an uninterrupted one on every engine.
 */
export class AdamW {
  /** Updates made so far; the bias correction depends on it. */
  updates = 0;
  /** First and second moments, one array a parameter, shaped like it. */
  readonly m: Record<string, Float32Array> = {};
  readonly v: Record<string, Float32Array> = {};

  constructor(
    private readonly parameters: Weights,
    private readonly options: AdamWOptions = DEFAULT_ADAMW,
  ) {
    for (const [name, { data }] of Object.entries(parameters)) {
      this.m[name] = new Float32Array(data.length);
      this.v[name] = new Float32Array(data.length);
    }
  }

  /**
   * One update in place. `gradientScale` multiplies every gradient first.
   * @throws NetssmError `gradient_shape` where a gradient is absent or has another size.
   */
  step(gradients: Record<string, Float32Array>, lr: number, gradientScale = 1): void {
    this.update(gradients, lr, { scale: gradientScale });
  }

  /**
   * One update in place with the gradients clipped to a global norm of `maxNorm`, see `clipCoefficient`. Answers the
   * norm before clipping; where that is not finite nothing is changed.
   * @throws NetssmError `gradient_shape` where a gradient is absent or has another size.
   */
  clippedStep(gradients: Record<string, Float32Array>, lr: number, maxNorm: number): number {
    return this.update(gradients, lr, { maxNorm });
  }

  private update(
    gradients: Record<string, Float32Array>,
    lr: number,
    clip: { scale?: number; maxNorm?: number },
  ): number {
    const names = Object.keys(this.parameters);
    for (const name of names) {
      const [found, expected] = [gradients[name]?.length, this.parameters[name].data.length];
      if (found !== expected) {
        throw new NetssmError(
          'gradient_shape',
          `gradient of ${name} has ${found ?? 'no'} values; the parameter has ${expected}`,
        );
      }
    }
    const all = <T>(from: Record<string, T>) => names.map((name) => from[name]);
    const norm = adamwUpdate({
      parameters: all(this.parameters).map(({ data }) => data),
      gradients: all(gradients),
      m: all(this.m),
      v: all(this.v),
      decays: Uint8Array.from(names, (name) => Number(decays(name))),
      lr,
      beta1: this.options.beta1,
      beta2: this.options.beta2,
      eps: this.options.eps,
      weightDecay: this.options.weightDecay,
      update: this.updates + 1,
      ...clip,
    });
    if (Number.isFinite(norm)) this.updates++;
    return norm;
  }
}
