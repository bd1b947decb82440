import type { Tensor2D } from '@tensorflow/tfjs';
import type { TF } from '../../tensor';
import type { TaskBatch } from './task';

/** A batch on the engine, each [B, L]; the caller disposes them. */
export function tensorsOfBatch(
  tf: TF,
  { tokens, targets, mask, B, L }: TaskBatch,
): { tokens: Tensor2D; targets: Tensor2D; mask: Tensor2D } {
  return {
    tokens: tf.tensor2d(tokens, [B, L], 'int32'),
    targets: tf.tensor2d(targets, [B, L], 'int32'),
    mask: tf.tensor2d(mask, [B, L]),
  };
}
