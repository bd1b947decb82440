import type { NamedAttrMap, NamedTensorMap, Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';

/** Tokens between the states that a scan of `d_state` numbers a channel keeps for its gradient. */
export function scanChunk(d_state: number): number {
  return d_state <= 16 ? 16 : 32;
}

/** The tensors of {@link selectiveScan}; all float32. */
export interface SelectiveScanInput {
  u: Tensor3D; // [B, L, E]
  /** Step size before `bias` and softplus: [B, L, E]. */
  delta: Tensor3D;
  A: Tensor2D; // [E, N], below 0
  B: Tensor3D; // [B, L, N]
  C: Tensor3D; // [B, L, N]
  D: Tensor1D; // [E]
  bias: Tensor1D; // [E]
  /** The gate, before SiLU: [B, L, E]. */
  z: Tensor3D;
  /** State before the first token: [B, E, N]. Default: zero. */
  h?: Tensor3D;
  /** [B, L], 1 where the state is zero before the token. */
  starts?: Tensor2D;
}

/** Whether the active engine runs {@link selectiveScan}. */
export function hasSelectiveScan(tf: TF): boolean {
  return hasKernel(tf, 'SelectiveScan') && hasKernel(tf, 'SelectiveScanGrad');
}

/**
 * The selective state space of Mamba-1 in one pass (A. Gu, T. Dao, arXiv 2312.00752, section 3.3.2): for every channel
 *
 *     dt = softplus(delta + bias),  h_t = exp(dt A) h_{t-1} + dt u_t B_t,  y_t = (C_t . h_t + D u_t) SiLU(z_t)
 *
 * with the state after the last token, [B, E, N], beside y [B, L, E]. Nothing of size L E N exists: forward the state
 * is kept every {@link scanChunk} tokens, backward it is computed again from there. First derivatives only.
 *
 * Kernels `SelectiveScan` -> y, h, kept states and `SelectiveScanGrad`; only where {@link hasSelectiveScan}.
 */
export function selectiveScan(tf: TF, input: SelectiveScanInput): { y: Tensor3D; h: Tensor3D } {
  registerScanGradient(tf, 'SelectiveScan', ['u', 'delta', 'A', 'B', 'C', 'D', 'bias', 'z', 'h', 'starts']);
  const [y, h] = runScan(tf, 'SelectiveScan', { ...input });
  return { y: y as Tensor3D, h: h as Tensor3D };
}

/** Runs a scan's kernel; inputs that are not given become tensors without elements. */
export function runScan(
  tf: TF,
  kernelName: string,
  inputs: Record<string, Tensor | undefined>,
  attrs: NamedAttrMap = {},
): Tensor[] {
  const nothing = tf.zeros([0]);
  const all: NamedTensorMap = { h: nothing, starts: nothing };
  for (const [name, tensor] of Object.entries(inputs)) if (tensor) all[name] = tensor;
  return tf.engine().runKernel(kernelName, all, attrs) as unknown as Tensor[];
}

/**
 * The gradient of a scan whose kernel gives y, h and kept states: one call of the kernel `<name>Grad`, whose results
 * stand in the order of `names` without the last, `starts`. `h` is second to last: its gradient is that of the state
 * before the first token.
 */
export function registerScanGradient(tf: TF, kernelName: string, names: readonly string[]): void {
  if (tf.getGradient(kernelName)) return;
  tf.registerGradient({
    kernelName,
    inputsToSave: [...names],
    outputsToSave: [false, false, true],
    gradFunc: (dys, savedTensors, attrs) => {
      const [dy, dh] = dys as Tensor[];
      const inputs: NamedTensorMap = { dy, dh, saved: savedTensors[names.length] };
      names.forEach((name, i) => (inputs[name] = savedTensors[i]));
      const results = tf.engine().runKernel(`${kernelName}Grad`, inputs, attrs) as unknown as Tensor[];
      return Object.fromEntries(
        names.map((name, i) => [
          name,
          () => (i < results.length ? results[i] : tf.zerosLike(savedTensors[i])),
        ]),
      );
    },
  });
}

/**
 * h_t = a_t h_{t-1} + b_t along axis 1 from h = 0, for all t, in log2(L) sweeps: after the sweep of width s, b_t holds
 * what the last 2 s tokens brought and a_t their common decay (W. D. Hillis, G. L. Steele, 1986). Its gradient is the
 * same scan from the other end. Shapes: a, b, h [B, L, n].
 */
export function linearScan(tf: TF, a: Tensor3D, b: Tensor3D): Tensor3D {
  const f = tf.customGrad((...args) => {
    const [decay, input, save] = args as unknown as [Tensor3D, Tensor3D, (tensors: Tensor[]) => void];
    const h = sweep(tf, decay, input);
    save([decay, h]);
    const gradFunc = (dh: Tensor, saved: Tensor[]) => {
      const [decay, h] = saved as Tensor3D[];
      // What a state is worth: its own part of the loss, and what the next state makes of it.
      const next = shift(tf, tf.reverse(decay, 1), 1);
      const total = tf.reverse(sweep(tf, next, tf.reverse(dh, 1) as Tensor3D), 1);
      return [tf.mul(total, shift(tf, h, 1)), total];
    };
    return { value: h, gradFunc };
  });
  return f(a, b) as Tensor3D;
}

function sweep(tf: TF, a: Tensor3D, b: Tensor3D): Tensor3D {
  for (let s = 1; s < b.shape[1]; s *= 2) {
    b = tf.add(b, tf.mul(a, shift(tf, b, s)));
    a = tf.mul(a, shift(tf, a, s));
  }
  return b;
}

/** Row t holds row t - s, the first s rows zero. */
function shift(tf: TF, x: Tensor3D, s: number): Tensor3D {
  const [B, L, n] = x.shape;
  return tf.concat([tf.zeros([B, s, n]), tf.slice(x, [0, 0, 0], [B, L - s, n])], 1) as Tensor3D;
}
