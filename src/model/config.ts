import { NetssmError } from '../util';

/**
 * Model hyper-parameters under the names that config.json of the reference uses (state-spaces/mamba
 * `MambaConfig`), so that checkpoints travel both ways. snake_case on purpose.
 */
export interface MambaConfig {
  d_model: number;
  n_layer: number;
  /** Ids in use; the embedding has this rounded up to a multiple of `pad_vocab_size_multiple` rows. */
  vocab_size: number;
  ssm_cfg: {
    layer: 'Mamba2';
    d_state: number;
    d_conv: number;
    expand: number;
    headdim: number;
    ngroups: number;
    /** Tokens a block of the chunked (SSD) form; changes speed and memory, never the result. */
    chunk_size: number;
  };
  rms_norm: true;
  residual_in_fp32: true;
  fused_add_norm: boolean;
  pad_vocab_size_multiple: number;
  tie_embeddings: true;
}

/** Sizes that follow from a config. */
export interface DerivedSizes {
  d_inner: number;
  nheads: number;
  /** Channels of the causal convolution: x, B and C. */
  conv_dim: number;
  /** Rows of in_proj: z, x, B, C, dt. */
  d_in_proj: number;
  padded_vocab_size: number;
}

/** The small model of the demo (24 layers of width 768 in the paper). */
export const DEFAULT_CONFIG: MambaConfig = {
  d_model: 128,
  n_layer: 4,
  vocab_size: 264,
  ssm_cfg: { layer: 'Mamba2', d_state: 64, d_conv: 4, expand: 2, headdim: 64, ngroups: 1, chunk_size: 64 },
  rms_norm: true,
  residual_in_fp32: true,
  fused_add_norm: true,
  pad_vocab_size_multiple: 16,
  tie_embeddings: true,
};

export function derivedSizes(config: MambaConfig): DerivedSizes {
  const { d_state, expand, headdim, ngroups } = config.ssm_cfg;
  const d_inner = expand * config.d_model;
  const nheads = d_inner / headdim;
  const multiple = config.pad_vocab_size_multiple;
  return {
    d_inner,
    nheads,
    conv_dim: d_inner + 2 * ngroups * d_state,
    d_in_proj: 2 * d_inner + 2 * ngroups * d_state + nheads,
    padded_vocab_size: Math.ceil(config.vocab_size / multiple) * multiple,
  };
}

/** Every problem of a config at once. @throws NetssmError `config_invalid`. */
export function validateConfig(value: unknown): MambaConfig {
  const problems: string[] = [];
  const known = new Set(Object.keys(DEFAULT_CONFIG));
  const knownSsm = new Set(Object.keys(DEFAULT_CONFIG.ssm_cfg));
  const config = { ...DEFAULT_CONFIG, ...(value as Partial<MambaConfig>) };
  config.ssm_cfg = { ...DEFAULT_CONFIG.ssm_cfg, ...(value as Partial<MambaConfig>).ssm_cfg };
  for (const key of Object.keys(value as object)) if (!known.has(key)) problems.push(`unknown key "${key}"`);
  for (const key of Object.keys(config.ssm_cfg))
    if (!knownSsm.has(key)) problems.push(`unknown key "ssm_cfg.${key}"`);
  const positive = (name: string, n: unknown) => {
    if (!Number.isInteger(n) || (n as number) < 1)
      problems.push(`${name} must be a whole number of at least 1, not ${JSON.stringify(n)}`);
  };
  for (const key of ['d_model', 'n_layer', 'vocab_size', 'pad_vocab_size_multiple'] as const)
    positive(key, config[key]);
  for (const key of ['d_state', 'd_conv', 'expand', 'headdim', 'ngroups', 'chunk_size'] as const) {
    positive(`ssm_cfg.${key}`, config.ssm_cfg[key]);
  }
  if (config.ssm_cfg.layer !== 'Mamba2')
    problems.push(`ssm_cfg.layer must be "Mamba2", not ${JSON.stringify(config.ssm_cfg.layer)}`);
  if (!config.tie_embeddings) problems.push('tie_embeddings must be true');
  if (!config.rms_norm) problems.push('rms_norm must be true');
  const { d_inner, nheads } = derivedSizes(config);
  if (!Number.isInteger(nheads))
    problems.push(`expand * d_model (${d_inner}) must be a multiple of headdim (${config.ssm_cfg.headdim})`);
  if (Number.isInteger(nheads) && nheads % config.ssm_cfg.ngroups !== 0)
    problems.push(`ngroups must divide the ${nheads} heads`);
  if (problems.length > 0) {
    throw new NetssmError('config_invalid', `model config: ${problems.join('; ')}`, {
      hint: `Keys: ${[...known].join(', ')}; ssm_cfg: ${[...knownSsm].join(', ')}.`,
      exitCode: 2,
    });
  }
  return config;
}
