/**
 * A causal transformer's two half-blocks (A. Vaswani et al., 2017) in today's form: attention over all tokens before with
 * rotary positions (J. Su et al., arXiv 2104.09864), and an MLP with GELU. Both read the normed residual stream and add
 * to it; neither has biases.
 *
 *   B, L       batch, length in tokens              D          d_model
 *   H, P       heads and channels of a head, D = H P
 *   M          hidden units of the MLP
 */
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import { linear, linearParts, silu, type TF } from '../../tensor';

/** The parameters of one layer's attention. */
export interface AttentionParams {
  'in_proj.weight': Tensor2D; // [3 D, D]: queries, keys, values
  'out_proj.weight': Tensor2D; // [D, D]
}

/** The parameters of one layer's MLP. */
export interface MlpParams {
  'fc1.weight': Tensor2D; // [M, D]
  'fc2.weight': Tensor2D; // [D, M]
}

/** What all layers share at a length. */
export interface AttentionTables {
  L: number;
  /** Added to scores, 0 or -1e30: position i sees j, [L, L]. */
  mask: Tensor2D;
  /** Rotation of channel pairs by position, [L, 1, P/2]. */
  cos: Tensor3D;
  sin: Tensor3D;
}

const NEVER = -1e30;

/** GELU as x sigmoid(1.702 x) (D. Hendrycks, K. Gimpel, arXiv 1606.08415, section 2). */
export const GELU = 1.702;

/** Angle of channel pair i at position t: t / 10000^(i / (P/2)). */
export function rotation(t: number, i: number, P: number): number {
  return t / 10000 ** ((2 * i) / P);
}

/** The tables of a length; the caller disposes them. */
export function attentionTables(tf: TF, L: number, P: number): AttentionTables {
  const mask = new Float32Array(L * L);
  for (let i = 0; i < L; i++) mask.fill(NEVER, i * L + i + 1, (i + 1) * L);
  const angles = Float64Array.from({ length: (L * P) / 2 }, (_, j) =>
    rotation(Math.floor(j / (P / 2)), j % (P / 2), P),
  );
  const table = (f: (x: number) => number) => tf.tensor3d(Float32Array.from(angles, f), [L, 1, P / 2]);
  return { L, mask: tf.tensor2d(mask, [L, L]), cos: table(Math.cos), sin: table(Math.sin) };
}

/** u [B, L, D] -> [B, L, D]. */
export function attentionMixer(
  tf: TF,
  params: AttentionParams,
  u: Tensor3D,
  H: number,
  tables: AttentionTables,
): Tensor3D {
  const [B, L, D] = u.shape;
  const P = D / H;
  const [q, k, v] = linearParts(tf, u, params['in_proj.weight'], [D, D, D]); // [B, L, D] each
  const split = (x: Tensor) => tf.reshape(x, [B, L, H, P]) as Tensor4D;
  const heads = (x: Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B * H, L, P]) as Tensor3D;
  const queries = heads(rotate(tf, split(tf.mul(q, 1 / Math.sqrt(P))), tables));
  const keys = heads(rotate(tf, split(k), tables));
  const scores = tf.matMul(queries, keys, false, true) as Tensor3D; // [B H, L, L]
  const y = tf.matMul(maskedSoftmax(tf, scores, tables.mask), heads(split(v))); // [B H, L, P]
  const joined = tf.transpose(tf.reshape(y, [B, H, L, P]), [0, 2, 1, 3]); // [B, L, H, P]
  return linear(tf, tf.reshape(joined, [B, L, D]) as Tensor3D, params['out_proj.weight']);
}

/** Channels i and i + P/2 of every head turned together by the position's angle: x [B, L, H, P]. */
function rotate(tf: TF, x: Tensor4D, { cos, sin }: AttentionTables): Tensor {
  const [a, b] = tf.split(x, 2, 3); // [B, L, H, P/2]
  return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(a, sin), tf.mul(b, cos))], 3);
}

/** softmax(scores + mask) over the last axis, keeping only the result for its gradient: of L x L numbers a head. */
function maskedSoftmax(tf: TF, scores: Tensor3D, mask: Tensor2D): Tensor3D {
  const f = tf.customGrad((...args) => {
    const [x, save] = args as unknown as [Tensor3D, (tensors: Tensor[]) => void];
    const y = tf.softmax(tf.add(x, mask));
    save([y]);
    const gradFunc = (dy: Tensor, [y]: Tensor[]) => {
      const dyY = tf.mul(dy, y);
      return tf.sub(dyY, tf.mul(tf.sum(dyY, -1, true), y));
    };
    return { value: y, gradFunc };
  });
  return f(scores) as Tensor3D;
}

/** fc2 GELU(fc1 u): u [B, L, D] -> [B, L, D]. */
export function mlp(tf: TF, params: MlpParams, u: Tensor3D): Tensor3D {
  const hidden = linear(tf, u, params['fc1.weight']); // [B, L, M]
  const active = tf.mul(silu(tf, tf.mul(hidden, GELU)), 1 / GELU) as Tensor3D;
  return linear(tf, active, params['fc2.weight']);
}
