import type { LayerSelection } from './selection';

/** A state space over one sequence of one channel (or head): what makes its matrix. */
export interface StateSpaceSequence {
  /** Step sizes: [L]. */
  delta: ArrayLike<number>;
  /** Decay rates, below 0: one (Mamba-2, one a head) or one for each number in the state (Mamba-1): [1] or [N]. */
  A: ArrayLike<number>;
  /** [L, N], row-major. */
  B: ArrayLike<number>;
  C: ArrayLike<number>;
}

/**
 * The state space as one matrix, y = M x, without the skip: M_ij = sum_n C_in exp(A_n (delta_{j+1} + .. + delta_i)) delta_j
 * B_jn below and on the diagonal, 0 above (T. Dao, A. Gu, arXiv 2405.21060, equation 3). [L, L] as rows.
 *
 * It is semiseparable: every block that touches neither the diagonal nor what is above it has rank N at most.
 */
export function semiseparableMatrix({ delta, A, B, C }: StateSpaceSequence): Float64Array[] {
  const L = delta.length;
  const N = B.length / L;
  return Array.from({ length: L }, (_, i) => {
    const row = new Float64Array(L);
    let passed = 0; // delta_{j+1} + .. + delta_i
    for (let j = i; j >= 0; j--) {
      for (let n = 0; n < N; n++)
        row[j] += C[i * N + n] * B[j * N + n] * Math.exp(passed * A[A.length === 1 ? 0 : n]);
      row[j] *= delta[j];
      passed += delta[j];
    }
    return row;
  });
}

/** One channel of a layer that {@link readSelection} looked into. */
export function channelSequence(layer: LayerSelection, channel: number): StateSpaceSequence {
  const { L, E, N, delta, A, B, C, selective } = layer;
  /** By token, also where it is the same for all of them. */
  const byToken = (values: Float32Array) =>
    selective ? values : Float32Array.from({ length: L * N }, (_, i) => values[channel * N + (i % N)]);
  return {
    delta: Float32Array.from({ length: L }, (_, t) => delta[t * E + channel]),
    A: A.subarray(channel * N, (channel + 1) * N),
    B: byToken(B),
    C: byToken(C),
  };
}

/** Numbers of the matrix (rows) whose loss would change it: singular values above `tolerance` times the largest, about. */
export function numericalRank(matrix: readonly ArrayLike<number>[], tolerance = 1e-9): number {
  // Gaussian elimination with complete pivoting: the pivots shrink as singular values do.
  const rows = matrix.map((row) => Float64Array.from(row));
  const columns = rows[0]?.length ?? 0;
  let largest = 0;
  for (let rank = 0; rank < Math.min(rows.length, columns); rank++) {
    let [best, at, column] = [0, rank, rank];
    for (let i = rank; i < rows.length; i++)
      for (let j = rank; j < columns; j++)
        if (Math.abs(rows[i][j]) > best) [best, at, column] = [Math.abs(rows[i][j]), i, j];
    if (rank === 0) largest = best;
    if (best <= tolerance * largest || best === 0) return rank;
    [rows[rank], rows[at]] = [rows[at], rows[rank]];
    for (const row of rows) [row[rank], row[column]] = [row[column], row[rank]];
    for (let i = rank + 1; i < rows.length; i++) {
      const factor = rows[i][rank] / rows[rank][rank];
      for (let j = rank; j < columns; j++) rows[i][j] -= factor * rows[rank][j];
    }
  }
  return Math.min(rows.length, columns);
}

/**
 * How strongly each of the last `answers` tokens reads each token before, summed over all channels of a layer: rows of
 * |M| added up. [answers, L] as rows.
 */
export function readingStrength(layer: LayerSelection, answers: number): Float64Array[] {
  const { L, E, N, delta, A, B, C, selective } = layer;
  return Array.from({ length: answers }, (_, row) => {
    const i = L - answers + row;
    const strength = new Float64Array(L);
    for (let e = 0; e < E; e++) {
      let passed = 0;
      for (let j = i; j >= 0; j--) {
        let sum = 0;
        for (let n = 0; n < N; n++) {
          const [b, c] = selective ? [B[j * N + n], C[i * N + n]] : [B[e * N + n], C[e * N + n]];
          sum += b * c * Math.exp(passed * A[e * N + n]);
        }
        const step = delta[j * E + e];
        strength[j] += Math.abs(sum * step * layer.x[j * E + e]);
        passed += step;
      }
    }
    return strength;
  });
}
