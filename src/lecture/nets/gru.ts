/**
 * A gated recurrent unit over a sequence (K. Cho et al., arXiv 1406.1078, section 2.3): with the update gate z and the
 * reset gate r
 *
 *     z, r = sigmoid(W x_t + U h_{t-1} + b),  c = tanh(W x_t + U (r h_{t-1}) + b),  h_t = z h_{t-1} + (1 - z) c.
 *
 *   B, L       batch, length in tokens              D, H       width of the input, numbers in the state
 *
 * Columns of W and U are those of z, r and c, in this order (as Keras has them).
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { callKernel, hasKernel, linear, registerKernelGradient, type TF } from '../../tensor';

/** The parameters of one layer's mixer. */
export interface GruParams {
  kernel: Tensor2D; // [D, 3 H]
  recurrent: Tensor2D; // [H, 3 H]
  bias: Tensor1D; // [3 H]
  'out_proj.weight': Tensor2D; // [D, H]
}

/** GRU and projection back to the width of the residual stream: u [B, L, D] -> [B, L, D]. */
export function gruMixer(tf: TF, params: GruParams, u: Tensor3D): Tensor3D {
  return linear(tf, gru(tf, params, u), params['out_proj.weight']);
}

/**
 * h after every token, from h = 0: u [B, L, D] -> [B, L, H].
 *
 * One kernel for the whole sequence where the engine has one (the one behind `tf.layers.gru` on `native`), else an
 * operation after the other. First derivatives only.
 */
export function gru(tf: TF, params: GruParams, u: Tensor3D): Tensor3D {
  if (!hasKernel(tf, 'FusedRecurrent')) return composed(tf, params, u);
  registerKernelGradient(tf, 'FusedRecurrent', {
    inputs: ['x', 'kernel', 'recurrent'],
    outputs: [false, false, true, true, true],
    gradient([dh, dSequence], [x, kernel, recurrent, gates, before, cells], attrs) {
      const inputs = { recurrent, gates, before, cells, dh, dSequence };
      const [dGates, , dRecurrent, dBias] = callKernel(tf, 'FusedRecurrentGrad', inputs, attrs);
      const rows = (t: Tensor) => tf.reshape(t, [-1, t.shape[2] as number]) as Tensor2D;
      return {
        x: () => tf.reshape(tf.matMul(rows(dGates), kernel as Tensor2D, false, true), x.shape),
        kernel: () => tf.matMul(rows(x), rows(dGates), true, false),
        recurrent: () => dRecurrent,
        bias: () => dBias,
      };
    },
  });
  const { kernel, recurrent, bias } = params;
  const [tanh, sigmoid] = [1, 2]; // the kernel's numbers of activations
  const attrs = {
    kind: 1,
    gates: 3,
    units: recurrent.shape[0],
    backwards: false,
    activation: tanh,
    recurrentActivation: sigmoid,
    sequences: true,
    keep: true,
  };
  return callKernel(tf, 'FusedRecurrent', { x: u, kernel, recurrent, bias }, attrs)[1] as Tensor3D;
}

function composed(tf: TF, { kernel, recurrent, bias }: GruParams, u: Tensor3D): Tensor3D {
  const [B, L, D] = u.shape;
  const H = recurrent.shape[0];
  const part = (x: Tensor, from: number, to: number) => tf.slice(x, [0, from], [-1, to - from]) as Tensor2D;
  const projected = tf.add(tf.matMul(tf.reshape(u, [B * L, D]), kernel), bias); // [B L, 3 H]
  const tokens = tf.unstack(tf.reshape(projected, [B, L, 3 * H]), 1); // L of [B, 3 H]
  const [Ugates, Ucandidate] = [part(recurrent, 0, 2 * H), part(recurrent, 2 * H, 3 * H)];
  let h = tf.zeros([B, H]) as Tensor2D;
  const states = tokens.map((token) => {
    const gates = tf.sigmoid(tf.add(part(token, 0, 2 * H), tf.matMul(h, Ugates))); // z, r: [B, 2 H]
    const [z, r] = [part(gates, 0, H), part(gates, H, 2 * H)];
    const c = tf.tanh(tf.add(part(token, 2 * H, 3 * H), tf.matMul(tf.mul(r, h) as Tensor2D, Ucandidate)));
    h = tf.add(c, tf.mul(z, tf.sub(h, c))) as Tensor2D; // z h + (1 - z) c
    return h;
  });
  return tf.stack(states, 1) as Tensor3D;
}
