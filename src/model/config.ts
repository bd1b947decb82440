import { NetssmError } from '../util';

/** Hyper-parameters of a Mamba-1 layer, as the reference's `Mamba` class names them. */
export interface Mamba1Settings {
  layer: 'Mamba1';
  d_state: number;
  d_conv: number;
  expand: number;
  /** Width of the step size's bottleneck; "auto" is ceil(d_model / 16). */
  dt_rank: number | 'auto';
}

/** Hyper-parameters of a Mamba-2 layer, as the reference's `Mamba2` class names them. */
export interface Mamba2Settings {
  layer: 'Mamba2';
  d_state: number;
  d_conv: number;
  expand: number;
  headdim: number;
  ngroups: number;
  /** Tokens a block of the chunked (SSD) form; changes speed and memory, never the result. */
  chunk_size: number;
}

/**
 * Model hyper-parameters under the names that config.json of the reference uses (state-spaces/mamba
 * `MambaConfig`), so that checkpoints travel both ways. snake_case on purpose.
 */
export interface MambaConfig {
  d_model: number;
  n_layer: number;
  /** Ids in use; the embedding has this rounded up to a multiple of `pad_vocab_size_multiple` rows. */
  vocab_size: number;
  /** `layer` tells which. */
  ssm_cfg: Mamba1Settings | Mamba2Settings;
  rms_norm: true;
  residual_in_fp32: true;
  fused_add_norm: boolean;
  pad_vocab_size_multiple: number;
  tie_embeddings: true;
  /**
   * Reads the sequence's label again in the place of every `<|pkt|>` (netssm/tokens, labelReading.ts). Not one of the
   * reference's keys; absent: as the reference, the label is read once.
   */
  label_every_packet?: boolean;
}

/** Sizes that follow from a config. */
export interface DerivedSizes {
  d_inner: number;
  /** Channel groups with a step size of their own; in Mamba-1 every channel has one. */
  nheads: number;
  /** Mamba-1: width of the step size's bottleneck. Mamba-2 has none: 0. */
  dt_rank: number;
  /** Channels of the causal convolution: x, and in Mamba-2 also B and C. */
  conv_dim: number;
  /** Rows of in_proj: x, z (Mamba-1); z, x, B, C, dt (Mamba-2). */
  d_in_proj: number;
  padded_vocab_size: number;
}

const DEFAULT_MAMBA2: Mamba2Settings = {
  layer: 'Mamba2',
  d_state: 64,
  d_conv: 4,
  expand: 2,
  headdim: 64,
  ngroups: 1,
  chunk_size: 64,
};

/** What a layer of each type has where a config says nothing. Mamba-1's are the reference's. */
export const DEFAULT_SSM: Readonly<{ Mamba1: Mamba1Settings; Mamba2: Mamba2Settings }> = {
  Mamba1: { layer: 'Mamba1', d_state: 16, d_conv: 4, expand: 2, dt_rank: 'auto' },
  Mamba2: DEFAULT_MAMBA2,
};

/** The small model of the demo (24 layers of width 768 in the paper). */
export const DEFAULT_CONFIG: MambaConfig = {
  d_model: 128,
  n_layer: 4,
  vocab_size: 264,
  ssm_cfg: DEFAULT_MAMBA2,
  rms_norm: true,
  residual_in_fp32: true,
  fused_add_norm: true,
  pad_vocab_size_multiple: 16,
  tie_embeddings: true,
};

export function derivedSizes(config: MambaConfig): DerivedSizes {
  const { d_state, expand } = config.ssm_cfg;
  const d_inner = expand * config.d_model;
  const multiple = config.pad_vocab_size_multiple;
  const padded_vocab_size = Math.ceil(config.vocab_size / multiple) * multiple;
  if (config.ssm_cfg.layer === 'Mamba1') {
    const rank = config.ssm_cfg.dt_rank;
    const dt_rank = rank === 'auto' ? Math.ceil(config.d_model / 16) : rank;
    return {
      d_inner,
      nheads: d_inner,
      dt_rank,
      conv_dim: d_inner,
      d_in_proj: 2 * d_inner,
      padded_vocab_size,
    };
  }
  const { headdim, ngroups } = config.ssm_cfg;
  const nheads = d_inner / headdim;
  const conv_dim = d_inner + 2 * ngroups * d_state;
  return { d_inner, nheads, dt_rank: 0, conv_dim, d_in_proj: d_inner + conv_dim + nheads, padded_vocab_size };
}

/** Shapes of one sequence's state in a layer: the convolution's inputs, and h. */
export function stateShapes(config: MambaConfig): { conv: number[]; ssm: number[] } {
  const { d_conv, d_state } = config.ssm_cfg;
  const { d_inner, nheads, conv_dim } = derivedSizes(config);
  const conv = [d_conv - 1, conv_dim];
  if (config.ssm_cfg.layer === 'Mamba1') return { conv, ssm: [d_inner, d_state] };
  return { conv, ssm: [nheads, config.ssm_cfg.headdim, d_state] };
}

/** The layer settings of a Mamba-2 config. @throws NetssmError `config_invalid` for another layer. */
export function mamba2Settings(config: MambaConfig): Mamba2Settings {
  if (config.ssm_cfg.layer === 'Mamba2') return config.ssm_cfg;
  throw new NetssmError(
    'config_invalid',
    `ssm_cfg.layer is "${config.ssm_cfg.layer}" where "Mamba2" is needed`,
  );
}

/** Every problem of a config at once. @throws NetssmError `config_invalid`. */
export function validateConfig(value: unknown): MambaConfig {
  const problems: string[] = [];
  const given = (value ?? {}) as Partial<MambaConfig>;
  const layer: string = given.ssm_cfg?.layer ?? DEFAULT_CONFIG.ssm_cfg.layer;
  if (!Object.hasOwn(DEFAULT_SSM, layer))
    problems.push(`ssm_cfg.layer must be "Mamba1" or "Mamba2", not ${JSON.stringify(layer)}`);
  const defaults = DEFAULT_SSM[layer as keyof typeof DEFAULT_SSM] ?? DEFAULT_MAMBA2;
  const known = new Set([...Object.keys(DEFAULT_CONFIG), 'label_every_packet']);
  const knownSsm = new Set(Object.keys(defaults));
  const config = { ...DEFAULT_CONFIG, ...given };
  const ssm = { ...defaults, ...given.ssm_cfg } as MambaConfig['ssm_cfg'];
  config.ssm_cfg = ssm;
  for (const key of Object.keys(given)) if (!known.has(key)) problems.push(`unknown key "${key}"`);
  for (const key of Object.keys(ssm)) {
    if (knownSsm.has(key)) continue;
    const other = Object.entries(DEFAULT_SSM).find(([, settings]) => Object.hasOwn(settings, key));
    problems.push(`unknown key "ssm_cfg.${key}"${other ? ` (it belongs to ${other[0]})` : ''}`);
  }
  const positive = (name: string, n: unknown) => {
    if (!Number.isInteger(n) || (n as number) < 1)
      problems.push(`${name} must be a whole number of at least 1, not ${JSON.stringify(n)}`);
  };
  for (const key of ['d_model', 'n_layer', 'vocab_size', 'pad_vocab_size_multiple'] as const)
    positive(key, config[key]);
  for (const [key, n] of Object.entries(ssm))
    if (key !== 'layer' && knownSsm.has(key) && !(key === 'dt_rank' && n === 'auto'))
      positive(`ssm_cfg.${key}`, n);
  if (!['undefined', 'boolean'].includes(typeof config.label_every_packet))
    problems.push('label_every_packet must be true or false');
  if (!config.label_every_packet) delete config.label_every_packet;
  if (!config.tie_embeddings) problems.push('tie_embeddings must be true');
  if (!config.rms_norm) problems.push('rms_norm must be true');
  if (ssm.layer === 'Mamba2') {
    const { d_inner, nheads } = derivedSizes(config);
    if (!Number.isInteger(nheads))
      problems.push(`expand * d_model (${d_inner}) must be a multiple of headdim (${ssm.headdim})`);
    if (Number.isInteger(nheads) && nheads % ssm.ngroups !== 0)
      problems.push(`ngroups must divide the ${nheads} heads`);
  }
  if (problems.length > 0) {
    throw new NetssmError('config_invalid', `model config: ${problems.join('; ')}`, {
      hint: `Keys: ${[...known].join(', ')}; ssm_cfg: ${[...knownSsm].join(', ')}.`,
      exitCode: 2,
    });
  }
  return config;
}
