/**
 * Mamba-1's block around a time-invariant state space: S4D-Real (A. Gu, A. Gupta, K. Goel, C. Ré, arXiv 2206.11893) in
 * the place of the selective one. Step size, B and C are numbers that were learnt; Mamba makes them anew from every token.
 *
 *   B, L       batch, length in tokens              E          d_inner, channels
 *   N          d_state, numbers a channel keeps     Q          tokens of a chunk
 *   G          chunks of all rows, B ceil(L / Q)    K          taps of the short convolution
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { causalConvSilu, linear, linearParts, silu, type TF } from '../../tensor';

/** The parameters of one layer's mixer. */
export interface LtiParams {
  'in_proj.weight': Tensor2D; // [2 E, D]
  'conv1d.weight': Tensor3D; // [E, 1, K]
  'conv1d.bias': Tensor1D; // [E]
  log_dt: Tensor1D; // [E]
  A_log: Tensor2D; // [E, N]
  B: Tensor2D; // [E, N]
  C: Tensor2D; // [E, N]
  D: Tensor1D; // [E]
  'out_proj.weight': Tensor2D; // [D, E]
}

/** A state space that is the same at every token. */
export interface LtiSystem {
  /** Logarithm of the decay from a token to the next, dt A < 0: [E, N]. */
  logDecay: Tensor2D;
  /** What an input of 1 adds to the state: [E, N]. */
  input: Tensor2D;
  /** How the output reads the state: [E, N]. */
  output: Tensor2D;
}

/** Most tokens of a chunk: those inside it meet in one matrix, chunks in a recurrence of their own. */
const LONGEST_CHUNK = 64;

/** Zero-order hold: decay exp(dt A), input (exp(dt A) - 1) / A B. */
export function discretiseLti(
  tf: TF,
  { log_dt, A_log, B, C }: Pick<LtiParams, 'log_dt' | 'A_log' | 'B' | 'C'>,
): LtiSystem {
  const A = tf.neg(tf.exp(A_log)); // [E, N]
  const logDecay = tf.mul(tf.reshape(tf.exp(log_dt), [-1, 1]), A) as Tensor2D; // [E, N]
  const input = tf.mul(tf.div(tf.sub(tf.exp(logDecay), 1), A), B) as Tensor2D;
  return { logDecay, input, output: C };
}

/**
 * h_t = exp(logDecay) h_{t-1} + input x_t, y_t = output . h_t for every channel from h = 0: x [B, L, E] -> y [B, L, E].
 *
 * A constant system is a convolution; the same three steps as Mamba-2's chunked form compute it, with matrices that serve
 * all chunks: inside a chunk y = T x with T_ij = k_{i-j}; each chunk's part of the state at its end; and what the state
 * at its begin still gives.
 */
export function ltiScan(tf: TF, x: Tensor3D, { logDecay, input, output }: LtiSystem): Tensor3D {
  const [B, L, E] = x.shape;
  const N = logDecay.shape[1];
  const chunks = Math.ceil(L / LONGEST_CHUNK);
  const Q = Math.ceil(L / chunks);
  const G = B * chunks;
  const fill = chunks * Q - L;
  const padded = fill ? tf.pad(x, [[0, 0], [0, fill], [0, 0]]) : x; // prettier-ignore
  const X = tf.reshape(tf.transpose(tf.reshape(padded, [G * Q, E])), [E, G, Q]) as Tensor3D;

  const steps = tf.range(0, Q + 1); // [Q+1]
  const powers = tf.exp(tf.mul(tf.reshape(logDecay, [E, N, 1]), steps)); // decay^0 .. decay^Q: [E, N, Q+1]
  const upTo = tf.slice(powers, [0, 0, 0], [E, N, Q]) as Tensor3D; // decay^0 .. decay^(Q-1)
  const weights = tf.mul(input, output); // [E, N]

  // Inside a chunk: the kernel k_l = sum_n weights decay^l, laid out as a lower triangle.
  const kernel = tf.matMul(tf.reshape(weights, [E, 1, N]), upTo); // [E, 1, Q]
  const T = tf.reshape(tf.matMul(tf.reshape(kernel, [E, Q]), diagonals(tf, Q)), [E, Q, Q]);
  const inside = tf.matMul(X, T, false, true) as Tensor3D; // [E, G, Q]
  if (chunks === 1) return back(tf, inside, B, L);

  // What each chunk leaves in the state at its end, and the state each begins with.
  const left = tf.matMul(X, tf.reverse(upTo, 2), false, true); // [E, G, N]
  const across = tf.slice(powers, [0, 0, Q], [E, N, 1]).reshape([E, 1, N]);
  let h: Tensor = tf.zeros([E, B, N]);
  const begins = [h];
  for (const added of tf.unstack(tf.reshape(left, [E, B, chunks, N]), 2).slice(0, -1))
    begins.push((h = tf.add(tf.mul(across, h), added)));

  const read = tf.mul(tf.slice(powers, [0, 0, 1], [E, N, Q]), tf.reshape(weights, [E, N, 1])); // [E, N, Q]
  const carried = tf.matMul(tf.reshape(tf.stack(begins, 2), [E, G, N]), read); // [E, G, Q]
  return back(tf, tf.add(inside, carried), B, L);
}

/** [E, G, Q] -> [B, L, E]. */
function back(tf: TF, y: Tensor3D, B: number, L: number): Tensor3D {
  const E = y.shape[0];
  const rows = tf.reshape(tf.transpose(tf.reshape(y, [E, -1])), [B, -1, E]) as Tensor3D;
  return rows.shape[1] === L ? rows : tf.slice(rows, [0, 0, 0], [B, L, E]);
}

/** [Q, Q * Q]: times a kernel [., Q] it gives the lower triangles T_ij = k_{i-j}, one row after the other. */
function diagonals(tf: TF, Q: number): Tensor2D {
  const ones = new Float32Array(Q * Q * Q);
  for (let i = 0; i < Q; i++) for (let j = 0; j <= i; j++) ones[((i - j) * Q + i) * Q + j] = 1;
  return tf.tensor2d(ones, [Q, Q * Q]);
}

/** The block: in_proj, short convolution, the constant state space with skip D, gate, out_proj. u [B, L, D] -> [B, L, D]. */
export function ltiMixer(tf: TF, params: LtiParams, u: Tensor3D): Tensor3D {
  const E = params.D.shape[0];
  const [xRaw, z] = linearParts(tf, u, params['in_proj.weight'], [E, E]); // [B, L, E] each
  const { y: x } = causalConvSilu(tf, {
    x: xRaw,
    weight: params['conv1d.weight'],
    bias: params['conv1d.bias'],
  });
  const y: Tensor = tf.add(ltiScan(tf, x, discretiseLti(tf, params)), tf.mul(x, params.D));
  return linear(tf, tf.mul(y, silu(tf, z)) as Tensor3D, params['out_proj.weight']);
}
