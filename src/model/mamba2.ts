/**
 * Mamba-2 in the order of the paper: T. Dao, A. Gu, "Transformers are SSMs: Generalized Models and Efficient
 * Algorithms Through Structured State Space Duality", arXiv 2405.21060. Section numbers below are the paper's.
 *
 *   B, L       batch, length in tokens              D          d_model, width of the residual stream
 *   H, P       nheads, headdim (d_inner = H P)      G          ngroups: heads of a group share B and C
 *   N          d_state                              Q          chunk_size
 *   K          d_conv                               C          chunks of a row, ceil(L / Q)
 *   dt         step size, > 0                       A          decay rate of a head, < 0
 *   Bm, Cm     the paper's B_t and C_t (B is the batch here)
 *
 * The operator is y_t = C_t^T h_t + D x_t with h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T, h a [P, N] matrix per head.
 * `ssdSequential` is that sentence, `ssdChunked` the same in matrix products, `ssdScan` (tensor/) the same in one kernel,
 * `StepModel` (step.ts) one token at a time.
 */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import { causalConvSilu, gatedRmsNorm, hasSsdScan, linear, linearParts, ssdScan, type TF } from '../tensor';
import { derivedSizes, mamba2Settings, type MambaConfig } from './config';
import { makePacking, type LayerState, type Packing, type Scan } from './layer';

/** The parameters of one layer's mixer, under the reference's names. */
export interface Mamba2Params {
  'in_proj.weight': Tensor2D; // [d_in_proj, D]
  'conv1d.weight': Tensor3D; // [conv_dim, 1, K]
  'conv1d.bias': Tensor1D; // [conv_dim]
  dt_bias: Tensor1D; // [H]
  A_log: Tensor1D; // [H]
  D: Tensor1D; // [H]
  'norm.weight': Tensor1D; // [d_inner]
  'out_proj.weight': Tensor2D; // [D, d_inner]
}

/** Added to an exponent where two positions must not see each other: exp(x - 1e30) is 0, and so is its gradient. */
const NEVER = -1e30;

/** How a batch of rows is cut into chunks, and which positions may see which: the same for every layer. */
export interface Plan {
  B: number;
  L: number;
  /** Only with `starts`. */
  packed?: Packing;
  /** What the chunked form needs; made at its first use, because no other form does. */
  chunked(): ChunkedPlan;
}

/** Chunks and masks of {@link ssdChunked}. */
export interface ChunkedPlan {
  /** Chunk length, and number of chunks a row. */
  Q: number;
  chunks: number;
  /** Added to exponents, 0 or -1e30: position i sees j, [1 or B*chunks, 1, Q, Q]. */
  within: Tensor4D;
  /** Chunk boundary i sees boundary j, [1 or B, 1, chunks+1, chunks+1]. */
  between: Tensor4D;
  /** With packed rows: position sees the state its chunk begins with, or is seen by the one it ends with. */
  edges?: { fromBegin: Tensor3D; toEnd: Tensor3D }; // added, [B*chunks, 1, Q]
}

/**
 * The plan of a batch. `starts` (int32 [B, L]) is 1 at each first token of a packed sequence; what comes before the
 * first 1 of a row continues the incoming state. Belongs inside one `tf.tidy` with the layers that use it.
 */
export function makePlan(tf: TF, config: MambaConfig, B: number, L: number, starts?: Tensor2D): Plan {
  let chunked: ChunkedPlan | undefined;
  const packed = starts && makePacking(tf, starts);
  return { B, L, packed, chunked: () => (chunked ??= chunkedPlan(tf, config, B, L, starts)) };
}

function chunkedPlan(tf: TF, config: MambaConfig, B: number, L: number, starts?: Tensor2D): ChunkedPlan {
  const Q = Math.min(mamba2Settings(config).chunk_size, L);
  const chunks = Math.ceil(L / Q);
  const triangle = (n: number) =>
    tf.tensor(
      Float32Array.from({ length: n * n }, (_, i) => (i % n > Math.floor(i / n) ? NEVER : 0)),
      [1, 1, n, n],
    ) as Tensor4D;
  const within = triangle(Q);
  const between = triangle(chunks + 1);
  if (!starts) return { Q, chunks, within, between };

  // Number the sequences of a row: positions see each other if they have the same number.
  const number = tf.cumsum(tf.cast(starts, 'float32'), 1) as Tensor2D; // [B, L]; 0: continues the row before
  const last = tf.slice(number, [0, L - 1], [B, 1]);
  const padded = tf.concat([number, tf.tile(last, [1, chunks * Q - L])], 1) as Tensor2D; // [B, C Q]
  const byChunk = tf.reshape(padded, [B, chunks, Q]);
  const ends = tf.reshape(tf.slice(byChunk, [0, 0, Q - 1], [B, chunks, 1]), [B, chunks]);
  const edges = tf.concat([tf.zeros([B, 1]), ends], 1) as Tensor2D; // at boundary 0, 1 .. C: [B, C+1]
  const unlike = (a: Tensor, b: Tensor) => tf.mul(tf.cast(tf.notEqual(a, b), 'float32'), NEVER);
  const outer = (v: Tensor, rows: number, n: number) =>
    unlike(tf.reshape(v, [rows, 1, n, 1]), tf.reshape(v, [rows, 1, 1, n]));
  const rows = tf.reshape(padded, [B * chunks, 1, Q]);
  const begins = tf.reshape(tf.slice(edges, [0, 0], [B, chunks]), [B * chunks, 1, 1]);
  return {
    Q,
    chunks,
    within: tf.add(within, outer(padded, B * chunks, Q)),
    between: tf.add(between, outer(edges, B, chunks + 1)),
    edges: {
      fromBegin: unlike(rows, begins) as Tensor3D,
      toEnd: unlike(rows, tf.reshape(ends, [B * chunks, 1, 1])) as Tensor3D,
    },
  };
}

/** The tensors of the operator (section 2.3), all heads. */
export interface SsdInput {
  x: Tensor4D; // [B, L, H, P]
  dt: Tensor3D; // [B, L, H]
  A: Tensor1D; // [H]
  Bm: Tensor4D; // [B, L, G, N]
  Cm: Tensor4D; // [B, L, G, N]
  /** Incoming state [B, H, P, N]; none means zero. */
  h?: Tensor4D;
}

/** y [B, L, H, P] without the skip D x, and the state after the last token. */
export interface SsdOutput {
  y: Tensor4D;
  h: Tensor4D;
}

/**
 * The recurrence, one token after the other: the definition that the chunked form is tested against.
 * Section 2.3.1, equation (1).
 */
export function ssdSequential(tf: TF, { x, dt, A, Bm, Cm, h: h0 }: SsdInput, plan: Plan): SsdOutput {
  const [B, L, H, P] = x.shape;
  const [G, N] = [Bm.shape[2], Bm.shape[3]];
  const perHead = (v: Tensor4D, t: number) =>
    tf.reshape(tf.tile(tf.reshape(at(tf, v, t), [B, G, 1, N]), [1, 1, H / G, 1]), [B, H, N]);
  let h = h0 ?? (tf.zeros([B, H, P, N]) as Tensor4D);
  const ys: Tensor[] = [];
  for (let t = 0; t < L; t++) {
    const dt_t = tf.reshape(at(tf, dt, t), [B, H, 1, 1]);
    if (plan.packed) h = tf.mul(h, tf.reshape(at(tf, plan.packed.keep, t), [B, 1, 1, 1]));
    const decay = tf.exp(tf.mul(dt_t, tf.reshape(A, [1, H, 1, 1])));
    const input = tf.mul(tf.reshape(at(tf, x, t), [B, H, P, 1]), tf.reshape(perHead(Bm, t), [B, H, 1, N]));
    h = tf.add(tf.mul(decay, h), tf.mul(dt_t, input)); //     h_t = exp(dt A) h_{t-1} + dt x_t B_t^T
    ys.push(tf.sum(tf.mul(h, tf.reshape(perHead(Cm, t), [B, H, 1, N])), 3)); //     y_t = h_t C_t
  }
  return { y: tf.stack(ys, 1) as Tensor4D, h };
}

/** v[:, t]. */
function at(tf: TF, v: Tensor, t: number): Tensor {
  const begin = v.shape.map((_, axis) => (axis === 1 ? t : 0));
  return tf.slice(
    v,
    begin,
    v.shape.map((n, axis) => (axis === 1 ? 1 : n)),
  );
}

/**
 * The same by blocks (section 6, "hardware-efficient"): inside a chunk the operator is multiplication with a masked
 * matrix (C B^T * decay), between chunks only the state of each chunk's end travels.
 *
 * **Differs** from the paper's listing: states are [P, N] products that serve all heads of a group at once, because
 * those share B and C; only the masked matrices are per head. Lengths that are no multiple of Q are padded with dt = 0,
 * which leaves the state as it is.
 */
export function ssdChunked(tf: TF, { x, dt, A, Bm, Cm, h: h0 }: SsdInput, plan: Plan): SsdOutput {
  const [B, L, H, P] = x.shape;
  const [G, N] = [Bm.shape[2], Bm.shape[3]];
  const { Q, chunks, within, between, edges } = plan.chunked();
  const BC = B * chunks;
  const fill = chunks * Q - L;
  const chunk = (v: Tensor, ...shape: number[]) =>
    tf.reshape(
      fill ? tf.pad(v, [[0, 0], [0, fill], ...v.shape.slice(2).map(() => [0, 0] as [number, number])]) : v,
      [BC, Q, ...shape],
    );
  /** [BC, Q, G, n] -> [BC G, Q, n] */
  const byGroup = (v: Tensor, n: number) =>
    tf.reshape(G === 1 ? v : tf.transpose(tf.reshape(v, [BC, Q, G, n]), [0, 2, 1, 3]), [
      BC * G,
      Q,
      n,
    ]) as Tensor3D;
  /** [BC, H, Q] -> [BC, Q, H, 1], a factor for [BC, Q, H, P] */
  const perToken = (v: Tensor) => tf.reshape(tf.transpose(v, [0, 2, 1]), [BC, Q, H, 1]);

  const xdt = tf.mul(chunk(x, H, P), chunk(dt, H, 1)); // [BC, Q, H, P]
  const Bg = byGroup(chunk(Bm, G, N), N); // [BC G, Q, N]
  const Cg = byGroup(chunk(Cm, G, N), N); // [BC G, Q, N]
  // Logarithm of the decay since the chunk's begin, this token's included.
  const cum = tf.cumsum(tf.transpose(tf.mul(chunk(dt, H), A), [0, 2, 1]), 2) as Tensor3D; // [BC, H, Q]
  const total = tf.slice(cum, [0, 0, Q - 1], [BC, H, 1]); // [BC, H, 1]

  // 1. Inside the chunk: y_i = sum_{j <= i} (C_i . B_j) exp(cum_i - cum_j) dt_j x_j
  const decay = decayMatrix(tf, cum, within); // [BC, H, Q, Q]
  const scores = tf.matMul(Cg, Bg, false, true); // [BC G, Q, Q]
  const M = tf.mul(tf.reshape(decay, [BC, G, H / G, Q, Q]), tf.reshape(scores, [BC, G, 1, Q, Q]));
  const xHeads = tf.transpose(xdt, [0, 2, 1, 3]); // [BC, H, Q, P]
  const inside = tf.matMul(tf.reshape(M, [BC * H, Q, Q]), tf.reshape(xHeads, [BC * H, Q, P])); // [BC H, Q, P]
  const yInside = tf.transpose(tf.reshape(inside, [BC, H, Q, P]), [0, 2, 1, 3]); // [BC, Q, H, P]

  // 2. What each chunk adds to the state at its end: sum_j exp(total - cum_j) dt_j x_j B_j^T
  const toEnd = tf.sub(total, cum);
  const weighted = tf.mul(xdt, perToken(tf.exp(edges ? tf.add(toEnd, edges.toEnd) : toEnd))); // [BC, Q, H, P]
  const added = tf.matMul(byGroup(weighted, (H / G) * P), Bg, true, false); // [BC G, (H/G) P, N] = [BC, H, P, N]

  // 3. Between the chunks: h at boundary i = sum_{j <= i} exp(decay of chunks j .. i-1) (what boundary j brought)
  const brought = tf.reshape(added, [B, chunks, H, P * N]);
  const all = h0 ? tf.concat([tf.reshape(h0, [B, 1, H, P * N]), brought], 1) : brought;
  const totals = tf.concat(
    [tf.zeros([B, H, 1]), tf.transpose(tf.reshape(total, [B, chunks, H]), [0, 2, 1])],
    2,
  );
  const carry = decayMatrix(tf, tf.cumsum(totals, 2) as Tensor3D, between); // [B, H, C+1, C+1]
  const used = h0 ? carry : tf.slice(carry, [0, 0, 0, 1], [B, H, chunks + 1, chunks]);
  const boundaries = tf.matMul(used, tf.transpose(all, [0, 2, 1, 3]) as Tensor4D); // [B, H, C+1, P N]
  const h = tf.slice(boundaries, [0, 0, chunks, 0], [B, H, 1, P * N]);
  const begins = tf.transpose(tf.slice(boundaries, [0, 0, 0, 0], [B, H, chunks, P * N]), [0, 2, 1, 3]); // [B, C, H, P N]

  // 4. What the state at the chunk's begin gives: y_i = exp(cum_i) h C_i
  const read = tf.matMul(Cg, tf.reshape(begins, [BC * G, (H / G) * P, N]), false, true); // [BC G, Q, (H/G) P]
  const readByToken = G === 1 ? read : tf.transpose(tf.reshape(read, [BC, G, Q, (H / G) * P]), [0, 2, 1, 3]);
  const fromBegin = perToken(tf.exp(edges ? tf.add(cum, edges.fromBegin) : cum));
  const y = tf.add(yInside, tf.mul(tf.reshape(readByToken, [BC, Q, H, P]), fromBegin)); // [BC, Q, H, P]

  const rows = tf.reshape(y, [B, chunks * Q, H, P]) as Tensor4D;
  return {
    y: fill ? tf.slice(rows, [0, 0, 0, 0], [B, L, H, P]) : rows,
    h: tf.reshape(h, [B, H, P, N]) as Tensor4D,
  };
}

/** exp(cum_i - cum_j) where i may see j, else 0: [b, H, n] -> [b, H, n, n]. Masked before exp, which might overflow. */
function decayMatrix(tf: TF, cum: Tensor3D, mask: Tensor4D): Tensor4D {
  const [b, H, n] = cum.shape;
  const difference = tf.sub(tf.reshape(cum, [b, H, n, 1]), tf.reshape(cum, [b, H, 1, n]));
  return tf.exp(tf.add(difference, mask)) as Tensor4D;
}

/**
 * One Mamba-2 mixer (section 7.1, Figure 6): in_proj gives z, x, B, C, dt in parallel; a short causal convolution and
 * SiLU over x, B, C; the SSD operator; skip D; RMSNorm gated by z; out_proj.
 *
 * **Shapes**: u [B, L, D] -> out [B, L, D]. **Official**: state-spaces/mamba `modules/mamba2.py`.
 */
export function mamba2Mixer(
  tf: TF,
  config: MambaConfig,
  params: Mamba2Params,
  u: Tensor3D,
  plan: Plan,
  state?: LayerState,
  scan: Scan = 'auto',
): { out: Tensor3D; state: LayerState } {
  const { d_state: N, headdim: P, ngroups: G } = mamba2Settings(config);
  const { d_inner, nheads: H, conv_dim } = derivedSizes(config);
  const { B, L, packed } = plan;

  const [z, xBC, dtRaw] = linearParts(tf, u, params['in_proj.weight'], [d_inner, conv_dim, H]); // [B, L, size]
  const convolved = causalConvSilu(tf, {
    x: xBC,
    weight: params['conv1d.weight'],
    bias: params['conv1d.bias'],
    before: state?.conv,
    starts: packed?.starts,
  });
  const A = tf.neg(tf.exp(params.A_log)); // [H]
  const h = state?.ssm as Tensor4D | undefined;

  let y: Tensor; // y_t + D x_t, [B, L, d_inner] or [B, L, H, P]
  let after: Tensor4D;
  if (scan === 'auto' && hasSsdScan(tf)) {
    const input = {
      xBC: convolved.y,
      dt: dtRaw,
      A,
      D: params.D,
      bias: params.dt_bias,
      h,
      starts: packed?.starts,
    };
    ({ y, h: after } = ssdScan(tf, input, { headdim: P, ngroups: G, d_state: N }));
  } else {
    const [x, Bm, Cm] = tf.split(convolved.y, [d_inner, G * N, G * N], 2);
    const xHeads = tf.reshape(x, [B, L, H, P]) as Tensor4D;
    const input: SsdInput = {
      x: xHeads,
      dt: tf.softplus(tf.add(dtRaw, params.dt_bias)) as Tensor3D, // [B, L, H]
      A,
      Bm: tf.reshape(Bm, [B, L, G, N]) as Tensor4D,
      Cm: tf.reshape(Cm, [B, L, G, N]) as Tensor4D,
      h,
    };
    const ssd = (scan === 'sequential' ? ssdSequential : ssdChunked)(tf, input, plan);
    y = tf.add(ssd.y, tf.mul(xHeads, tf.reshape(params.D, [H, 1])));
    after = ssd.h;
  }
  const rows = tf.reshape(y, [B, L, d_inner]) as Tensor3D;
  const normed = gatedRmsNorm(tf, rows, z, params['norm.weight'], G);
  const out = linear(tf, normed, params['out_proj.weight']);
  return { out, state: { conv: convolved.state, ssm: after } };
}
