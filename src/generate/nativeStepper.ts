import type { MambaConfig, Weights } from '../model';
import type { Addon, NativeDecoder } from '../tensor/native';
import { readWithLabel } from '../tokens';
import { NetssmError } from '../util';
import type { Stepper } from './stepper';

/** How the decoder keeps its matrices. Sums are float32 in all of them; embeddings, norms and states too. */
export type WeightFormat = 'float32' | 'bf16' | 'int8';

export const WEIGHT_FORMATS: readonly WeightFormat[] = ['float32', 'bf16', 'int8'];

/** What the model remembers of one sequence. Copies share their numbers until one of them reads a token. */
export interface NativeState {
  numbers: { data: Float32Array; holders: number };
  /** The sequence's label, for models that read it at every packet. */
  label?: number;
}

/** Sequences in one call, and tokens of all of them together: limits of the library. */
const MOST_SEQUENCES = 64;
/** Tokens of a prompt in one call. More do not make its products faster. */
const PREFILL_RUN = 96;

/**
 * A Mamba model that the native library runs, whole tokens through all layers in one call. Same numbers as `StepModel`
 * within rounding. A sequence's numbers are bit for bit the same alone and among others, token by token and in runs,
 * with any number of threads; another instruction set rounds differently.
 */
export class NativeStepper implements Stepper<NativeState> {
  readonly vocabSize: number;
  readonly mostSequences = MOST_SEQUENCES;
  /** Numbers of states that nobody holds any more. */
  private readonly free: Float32Array[] = [];
  private readonly token = new Int32Array(MOST_SEQUENCES);
  private readonly readsLabel: boolean;
  private readonly one: { from: Float32Array[]; to: Float32Array[]; logits: Float32Array[] };

  /** `parallel`: share a call among the library's threads where the model is large enough for that. */
  constructor(
    private readonly library: Addon,
    private readonly decoder: NativeDecoder,
    config: MambaConfig,
    private readonly parallel = true,
  ) {
    this.readsLabel = config.label_every_packet ?? false;
    const multiple = config.pad_vocab_size_multiple;
    this.vocabSize = Math.ceil(config.vocab_size / multiple) * multiple;
    const none = new Float32Array(0);
    this.one = { from: [none], to: [none], logits: [none] };
  }

  /** By this number another thread of the process finds the same packed weights: {@link attachStepper}. */
  get id(): number {
    return this.decoder.id;
  }

  /** Of the packed weights, and of one state. */
  get bytes(): { weights: number; state: number } {
    return { weights: this.decoder.bytes, state: 4 * this.decoder.stateLength };
  }

  newState(): NativeState {
    const data = this.takeNumbers();
    data.fill(0);
    return { numbers: { data, holders: 1 } };
  }

  copyState(state: NativeState): NativeState {
    state.numbers.holders++;
    return { numbers: state.numbers, label: state.label };
  }

  copyStateInto(from: NativeState, to: NativeState): void {
    to.label = from.label;
    if (from.numbers === to.numbers) return;
    this.release(to);
    from.numbers.holders++;
    to.numbers = from.numbers;
  }

  /** The numbers of a state, to be kept in a file or sent elsewhere: {@link restoreState}. */
  saveState(state: NativeState): Float32Array {
    return state.numbers.data.slice();
  }

  /**
   * A state from what {@link saveState} gave, by a stepper of the same model and instruction set, in this process or
   * another: the sequence goes on with the same bits.
   *
   * @throws NetssmError `state_mismatch` where it is not as long as this model's states.
   */
  restoreState(numbers: Float32Array): NativeState {
    if (numbers.length !== this.decoder.stateLength)
      throw new NetssmError(
        'state_mismatch',
        `a saved state holds ${numbers.length} numbers, this model's ${this.decoder.stateLength}`,
        { hint: 'Use the model that wrote it, on a processor with the same instruction set.' },
      );
    const data = this.takeNumbers();
    data.set(numbers);
    return { numbers: { data, holders: 1 } };
  }

  step(state: NativeState, token: number, logits: Float32Array): void {
    const { from, to, logits: scores } = this.one;
    this.token[0] = this.checked(state, token);
    from[0] = state.numbers.data;
    to[0] = this.target(state);
    scores[0] = logits;
    this.decoder.run(this.token, 1, from, to, scores, this.parallel);
  }

  /** A token of each of several sequences; `logits[i]` are those after `tokens[i]`. */
  stepMany(states: readonly NativeState[], tokens: readonly number[], logits: readonly Float32Array[]): void {
    for (let at = 0; at < states.length; at += MOST_SEQUENCES) {
      const end = Math.min(states.length, at + MOST_SEQUENCES);
      const some = states.slice(at, end);
      tokens.slice(at, end).forEach((token, i) => (this.token[i] = this.checked(some[i], token)));
      const from = some.map((state) => state.numbers.data);
      const to = some.map((state) => this.target(state));
      this.decoder.run(this.token, 1, from, to, logits.slice(at, end), this.parallel);
    }
  }

  prefill(state: NativeState, tokens: ArrayLike<number>, logits?: Float32Array): void {
    for (let at = 0; at < tokens.length; at += PREFILL_RUN) {
      const n = Math.min(PREFILL_RUN, tokens.length - at);
      const run = Int32Array.from({ length: n }, (_, i) => this.checked(state, tokens[at + i]));
      const from = [state.numbers.data];
      const scores = [at + n === tokens.length && logits ? logits : null];
      this.decoder.run(run, n, from, [this.target(state)], scores, this.parallel);
    }
  }

  /** Where a state's next numbers go: its own place, or a new one while others still hold the old. */
  private target(state: NativeState): Float32Array {
    if (state.numbers.holders > 1) {
      state.numbers.holders--;
      state.numbers = { data: this.takeNumbers(), holders: 1 };
    }
    return state.numbers.data;
  }

  private release(state: NativeState): void {
    if (--state.numbers.holders === 0 && this.free.length < MOST_SEQUENCES)
      this.free.push(state.numbers.data);
  }

  /** Numbers of a state, at the beginning of a cache line. */
  private takeNumbers(): Float32Array {
    const free = this.free.pop();
    if (free) return free;
    const n = this.decoder.stateLength;
    const all = new Float32Array(n + 16);
    const skip = (64 - this.library.misalignment(all)) % 64;
    return all.subarray(skip / 4, skip / 4 + n);
  }

  /** The id that the model reads. */
  private checked(state: NativeState, token: number): number {
    if (token >= 0 && token < this.vocabSize) return this.readsLabel ? readWithLabel(state, token) : token;
    throw new NetssmError('token_out_of_range', `token ${token} is not in 0..${this.vocabSize - 1}`, {
      hint: 'The tokens and the model must come from the same vocabulary (tokenizer.json).',
    });
  }
}

/** Packs a model for the library. @throws NetssmError `weights_mismatch`; RangeError where memory is short. */
export async function packStepper(
  library: Addon,
  config: MambaConfig,
  weights: Weights,
  options: { format?: WeightFormat; parallel?: boolean } = {},
): Promise<NativeStepper> {
  const { checkWeights, derivedSizes, parameterShapes } = await import('../model/index.js');
  checkWeights(config, weights, 'the decoder');
  const format = WEIGHT_FORMATS.indexOf(options.format ?? 'float32');
  if (format < 0)
    throw new NetssmError('weight_format_unknown', `there is no weight format "${options.format}"`, {
      hint: `Formats: ${WEIGHT_FORMATS.join(', ')}.`,
      exitCode: 2,
    });
  const { d_inner, nheads, dt_rank, padded_vocab_size } = derivedSizes(config);
  const { layer, d_state, d_conv } = config.ssm_cfg;
  const ngroups = config.ssm_cfg.layer === 'Mamba2' ? config.ssm_cfg.ngroups : 1;
  const { d_model, n_layer } = config;
  const sizes = [
    layer === 'Mamba1' ? 1 : 2,
    format,
    d_model,
    n_layer,
    padded_vocab_size,
    d_inner,
    d_state,
    d_conv,
    nheads,
    ngroups,
    dt_rank,
  ];
  // The library's order: embedding and last norm, then layer by layer as the network has them.
  const names = parameterShapes(config).map(([name]) => name);
  const order = [
    'backbone.embedding.weight',
    'backbone.norm_f.weight',
    ...names.filter((n) => n.includes('.layers.')),
  ];
  const decoder = new library.Decoder(
    Int32Array.from(sizes),
    order.map((name) => weights[name].data),
  );
  return new NativeStepper(library, decoder, config, options.parallel);
}

/** The stepper of another thread of this process, without packing again; `id` is that of one that is alive there. */
export function attachStepper(
  library: Addon,
  config: MambaConfig,
  id: number,
  parallel = true,
): NativeStepper {
  return new NativeStepper(library, new library.Decoder(id), config, parallel);
}
