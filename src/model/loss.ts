import type { Scalar, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { crossEntropySum, type TF } from '../tensor';

/**
 * Next-token loss: the sum over positions of mask * (-log softmax(logits)[target]), in nats; a scalar tensor.
 * Divide by the sum of the mask for the mean.
 *
 * **Shapes**: logits [B, L, V], targets int32 [B, L], mask float32 [B, L].
 * Ids that only pad the vocabulary take part in the softmax, as in the reference: the model learns to avoid them.
 */
export function nextTokenLoss(tf: TF, logits: Tensor3D, targets: Tensor2D, mask: Tensor2D): Scalar {
  return crossEntropySum(tf, logits, targets, mask);
}
