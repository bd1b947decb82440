/** Euclidean norm over all gradients together, summed in double in the order of the names. */
export function globalNorm(gradients: Record<string, Float32Array>): number {
  let sum = 0;
  for (const data of Object.values(gradients)) {
    let part = 0;
    for (let i = 0; i < data.length; i++) part += data[i] * data[i];
    sum += part;
  }
  return Math.sqrt(sum);
}

/**
 * What every gradient is multiplied with so that their global norm is at most `maxNorm`: torch's
 * `clip_grad_norm_`, `min(1, maxNorm / (norm + 1e-6))`.
 */
export function clipCoefficient(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}
