import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import {
  initWeights,
  type LayerState,
  type Mamba1Settings,
  type Mamba2Settings,
  type MambaConfig,
  type Weights,
} from '../../src/model';
import { Rng } from '../../src/util';
import type { TF } from '../../src/tensor';

export { engines } from '../tensor/presentEngines';

/** A model small enough to compare number by number; nothing in it is a power of two by accident. */
export function tinyConfig(changes: Partial<Mamba2Settings> & { n_layer?: number } = {}): MambaConfig {
  const { n_layer = 2, ...ssm } = changes;
  return {
    d_model: 24,
    n_layer,
    vocab_size: 37,
    ssm_cfg: {
      layer: 'Mamba2',
      d_state: 10,
      d_conv: 4,
      expand: 2,
      headdim: 12,
      ngroups: 1,
      chunk_size: 8,
      ...ssm,
    },
    rms_norm: true,
    residual_in_fp32: true,
    fused_add_norm: true,
    pad_vocab_size_multiple: 8,
    tie_embeddings: true,
  };
}

/** The same with Mamba-1 layers. */
export function tinyMamba1(changes: Partial<Mamba1Settings> & { n_layer?: number } = {}): MambaConfig {
  const { n_layer = 2, ...ssm } = changes;
  return {
    ...tinyConfig({ n_layer }),
    ssm_cfg: { layer: 'Mamba1', d_state: 10, d_conv: 4, expand: 2, dt_rank: 3, ...ssm },
  };
}

export function randomTokens(B: number, L: number, vocab: number, seed: number): Int32Array {
  const rng = new Rng(seed);
  return Int32Array.from({ length: B * L }, () => rng.int(vocab));
}

export function int2d(tf: TF, values: ArrayLike<number>, B: number, L: number): Tensor2D {
  return tf.tensor2d(Int32Array.from(values), [B, L], 'int32');
}

export function values(tensor: Tensor): Float32Array {
  return tensor.dataSync() as Float32Array;
}

export function stateValues(states: LayerState[]): number[] {
  return states.flatMap(({ conv, ssm }) => [...values(conv), ...values(ssm)]);
}

/** Fresh weights with every tensor moved away from its special value, so that no term can go missing unseen. */
export function livelyWeights(config: MambaConfig, seed = 1): Weights {
  const weights = initWeights(config, new Rng(seed));
  const rng = new Rng(seed + 100);
  for (const { data } of Object.values(weights))
    for (let i = 0; i < data.length; i++) data[i] += 0.2 * rng.normal();
  return weights;
}
