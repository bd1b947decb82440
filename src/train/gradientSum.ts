import type { Tensor } from '@tensorflow/tfjs';
import type { Params } from '../model';
import { valuesOf, type TF } from '../tensor';

/**
 * The gradients of one update as plain arrays. A single batch's are read where the engine keeps them; only the sum over
 * several batches takes memory of its own.
 */
export class GradientSum {
  private arrays: Record<string, Float32Array> = {};
  /** The tensors whose memory `arrays` looks into. */
  private held: Tensor[] = [];
  private readonly sums: Record<string, Float32Array> = {};

  constructor(private readonly tf: TF) {}

  /** Adds the gradients of one batch and takes charge of them. */
  add(gradients: Params): void {
    const first = Object.keys(this.arrays).length === 0;
    for (const [name, tensor] of Object.entries(gradients)) {
      const part = valuesOf(this.tf, tensor);
      if (first) {
        this.arrays[name] = part;
        continue;
      }
      const sum = (this.sums[name] ??= new Float32Array(part.length));
      if (this.arrays[name] !== sum) sum.set(this.arrays[name]);
      for (let i = 0; i < sum.length; i++) sum[i] += part[i];
      this.arrays[name] = sum;
    }
    this.tf.dispose(this.held);
    this.held = first ? Object.values(gradients) : [];
    if (!first) this.tf.dispose(Object.values(gradients));
  }

  /** The sums; valid until the next {@link add} or {@link clear}, and not to be written. */
  values(): Record<string, Float32Array> {
    return this.arrays;
  }

  /** Back to nothing. */
  clear(): void {
    this.arrays = {};
    this.tf.dispose(this.held);
    this.held = [];
  }
}
