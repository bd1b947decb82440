import type { Tensor3D } from '@tensorflow/tfjs';
import { crossEntropySum, valuesOf, vectorJacobian, type TF } from '../../tensor';
import { AdamW } from '../../train';
import { Rng } from '../../util';
import { attentionTables } from '../nets/attention';
import type { SequenceNet } from '../nets';
import type { CostedWork } from './measure';

/** A row of random tokens: [1, length]. */
function randomRow(net: SequenceNet, length: number): Int32Array {
  const rng = new Rng(`cost/${length}`);
  return Int32Array.from({ length }, () => rng.int(net.config.vocab_size));
}

/** One sequence through the net, to its logits. */
export function forwardWork(net: SequenceNet): (length: number) => CostedWork {
  const { tf } = net;
  return (length) => {
    const tokens = tf.tensor2d(randomRow(net, length), [1, length], 'int32');
    return {
      run() {
        const logits = net.forward(tokens);
        valuesOf(tf, logits);
        logits.dispose();
      },
      dispose: () => tokens.dispose(),
    };
  };
}

/** One update on one sequence: forward, backward, AdamW. The net's weights move (a little). */
export function trainingWork(net: SequenceNet): (length: number) => CostedWork {
  const { tf } = net;
  const optimizer = new AdamW(net.weights);
  return (length) => {
    const row = randomRow(net, length + 1);
    const tokens = tf.tensor2d(row.slice(0, -1), [1, length], 'int32');
    const targets = tf.tensor2d(row.slice(1), [1, length], 'int32');
    const mask = tf.ones([1, length]);
    const names = Object.keys(net.weights);
    return {
      run() {
        const inputs = names.map((name) => net.params[name]);
        const { outputs, gradients } = vectorJacobian(
          tf,
          () => {
            const loss = crossEntropySum(tf, net.forward(tokens), targets, mask);
            return [{ output: loss, gradient: tf.scalar(1 / length) }];
          },
          inputs,
        );
        const arrays = Object.fromEntries(names.map((name, i) => [name, valuesOf(tf, gradients[i])]));
        optimizer.clippedStep(arrays, 1e-5, 1);
        tf.dispose([...outputs, ...gradients]);
        net.refresh();
      },
      dispose: () => tf.dispose([tokens, targets, mask]),
    };
  };
}

/** Sizes of the attention that {@link attentionWork} runs. */
export interface AttentionSizes {
  /** Width of the model. */
  d_model: number;
  nheads: number;
}

/**
 * What attention does to keys, queries and values that are there: scores of every token with every token before, softmax,
 * weighted sum. Without the projections around it, whose cost is linear in the length.
 */
export function attentionWork(tf: TF, { d_model, nheads }: AttentionSizes): (length: number) => CostedWork {
  const P = d_model / nheads;
  return (length) => {
    const [q, k, v] = [1, 2, 3].map(
      (seed) => tf.randomNormal([nheads, length, P], 0, 1, 'float32', seed) as Tensor3D,
    );
    const mask = tf.tidy(() => attentionTables(tf, length, P).mask);
    return {
      run() {
        // What is not needed any more goes at once: never more than two L x L tensors.
        const scaled = tf.mul(q, 1 / Math.sqrt(P)) as Tensor3D;
        const scores = tf.matMul(scaled, k, false, true); // [H, L, L]
        const masked = tf.add(scores, mask);
        tf.dispose([scaled, scores]);
        const weights = tf.softmax(masked) as Tensor3D;
        masked.dispose();
        const y = tf.matMul(weights, v); // [H, L, P]
        weights.dispose();
        valuesOf(tf, y);
        y.dispose();
      },
      dispose: () => tf.dispose([q, k, v, mask]),
    };
  };
}
