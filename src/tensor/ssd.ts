import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { hasKernel } from './fused';
import { registerScanGradient, runScan } from './selectiveScan';

/** The tensors of {@link ssdScan}; all float32. */
export interface SsdScanInput {
  /** x, B and C of a token one after the other: [B, L, H P + 2 G N]. */
  xBC: Tensor3D;
  /** Step size before `bias` and softplus: [B, L, H]. */
  dt: Tensor3D;
  A: Tensor1D; // [H], below 0
  D: Tensor1D; // [H]
  bias: Tensor1D; // [H]
  /** State before the first token: [B, H, P, N]. Default: zero. */
  h?: Tensor4D;
  /** [B, L], 1 where the state is zero before the token. */
  starts?: Tensor2D;
}

/** Sizes that the shapes of {@link SsdScanInput} leave open. */
export interface SsdScanSizes {
  headdim: number;
  ngroups: number;
  d_state: number;
}

/** Whether the active engine runs {@link ssdScan}. */
export function hasSsdScan(tf: TF): boolean {
  return hasKernel(tf, 'SsdScan') && hasKernel(tf, 'SsdScanGrad');
}

/**
 * The operator of Mamba-2 as its recurrence (T. Dao, A. Gu, arXiv 2405.21060, equation 1), with skip and step size:
 * for every head
 *
 *     dt = softplus(raw + bias),  h_t = exp(dt A) h_{t-1} + dt x_t B_t^T,  y_t = h_t C_t + D x_t
 *
 * -> y [B, L, H P] and h [B, H, P, N] after the last token. Forward the recurrence runs, from registers; states are kept
 * every `scanChunk` tokens. The gradient goes back chunk by chunk, as matrix products where tiles are filled (headdim,
 * d_state and length of at least 16), else as a recurrence too. First derivatives only.
 *
 * Kernels `SsdScan` -> y, h, kept states and `SsdScanGrad`; only where {@link hasSsdScan}.
 */
export function ssdScan(tf: TF, input: SsdScanInput, sizes: SsdScanSizes): { y: Tensor3D; h: Tensor4D } {
  registerScanGradient(tf, 'SsdScan', ['xBC', 'dt', 'A', 'D', 'bias', 'h', 'starts']);
  const [y, h] = runScan(tf, 'SsdScan', { ...input }, { ...sizes });
  return { y: y as Tensor3D, h: h as Tensor4D };
}
