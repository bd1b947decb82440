import { parameterShapes } from '../../model';
import { NetssmError } from '../../util';
import {
  fullConfig,
  mambaConfig,
  mlpWidth,
  type FullNetConfig,
  type MixerName,
  type NetConfig,
} from './config';

type Shapes = [name: string, shape: number[]][];

/** Name and shape of every tensor of a net, in the order of the network. The head is the embedding again. */
export function netShapes(given: NetConfig): Shapes {
  const config = fullConfig(given);
  const { mixer, d_model: D, n_layer, vocab_size } = config;
  if (mixer === 'mamba1' || mixer === 'mamba2') return parameterShapes(mambaConfig(config));
  const layer = { lti: ltiShapes, gru: gruShapes, attention: attentionShapes }[mixer](config);
  return [
    ['backbone.embedding.weight', [vocab_size, D]],
    ...Array.from({ length: n_layer }, (_, i) =>
      layer.map(([name, shape]): Shapes[0] => [`backbone.layers.${i}.${name}`, shape]),
    ).flat(),
    ['backbone.norm_f.weight', [D]],
  ];
}

function ltiShapes({ d_model: D, expand, d_state: N, d_conv }: FullNetConfig): Shapes {
  const E = expand * D;
  return [
    ['norm.weight', [D]],
    ['mixer.in_proj.weight', [2 * E, D]],
    ['mixer.conv1d.weight', [E, 1, d_conv]],
    ['mixer.conv1d.bias', [E]],
    ['mixer.log_dt', [E]],
    ['mixer.A_log', [E, N]],
    ['mixer.B', [E, N]],
    ['mixer.C', [E, N]],
    ['mixer.D', [E]],
    ['mixer.out_proj.weight', [D, E]],
  ];
}

function gruShapes({ d_model: D, d_hidden: H }: FullNetConfig): Shapes {
  return [
    ['norm.weight', [D]],
    ['mixer.kernel', [D, 3 * H]],
    ['mixer.recurrent', [H, 3 * H]],
    ['mixer.bias', [3 * H]],
    ['mixer.out_proj.weight', [D, H]],
  ];
}

function attentionShapes(config: FullNetConfig): Shapes {
  const D = config.d_model;
  const M = mlpWidth(config);
  return [
    ['norm.weight', [D]],
    ['mixer.in_proj.weight', [3 * D, D]],
    ['mixer.out_proj.weight', [D, D]],
    ['norm2.weight', [D]],
    ['mlp.fc1.weight', [M, D]],
    ['mlp.fc2.weight', [D, M]],
  ];
}

/** Numbers to be learnt. */
export function countParameters(config: NetConfig): number {
  return netShapes(config).reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Which size a mixer can change without touching width and depth, and in which steps. */
const KNOB: Record<MixerName, (config: NetConfig, k: number) => NetConfig> = {
  mamba1: (config, k) => ({ ...config, d_state: k }),
  mamba2: (config, k) => ({ ...config, d_state: k }),
  lti: (config, k) => ({ ...config, d_state: k }),
  gru: (config, k) => ({ ...config, d_hidden: k }),
  attention: (config, k) => ({ ...config, mlp_ratio: k / config.d_model }),
};

/**
 * A net with another mixer, the same width, depth and vocabulary, and as nearly as possible as many parameters: by the
 * size of the state (mamba1, mamba2, lti, gru) or of the MLP (attention).
 *
 * `lti` beside `mamba1` gets a larger state than Mamba for the projections that it does not have.
 * @throws NetssmError `net_size` where the nearest differs by more than 1 %.
 * @example
 * const mamba = { mixer: 'mamba1', vocab_size: 18, d_model: 64, n_layer: 2 } as const;
 * const rival = equalParameters(mamba, 'attention');
 */
export function equalParameters(config: NetConfig, mixer: MixerName): FullNetConfig {
  const own = fullConfig(config);
  if (mixer === own.mixer) return own;
  const target = countParameters(own);
  const { vocab_size, d_model, n_layer, expand, d_conv } = own;
  const base: NetConfig = { mixer, vocab_size, d_model, n_layer, expand, d_conv };
  const difference = (k: number) => countParameters(KNOB[mixer](base, k)) - target;
  let k = 1;
  while (difference(k) < 0) k++;
  if (k > 1 && -difference(k - 1) < difference(k)) k--;
  const off = Math.abs(difference(k)) / target;
  if (off > 0.01) {
    const count = (target + difference(k)).toLocaleString('en');
    throw new NetssmError(
      'net_size',
      `no ${mixer} of width ${d_model} has ${target.toLocaleString('en')} parameters (1 %): the nearest has ${count}`,
      {
        hint: 'Make the smaller side larger: d_state, mlp_ratio or d_hidden of the config given, or d_model of both.',
      },
    );
  }
  return fullConfig(KNOB[mixer](base, k));
}
