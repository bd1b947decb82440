import type { Tensor, Tensor1D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import {
  makePlan,
  scanParallel,
  ssdChunked,
  ssdSequential,
  validateConfig,
  type SsdInput,
} from '../../model';
import { hasSsdScan, ssdScan, type TF } from '../../tensor';
import { Rng } from '../../util';

/** Sizes of an operator to compare forms on: rows, tokens, heads, channels of a head, numbers a channel remembers. */
export interface ScanSizes {
  B?: number;
  L: number;
  H?: number;
  P?: number;
  N?: number;
  /** Tokens of a chunk in the chunked form. */
  chunk_size?: number;
}

/**
 * The ways to compute h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T, y_t = h_t C_t: token by token; all tokens at once by an
 * associative scan; in chunks of matrix products (SSD); in one kernel of the engine.
 */
export type ScanForm = 'loop' | 'parallel scan' | 'chunked' | 'one kernel';

/** One form's result. */
export interface ScanFormResult {
  form: ScanForm;
  L: number;
  /** [B, L, H, P] */
  y: Float32Array;
  /** Best of a few runs, forward only. */
  seconds: number;
}

/** Random input of Mamba-2's operator, in the ranges that a fresh model has. The caller disposes it. */
export function randomScanInput(tf: TF, sizes: ScanSizes, seed = 1): SsdInput {
  const { B, L, H, P, N } = filled(sizes);
  const rng = new Rng(seed);
  const tensor = (name: string, shape: number[], draw: (rng: Rng) => number): Tensor => {
    const own = rng.split(name);
    return tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => draw(own)),
      shape,
    );
  };
  const normal = (own: Rng) => own.normal();
  return {
    x: tensor('x', [B, L, H, P], normal) as Tensor4D,
    dt: tensor('dt', [B, L, H], (own) =>
      Math.exp(Math.log(1e-3) + own.uniform() * Math.log(100)),
    ) as Tensor3D,
    A: tensor('A', [H], (own) => -1 - 15 * own.uniform()) as Tensor1D,
    Bm: tensor('B', [B, L, 1, N], normal) as Tensor4D,
    Cm: tensor('C', [B, L, 1, N], normal) as Tensor4D,
  };
}

function filled({ B = 1, L, H = 4, P = 32, N = 16, chunk_size = 64 }: ScanSizes): Required<ScanSizes> {
  return { B, L, H, P, N, chunk_size };
}

/** y of one form, [B, L, H, P]; the caller disposes it. `one kernel` needs an engine that has it (`native`). */
export function runScanForm(tf: TF, form: ScanForm, input: SsdInput, chunk_size = 64): Tensor4D {
  return tf.tidy(() => {
    const [B, L, H, P] = input.x.shape;
    const N = input.Bm.shape[3];
    if (form === 'parallel scan') return parallel(tf, input);
    if (form === 'one kernel') return kernel(tf, input);
    const config = validateConfig({
      d_model: H * P,
      ssm_cfg: { layer: 'Mamba2', expand: 1, headdim: P, d_state: N, d_conv: 4, ngroups: 1, chunk_size },
    });
    const plan = makePlan(tf, config, B, L);
    return (form === 'loop' ? ssdSequential : ssdChunked)(tf, input, plan).y;
  });
}

/** Mamba-1's scan over all tokens at once; Mamba-2's operator is the case that all channels of a head share dt and A. */
function parallel(tf: TF, { x, dt, A, Bm, Cm }: SsdInput): Tensor4D {
  const [B, L, H, P] = x.shape;
  const N = Bm.shape[3];
  const { y } = scanParallel(tf, {
    x: tf.reshape(x, [B, L, H * P]),
    dt: tf.reshape(tf.tile(tf.reshape(dt, [B, L, H, 1]), [1, 1, 1, P]), [B, L, H * P]) as Tensor3D,
    A: tf.tile(tf.reshape(tf.tile(tf.reshape(A, [H, 1]), [1, P]), [H * P, 1]), [1, N]),
    Bm: tf.reshape(Bm, [B, L, N]),
    Cm: tf.reshape(Cm, [B, L, N]),
  });
  return tf.reshape(y, [B, L, H, P]);
}

function kernel(tf: TF, { x, dt, A, Bm, Cm }: SsdInput): Tensor4D {
  const [B, L, H, P] = x.shape;
  const N = Bm.shape[3];
  const flat = (v: Tensor, n: number) => tf.reshape(v, [B, L, n]);
  const xBC = tf.concat([flat(x, H * P), flat(Bm, N), flat(Cm, N)], 2) as Tensor3D;
  const raw = tf.log(tf.expm1(dt)); // softplus of it is dt
  const zero = tf.zeros([H]) as Tensor1D;
  const { y } = ssdScan(tf, { xBC, dt: raw, A, D: zero, bias: zero }, { headdim: P, ngroups: 1, d_state: N });
  return tf.reshape(y, [B, L, H, P]);
}

/** The forms that the active engine has. */
export function scanForms(tf: TF): ScanForm[] {
  return ['loop', 'parallel scan', 'chunked', ...(hasSsdScan(tf) ? (['one kernel'] as const) : [])];
}

/** Result and time of forms on the same random input: at least two runs each, more within `budgetMs`. */
export function compareScanForms(
  tf: TF,
  sizes: ScanSizes,
  {
    forms = scanForms(tf),
    seed = 1,
    budgetMs = 60,
  }: { forms?: ScanForm[]; seed?: number; budgetMs?: number } = {},
): ScanFormResult[] {
  const { L, chunk_size } = filled(sizes);
  const input = randomScanInput(tf, sizes, seed);
  const results = forms.map((form): ScanFormResult => {
    let y: Float32Array | undefined;
    let best = Infinity;
    const end = performance.now() + budgetMs;
    for (let run = 0; run < 2 || performance.now() < end; run++) {
      const started = performance.now();
      const result = runScanForm(tf, form, input, chunk_size);
      const values = result.dataSync() as Float32Array;
      best = Math.min(best, (performance.now() - started) / 1000);
      y ??= values.slice();
      result.dispose();
    }
    return { form, L, y: y as Float32Array, seconds: best };
  });
  tf.dispose(Object.values(input) as Tensor[]);
  return results;
}

/** Largest difference between two results, by the largest number of the second. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, scale] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return difference / scale;
}
