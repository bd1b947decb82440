import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { vectorJacobian, type TF } from '../tensor';
import { NetssmError } from '../util';
import type { MambaConfig } from './config';
import { disposeStates, forward, forwardStates, zeroStates } from './lm';
import { nextTokenLoss } from './loss';
import type { LayerState } from './layer';
import type { Params } from './params';

/** Options of {@link chunkedLossAndGradients}. */
export interface ChunkedOptions {
  /** Tokens whose activations are in memory at a time. Default: the whole row. */
  chunkLen?: number;
  /** Incoming states; taken as constants. Default: the beginning. They stay the caller's to dispose. */
  states?: LayerState[];
  /** int32 [B, L], 1 where a packed sequence begins. */
  starts?: Tensor2D;
  /** What the summed loss is divided by before differentiating. Default: the sum of the mask. */
  denominator?: number;
}

/** Result of {@link chunkedLossAndGradients}. The caller disposes `gradients` and `states`. */
export interface LossAndGradients {
  /** Sum of mask * cross-entropy, in nats. */
  lossSum: number;
  /** Sum of the mask. */
  count: number;
  /** lossSum / denominator: what `gradients` are the gradients of. */
  loss: number;
  /** One tensor for each parameter, same names and shapes. */
  gradients: Params;
  /** After the last token. */
  states: LayerState[];
}

/**
 * Loss and exact gradients of rows of any length in the memory of one chunk.
 *
 * The state is all that links a chunk to the next, so the chain rule can be walked a chunk at a time: forward once
 * keeping only the states between chunks, then from the last chunk to the first differentiate
 * loss_c + <states_out, g_out> with respect to the parameters and states_in, whose gradient is the g_out of the chunk
 * before. A row that fits one chunk is differentiated directly; more chunks cost one forward pass more.
 *
 * **Shapes**: tokens, targets int32 [B, L] (targets[b, t] is the token after tokens[b, t]), mask float32 [B, L].
 * @throws NetssmError `loss_shape` if the shapes differ.
 */
export function chunkedLossAndGradients(
  tf: TF,
  config: MambaConfig,
  params: Params,
  tokens: Tensor2D,
  targets: Tensor2D,
  mask: Tensor2D,
  { chunkLen, states, starts, denominator }: ChunkedOptions = {},
): LossAndGradients {
  const [B, L] = tokens.shape;
  for (const [name, tensor] of Object.entries({ targets, mask, ...(starts ? { starts } : {}) })) {
    if (tensor.shape.join() !== tokens.shape.join()) {
      throw new NetssmError('loss_shape', `${name} is [${tensor.shape}] but tokens is [${tokens.shape}]`);
    }
  }
  const count = tf.tidy(() => tf.sum(mask).dataSync()[0]);
  const divisor = denominator ?? Math.max(count, 1e-9);
  const step = Math.max(1, Math.min(chunkLen ?? L, L));
  const begins = Array.from({ length: Math.ceil(L / step) }, (_, i) => i * step);
  const chunk = (begin: number): Chunk => {
    const cut = (tensor: Tensor2D) =>
      begins.length === 1 ? tensor.clone() : tensor.slice([0, begin], [B, Math.min(step, L - begin)]);
    return { tokens: cut(tokens), targets: cut(targets), mask: cut(mask), starts: starts && cut(starts) };
  };

  // Forward: the states that each chunk begins with.
  const incoming: (LayerState[] | undefined)[] = [states];
  for (const begin of begins.slice(0, -1)) {
    const part = chunk(begin);
    const before = incoming[incoming.length - 1];
    incoming.push(forwardStates(tf, config, params, part.tokens, { states: before, starts: part.starts }));
    tf.dispose(Object.values(part).filter((t) => t !== undefined));
  }

  // Backward: from the last chunk to the first.
  let lossSum = 0;
  let gradients: Params | undefined;
  let final: LayerState[] | undefined;
  let gOut: LayerState[] | undefined;
  for (let c = begins.length - 1; c >= 0; c--) {
    const part = chunk(begins[c]);
    const before = c > 0 ? incoming[c] : states;
    const result = differentiate(tf, config, params, part, before, c > 0, gOut, divisor);
    lossSum += result.lossSum;
    tf.dispose(Object.values(part).filter((t) => t !== undefined));
    if (c > 0) disposeStates(before as LayerState[]);
    if (gOut) disposeStates(gOut);
    gOut = result.gIn;
    if (final) disposeStates(result.states);
    else final = result.states;
    gradients = gradients ? addInto(tf, gradients, result.gradients) : result.gradients;
  }
  return {
    lossSum,
    count,
    loss: lossSum / divisor,
    gradients: gradients as Params,
    states: final ?? zeroStates(tf, config, B),
  };
}

interface Chunk {
  tokens: Tensor2D;
  targets: Tensor2D;
  mask: Tensor2D;
  starts?: Tensor2D;
}

/** One chunk: gradients of loss / divisor + <states after, gOut> for the parameters and, if asked, the states before. */
function differentiate(
  tf: TF,
  config: MambaConfig,
  params: Params,
  { tokens, targets, mask, starts }: Chunk,
  before: LayerState[] | undefined,
  wantStateGradients: boolean,
  gOut: LayerState[] | undefined,
  divisor: number,
): { lossSum: number; gradients: Params; gIn?: LayerState[]; states: LayerState[] } {
  const names = Object.keys(params);
  const stateInputs = wantStateGradients && before ? before.flatMap(({ conv, ssm }) => [conv, ssm]) : [];
  const inputs = [...names.map((name) => params[name]), ...stateInputs];
  const { outputs, gradients: grads } = vectorJacobian(
    tf,
    () => {
      const { logits, states } = forward(tf, config, params, tokens, { states: before, starts });
      const loss = nextTokenLoss(tf, logits, targets, mask);
      return [
        { output: loss, gradient: tf.scalar(1 / divisor) },
        ...states.flatMap(({ conv, ssm }, i) => [
          { output: conv, gradient: gOut?.[i].conv },
          { output: ssm, gradient: gOut?.[i].ssm },
        ]),
      ];
    },
    inputs,
  );
  const [loss, ...after] = outputs;
  const lossSum = loss.dataSync()[0];
  loss.dispose();
  const gradients = Object.fromEntries(names.map((name, i) => [name, grads[i]]));
  const gIn = stateInputs.length > 0 ? pairs(grads.slice(names.length)) : undefined;
  return { lossSum, gradients, gIn, states: pairs(after) };
}

/** [conv, ssm, conv, ssm ...] as states. */
function pairs(tensors: readonly Tensor[]): LayerState[] {
  return Array.from(
    { length: tensors.length / 2 },
    (_, i) => ({ conv: tensors[2 * i], ssm: tensors[2 * i + 1] }) as LayerState,
  );
}

/** a + b, disposing both. */
function addInto(tf: TF, a: Params, b: Params): Params {
  return Object.fromEntries(
    Object.keys(a).map((name) => {
      const sum = tf.add(a[name], b[name]);
      tf.dispose([a[name], b[name]]);
      return [name, sum];
    }),
  );
}
