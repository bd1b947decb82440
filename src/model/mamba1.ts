/**
 * Mamba-1 in the order of the paper: A. Gu, T. Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces",
 * arXiv 2312.00752. Section numbers below are the paper's.
 *
 *   B, L       batch, length in tokens              D          d_model, width of the residual stream
 *   E          d_inner, expand D channels           N          d_state, numbers that a channel remembers
 *   K          d_conv                               R          dt_rank, width of the step size's bottleneck
 *   dt         step size of each channel, > 0       A          decay rate of each number, < 0: [E, N]
 *   Bm, Cm     the paper's B_t and C_t (B is the batch here), shared by all channels
 *
 * The operator is h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t, y_t = C_t . h_t, for every channel on its own.
 * `scanSequential` is that sentence, `scanParallel` the same for all tokens at once, `selectiveScan` (tensor/) the same
 * in one kernel, `StepModel` (step.ts) one token at a time.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import {
  causalConvSilu,
  hasSelectiveScan,
  linear,
  linearParts,
  linearScan,
  selectiveScan,
  silu,
  type TF,
} from '../tensor';
import { derivedSizes, type MambaConfig } from './config';
import type { LayerState, Packing, Scan } from './layer';

/** The parameters of one layer's mixer, under the reference's names. */
export interface Mamba1Params {
  'in_proj.weight': Tensor2D; // [2 E, D]
  'conv1d.weight': Tensor3D; // [E, 1, K]
  'conv1d.bias': Tensor1D; // [E]
  'x_proj.weight': Tensor2D; // [R + 2 N, E]
  'dt_proj.weight': Tensor2D; // [E, R]
  'dt_proj.bias': Tensor1D; // [E]
  A_log: Tensor2D; // [E, N]
  D: Tensor1D; // [E]
  'out_proj.weight': Tensor2D; // [D, E]
}

/** The tensors of the operator (section 3.2). */
export interface ScanInput {
  x: Tensor3D; // [B, L, E]
  dt: Tensor3D; // [B, L, E]
  A: Tensor2D; // [E, N]
  Bm: Tensor3D; // [B, L, N]
  Cm: Tensor3D; // [B, L, N]
  /** Incoming state [B, E, N]; none means zero. */
  h?: Tensor3D;
}

/** y [B, L, E] without the skip D x, and the state after the last token. */
export interface ScanOutput {
  y: Tensor3D;
  h: Tensor3D;
}

/** The recurrence, one token after the other: the definition. Equation (2) with the discretisation of section 2. */
export function scanSequential(tf: TF, { x, dt, A, Bm, Cm, h: h0 }: ScanInput, packed?: Packing): ScanOutput {
  const [B, L, E] = x.shape;
  const N = A.shape[1];
  const at = (v: Tensor3D, t: number) => tf.slice(v, [0, t, 0], [B, 1, v.shape[2]]); // [B, 1, n]
  let h = h0 ?? (tf.zeros([B, E, N]) as Tensor3D);
  const ys: Tensor[] = [];
  for (let t = 0; t < L; t++) {
    const dt_t = tf.reshape(at(dt, t), [B, E, 1]);
    if (packed) h = tf.mul(h, tf.reshape(tf.slice(packed.keep, [0, t], [B, 1]), [B, 1, 1]));
    const decay = tf.exp(tf.mul(dt_t, A)); // [B, E, N]
    const input = tf.mul(tf.reshape(at(x, t), [B, E, 1]), at(Bm, t)); // [B, E, N]
    h = tf.add(tf.mul(decay, h), tf.mul(dt_t, input)); //     h_t = exp(dt A) h_{t-1} + dt x_t B_t
    ys.push(tf.sum(tf.mul(h, at(Cm, t)), 2)); //     y_t = C_t . h_t
  }
  return { y: tf.stack(ys, 1) as Tensor3D, h };
}

/**
 * The same for all tokens at once: composing h -> a h + b is associative, so states come from an associative scan
 * (section 3.3.2). A reset is a decay of zero. **Memory**: a few arrays of B L E N numbers, which is why the fused
 * kernel exists.
 */
export function scanParallel(tf: TF, { x, dt, A, Bm, Cm, h: h0 }: ScanInput, packed?: Packing): ScanOutput {
  const [B, L, E] = x.shape;
  const N = A.shape[1];
  let a: Tensor = tf.exp(tf.mul(tf.reshape(dt, [B, L, E, 1]), A)); // [B, L, E, N]
  if (packed) a = tf.mul(a, tf.reshape(packed.keep, [B, L, 1, 1]));
  let b: Tensor = tf.mul(tf.reshape(tf.mul(dt, x), [B, L, E, 1]), tf.reshape(Bm, [B, L, 1, N]));
  if (h0) {
    // What the incoming state leaves of itself is one more input of the first token.
    const left = tf.mul(tf.slice(a, [0, 0, 0, 0], [B, 1, E, N]), tf.reshape(h0, [B, 1, E, N]));
    const first = tf.add(tf.slice(b, [0, 0, 0, 0], [B, 1, E, N]), left);
    b = L === 1 ? first : tf.concat([first, tf.slice(b, [0, 1, 0, 0], [B, L - 1, E, N])], 1);
  }
  const flat = (v: Tensor) => tf.reshape(v, [B, L, E * N]) as Tensor3D;
  const states = linearScan(tf, flat(a), flat(b)); // [B, L, E N]
  const y = tf.sum(tf.mul(tf.reshape(states, [B, L, E, N]), tf.reshape(Cm, [B, L, 1, N])), 3);
  const h = tf.slice(states, [0, L - 1, 0], [B, 1, E * N]);
  return { y: y as Tensor3D, h: tf.reshape(h, [B, E, N]) as Tensor3D };
}

/**
 * One Mamba-1 mixer (section 3.4, Figure 3): in_proj gives x and the gate z; a short causal convolution and SiLU over
 * x; x_proj and dt_proj make step size, B and C of every token from x (the selection, Algorithm 2); the operator;
 * skip D; gate; out_proj.
 *
 * **Shapes**: u [B, L, D] -> out [B, L, D]. **Official**: state-spaces/mamba `modules/mamba_simple.py`.
 */
export function mamba1Mixer(
  tf: TF,
  config: MambaConfig,
  params: Mamba1Params,
  u: Tensor3D,
  packed?: Packing,
  state?: LayerState,
  scan: Scan = 'auto',
): { out: Tensor3D; state: LayerState } {
  const { d_inner: E, dt_rank: R } = derivedSizes(config);
  const N = config.ssm_cfg.d_state;
  const [xRaw, z] = linearParts(tf, u, params['in_proj.weight'], [E, E]); // [B, L, E] each
  const convolved = causalConvSilu(tf, {
    x: xRaw,
    weight: params['conv1d.weight'],
    bias: params['conv1d.bias'],
    before: state?.conv,
    starts: packed?.starts,
  });
  const x = convolved.y; // [B, L, E]

  const [dtLow, Bm, Cm] = linearParts(tf, x, params['x_proj.weight'], [R, N, N]); // [B, L, R] and [B, L, N]
  const dtRaw = linear(tf, dtLow, params['dt_proj.weight']); // [B, L, E]
  const bias = params['dt_proj.bias'];
  const A = tf.neg(tf.exp(params.A_log));
  const h = state?.ssm as Tensor3D | undefined;

  let result: ScanOutput;
  if (scan === 'auto' && hasSelectiveScan(tf)) {
    const starts = packed?.starts;
    result = selectiveScan(tf, { u: x, delta: dtRaw, A, B: Bm, C: Cm, D: params.D, bias, z, h, starts });
  } else {
    const dt = tf.softplus(tf.add(dtRaw, bias)) as Tensor3D;
    const run = scan === 'sequential' ? scanSequential : scanParallel;
    const { y, h: after } = run(tf, { x, dt, A, Bm, Cm, h }, packed);
    result = { y: tf.mul(tf.add(y, tf.mul(x, params.D)), silu(tf, z)), h: after }; // (y_t + D x_t) SiLU(z_t)
  }
  const out = linear(tf, result.y, params['out_proj.weight']);
  return { out, state: { conv: convolved.state, ssm: result.h } };
}
