import { validateConfig, type MambaConfig } from '../../model';
import { NetssmError } from '../../util';

/**
 * What mixes a token with those before it: the two Mambas; `lti`, Mamba-1's block around a state space whose step size,
 * B and C are constants; a GRU; causal attention with its MLP.
 */
export type MixerName = 'mamba1' | 'mamba2' | 'lti' | 'gru' | 'attention';

/** All of them. */
export const MIXERS: readonly MixerName[] = ['mamba1', 'mamba2', 'lti', 'gru', 'attention'];

/** Sizes of a comparison model. What a mixer has no use for is ignored. */
export interface NetConfig {
  mixer: MixerName;
  /** Ids in use; here nothing is padded, so that logits are [.., vocab_size]. */
  vocab_size: number;
  /** Width of the residual stream. */
  d_model: number;
  n_layer: number;
  /** mamba1, mamba2, lti: numbers that a channel remembers. Default 16, mamba2 64. */
  d_state?: number;
  /** mamba1, mamba2, lti: channels of the operator by d_model. Default 2. */
  expand?: number;
  /** mamba1, mamba2, lti: taps of the short convolution. Default 4. */
  d_conv?: number;
  /** mamba2: step sizes a layer (default: one for 64 channels); attention: heads (default: one for 32 channels). */
  nheads?: number;
  /** attention: hidden units of the MLP by d_model, a fraction too. Default 4. */
  mlp_ratio?: number;
  /** gru: numbers in the state. Default d_model. */
  d_hidden?: number;
}

/** A config with every default filled in. */
export type FullNetConfig = Required<NetConfig>;

/**
 * The config with its defaults, checked.
 * @throws NetssmError `net_config` with all that is wrong.
 */
export function fullConfig(given: NetConfig): FullNetConfig {
  const { mixer, d_model, expand = 2 } = given;
  const config: FullNetConfig = {
    d_state: mixer === 'mamba2' ? 64 : 16,
    d_conv: 4,
    nheads: Math.max(1, Math.round(mixer === 'mamba2' ? (expand * d_model) / 64 : d_model / 32)),
    mlp_ratio: 4,
    d_hidden: d_model,
    ...withoutUndefined(given),
    expand,
  };
  const problems: string[] = [];
  if (!MIXERS.includes(mixer)) problems.push(`mixer is ${JSON.stringify(mixer)}, not ${MIXERS.join(', ')}`);
  for (const key of [
    'vocab_size',
    'd_model',
    'n_layer',
    'd_state',
    'expand',
    'd_conv',
    'nheads',
    'd_hidden',
  ] as const)
    if (!Number.isInteger(config[key]) || config[key] < 1)
      problems.push(`${key} is ${config[key]}, not a whole number of at least 1`);
  if (!(mlpWidth(config) >= 1)) problems.push(`mlp_ratio ${config.mlp_ratio} leaves the MLP no unit`);
  const split = mixer === 'mamba2' ? expand * d_model : d_model;
  if (mixer === 'mamba2' && split % config.nheads !== 0)
    problems.push(`${config.nheads} heads do not divide expand * d_model = ${split}`);
  if (mixer === 'attention' && split % (2 * config.nheads) !== 0)
    problems.push(`d_model ${split} is no even number of channels for each of ${config.nheads} heads`);
  if (problems.length > 0) {
    throw new NetssmError('net_config', `comparison model: ${problems.join('; ')}`, {
      hint: 'Sizes that always work: d_model 64, n_layer 2 and no others.',
      exitCode: 2,
    });
  }
  return config;
}

function withoutUndefined(config: NetConfig): NetConfig {
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== undefined),
  ) as unknown as NetConfig;
}

/** Hidden units of the attention block's MLP. */
export function mlpWidth({ mlp_ratio, d_model }: FullNetConfig): number {
  return Math.round(mlp_ratio * d_model);
}

/** The config under which `src/model` knows a Mamba net; for `lti` that of the Mamba-1 whose block it shares. */
export function mambaConfig(config: FullNetConfig): MambaConfig {
  const { vocab_size, d_model, n_layer, d_state, expand, d_conv, nheads, mixer } = config;
  return validateConfig({
    vocab_size,
    d_model,
    n_layer,
    pad_vocab_size_multiple: 1,
    ssm_cfg:
      mixer === 'mamba2'
        ? {
            layer: 'Mamba2',
            d_state,
            d_conv,
            expand,
            headdim: (expand * d_model) / nheads,
            ngroups: 1,
            chunk_size: 64,
          }
        : { layer: 'Mamba1', d_state, d_conv, expand, dt_rank: 'auto' },
  });
}
