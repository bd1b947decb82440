import { scanChunk } from '../tensor';
import { formatBytes } from '../util';
import { derivedSizes, stateShapes, type MambaConfig } from './config';
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
    /** Matrix products with weights: in_proj, x_proj, dt_proj, out_proj, head. */
    matrix: number;
    convolution: number;
    /** State update and read-out. */
    scan: number;
    total: number;
  };
  /** The same for a token of a training step: three times the forward pass, the operator over all tokens at once. */
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
  const { d_state: N, d_conv: K } = config.ssm_cfg;
  const { d_inner, conv_dim, d_in_proj, dt_rank: R, padded_vocab_size: V } = derivedSizes(config);
  const tensors = parameterShapes(config).map(([name, shape]) => ({
    name,
    shape,
    parameters: shape.reduce((a, b) => a * b, 1),
  }));
  const parameters = tensors.reduce((sum, row) => sum + row.parameters, 0);
  const one = config.ssm_cfg.layer === 'Mamba1';
  const selection = one ? (R + 2 * N) * d_inner + d_inner * R : 0; // x_proj, dt_proj
  const matrix = 2 * (n_layer * (d_in_proj * D + selection + D * d_inner) + V * D);
  const convolution = 2 * n_layer * conv_dim * K;
  // decay h + input B: 3; h C: 2; Mamba-1 has a decay for every number: dt A and an exponential, 2.
  const scan = n_layer * d_inner * N * (one ? 7 : 5);
  const shapes = stateShapes(config);
  const stateNumbers = n_layer * [shapes.conv, shapes.ssm].reduce((sum, [a, b, c = 1]) => sum + a * b * c, 0);
  const parallel = parallelForm(config, L);
  // Kept a token and layer: residual and norm, in_proj's outputs, the convolution's; then the operator's.
  const kept = n_layer * (3 * D + d_in_proj + 4 * conv_dim + parallel.kept) + 4 * V;
  return {
    tensors,
    parameters,
    operationsPerToken: { matrix, convolution, scan, total: matrix + convolution + scan },
    trainingOperationsPerToken: 3 * (matrix + convolution + n_layer * parallel.operations),
    weightBytes: 4 * parameters,
    stateBytes: 4 * stateNumbers,
    activationBytes: 4 * kept * B * L,
    B,
    L,
  };
}

/** Operations of the operator over L tokens at once, and numbers kept for its gradient, for a token and layer. */
function parallelForm(config: MambaConfig, L: number): { operations: number; kept: number } {
  const { d_inner, nheads: H } = derivedSizes(config);
  const { d_state: N } = config.ssm_cfg;
  if (config.ssm_cfg.layer === 'Mamba1') {
    // The fused scan: selection, step size, gate, and states every scanChunk(N) tokens.
    return { operations: 7 * N * d_inner, kept: (5 + N / scanChunk(N)) * d_inner };
  }
  const { headdim, ngroups: G, chunk_size } = config.ssm_cfg;
  const Q = Math.min(chunk_size, L);
  // Chunked: scores Q N a group, masked product Q d_inner, chunk state and read-out N d_inner each;
  // kept are the operator's copies of x, its decay and score matrices, gate and norm.
  return {
    operations: 2 * (G * Q * N + Q * d_inner + 2 * N * d_inner),
    kept: 9 * d_inner + 3 * H * Q + (2 * H * headdim * N) / Q,
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
