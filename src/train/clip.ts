import { squaredNorm } from '../tensor';

/** Euclidean norm over all gradients together, summed in double in the order of the names. */
export function globalNorm(gradients: Record<string, Float32Array>): number {
  return Math.sqrt(squaredNorm(Object.values(gradients)));
}

/**
 * What every gradient is multiplied with so that their global norm is at most `maxNorm`: torch's
 * `clip_grad_norm_`, `min(1, maxNorm / (norm + 1e-6))`.
 */
export function clipCoefficient(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
