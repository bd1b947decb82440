import { formatBytes } from '../util';
import { derivedSizes, type MambaConfig } from './config';
import { parameterShapes } from './params';

/** One tensor in {@link describe}'s table. */
export interface TensorRow {
  name: string;
  shape: number[];
  parameters: number;
}

/** What a model of a config weighs, costs and remembers. */
export interface ModelDescription {
  tensors: TensorRow[];
  /** Numbers to be learnt; the tied head counts once. */
  parameters: number;
  /** Multiplications and additions of one token's forward pass in generation (step form). */
  operationsPerToken: {
    /** Matrix products with weights: in_proj, out_proj, head. */
    matrix: number;
    convolution: number;
    /** State update and read-out. */
    scan: number;
    total: number;
  };
  /** The same for a token of a training step: three times the forward pass in chunked form. */
  trainingOperationsPerToken: number;
  weightBytes: number;
  /** Recurrent state of one sequence, constant in its length. */
  stateBytes: number;
  /** What a training step keeps for its backward pass, about, at the given batch and length. */
  activationBytes: number;
  /** Batch and length that `activationBytes` is for. */
  B: number;
  L: number;
}

/**
 * Sizes and costs of a config, without building anything.
 *
 * Operations count a multiplication and an addition as two; norms, SiLU and softplus are left out (under 2 %).
 * @example
 * console.log(describeText(DEFAULT_CONFIG));
 */
export function describe(config: MambaConfig, { B = 1, L = 1024 } = {}): ModelDescription {
  const { d_model: D, n_layer } = config;
  const { d_state: N, d_conv: K, ngroups: G } = config.ssm_cfg;
  const Q = Math.min(config.ssm_cfg.chunk_size, L);
  const { d_inner, nheads: H, conv_dim, d_in_proj, padded_vocab_size: V } = derivedSizes(config);
  const tensors = parameterShapes(config).map(([name, shape]) => ({
    name,
    shape,
    parameters: shape.reduce((a, b) => a * b, 1),
  }));
  const parameters = tensors.reduce((sum, row) => sum + row.parameters, 0);
  const matrix = 2 * (n_layer * (d_in_proj * D + D * d_inner) + V * D);
  const convolution = 2 * n_layer * conv_dim * K;
  const scan = n_layer * d_inner * (3 * N + 2 * N); // decay h + input B: 3; h C: 2
  // Chunked: scores Q N a group, masked product Q d_inner, chunk state and read-out N d_inner each.
  const chunked = 2 * n_layer * (G * Q * N + Q * d_inner + 2 * N * d_inner);
  const stateNumbers = n_layer * (H * config.ssm_cfg.headdim * N + (K - 1) * conv_dim);
  // Kept a token and layer: residual and norm, in_proj's outputs, the convolution's, the operator's copies of x, its
  // decay and score matrices, gate, norm; and logits, softmax and their gradient once.
  const kept =
    n_layer *
      (3 * D +
        d_in_proj +
        4 * conv_dim +
        9 * d_inner +
        3 * H * Q +
        (2 * H * config.ssm_cfg.headdim * N) / Q) +
    4 * V;
  return {
    tensors,
    parameters,
    operationsPerToken: { matrix, convolution, scan, total: matrix + convolution + scan },
    trainingOperationsPerToken: 3 * (matrix + convolution + chunked),
    weightBytes: 4 * parameters,
    stateBytes: 4 * stateNumbers,
    activationBytes: 4 * kept * B * L,
    B,
    L,
  };
}

/** {@link describe} as a table of one screen, layers after the first left out. */
export function describeText(config: MambaConfig, at: { B?: number; L?: number } = {}): string {
  const d = describe(config, at);
  const number = (n: number) => n.toLocaleString('en');
  const shown = d.tensors.filter(({ name }) => !/layers\.[1-9]/.test(name));
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map(
    ({ name, shape, parameters }) =>
      `${name.padEnd(width)}  ${`[${shape}]`.padEnd(14)} ${number(parameters).padStart(12)}`,
  );
  if (config.n_layer > 1) lines.splice(-1, 0, `... ${config.n_layer - 1} more layers like layer 0`);
  const { matrix, convolution, scan, total } = d.operationsPerToken;
  return [
    ...lines,
    `${'parameters'.padEnd(width)}  ${formatBytes(d.weightBytes).padEnd(14)} ${number(d.parameters).padStart(12)}`,
    `operations a token, generating: ${number(total)} (matrix ${number(matrix)}, convolution ${number(convolution)}, scan ${number(scan)})`,
    `operations a token, training: ${number(d.trainingOperationsPerToken)}`,
    `state of a sequence: ${formatBytes(d.stateBytes)}; activations of a training step at B = ${d.B}, L = ${d.L}: about ${formatBytes(d.activationBytes)}`,
  ].join('\n');
}
