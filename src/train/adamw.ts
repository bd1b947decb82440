import type { Weights } from '../model';
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
 * AdamW (Loshchilov and Hutter, 2019, Algorithm 2) with the bias correction and the order of operations of
 * torch.optim.AdamW. It works on plain float32 arrays, in the order of the parameters' names, so that a resumed run
 * gets the same bits as an uninterrupted one on every engine: sums are kept in double inside one element only.
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
   * One update in place. `gradientScale` multiplies every gradient first (the clip coefficient), which saves a pass.
   * @throws NetssmError `gradient_shape` where a gradient is absent or has another size.
   */
  step(gradients: Record<string, Float32Array>, lr: number, gradientScale = 1): void {
    const { beta1, beta2, eps, weightDecay } = this.options;
    this.updates++;
    const stepSize = lr / (1 - Math.pow(beta1, this.updates));
    const correction = 1 / Math.sqrt(1 - Math.pow(beta2, this.updates));
    for (const [name, { data }] of Object.entries(this.parameters)) {
      const gradient = gradients[name];
      if (gradient?.length !== data.length) {
        throw new NetssmError(
          'gradient_shape',
          `gradient of ${name} has ${gradient?.length ?? 'no'} values; the parameter has ${data.length}`,
        );
      }
      const keep = decays(name) ? 1 - lr * weightDecay : 1;
      update(data, gradient, this.m[name], this.v[name], {
        beta1,
        beta2,
        eps,
        keep,
        stepSize,
        correction,
        gradientScale,
      });
    }
  }
}

interface UpdateConstants {
  beta1: number;
  beta2: number;
  eps: number;
  keep: number;
  stepSize: number;
  correction: number;
  gradientScale: number;
}

function update(
  p: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  c: UpdateConstants,
): void {
  const { beta1, beta2, eps, keep, stepSize, correction, gradientScale } = c;
  const one1 = 1 - beta1;
  const one2 = 1 - beta2;
  for (let i = 0; i < p.length; i++) {
    const gi = g[i] * gradientScale;
    const mi = m[i] + one1 * (gi - m[i]); // m_t = beta1 m + (1 - beta1) g
    const vi = beta2 * v[i] + one2 * gi * gi; // v_t = beta2 v + (1 - beta2) g^2
    m[i] = mi;
    v[i] = vi;
    p[i] = p[i] * keep - (stepSize * mi) / (Math.sqrt(vi) * correction + eps);
  }
}
