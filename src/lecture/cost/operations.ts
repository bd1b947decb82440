import { describe } from '../../model';
import { fullConfig, mambaConfig, mlpWidth, type FullNetConfig, type NetConfig } from '../nets';

/** Multiplications and additions of a forward pass, a token of a sequence of a given length. */
export interface NetOperations {
  /** All of them. */
  total: number;
  /** Those that link a token with those before it: scan, recurrence, attention's scores and weighted sum. */
  mixing: number;
}

/**
 * Counted from the sizes, a multiplication and an addition as two. Attention counts all L x L scores, for that is what
 * is computed; a mask only hides half of them. Norms, activations and the softmax's divisions are left out.
 */
export function netOperations(given: NetConfig, L: number): NetOperations {
  const config = fullConfig(given);
  const { mixer, d_model: D, n_layer, vocab_size: V } = config;
  const head = 2 * V * D;
  if (mixer === 'mamba1' || mixer === 'mamba2') {
    const { operationsPerToken, trainingOperationsPerToken } = describe(mambaConfig(config), { L });
    const total = trainingOperationsPerToken / 3;
    return { total, mixing: total - operationsPerToken.matrix - operationsPerToken.convolution };
  }
  const { weights, mixing } = perLayer(config, L);
  return { total: n_layer * (weights + mixing) + head, mixing: n_layer * mixing };
}

function perLayer(config: FullNetConfig, L: number): { weights: number; mixing: number } {
  const { mixer, d_model: D, d_hidden: H, d_state: N, d_conv: K, expand, nheads } = config;
  if (mixer === 'attention')
    return { weights: 2 * (4 * D * D + 2 * D * mlpWidth(config)), mixing: 4 * L * D + 3 * L * nheads };
  if (mixer === 'gru') return { weights: 2 * (3 * D * H + H * D), mixing: 6 * H * H };
  const E = expand * D;
  return { weights: 2 * (3 * D * E + E * K), mixing: 4 * E * N };
}
