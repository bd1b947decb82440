/**
 * A model that reads one token at a time: what decoding needs of it. `StepModel` of the model folder is one,
 * {@link NativeStepper} a faster one; tests use a table.
 */
export interface Stepper<State = unknown> {
  /** The state before any token. */
  newState(): State;
  copyState(state: State): State;
  /** The same without a new state: `to` becomes a copy of `from`. */
  copyStateInto(from: State, to: State): void;
  /** Reads a token, changes the state in place and writes the logits of the next token. */
  step(state: State, token: number, logits: Float32Array): void;
  /** Reads several tokens; the logits are those after the last. */
  prefill(state: State, tokens: ArrayLike<number>, logits: Float32Array): void;
  /**
   * A token of each of several sequences in one call, with the results of {@link step} bit for bit. Where a stepper has
   * it, traces are drawn together.
   */
  stepMany?(states: readonly State[], tokens: readonly number[], logits: readonly Float32Array[]): void;
}
