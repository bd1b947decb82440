import type { DecodeHooks } from './decode';
import type { Prompt } from './prompt';
import type { Stepper } from './stepper';

/** The state and the logits after a prompt, to be copied for each trace that starts from it. */
export interface PromptState<State> {
  state: State;
  logits: Float32Array;
}

/** Tokens of a prompt that are read between two looks at the outside. */
const PROMPT_CHUNK = 256;

/** Reads a prompt, of any length, with pauses. Undefined: aborted. */
export async function readPrompt<State>(
  stepper: Stepper<State>,
  prompt: Prompt,
  logitsLength: number,
  hooks: Pick<DecodeHooks, 'aborted' | 'pause'> & { onPrompt?: (read: number, total: number) => void } = {},
): Promise<PromptState<State> | undefined> {
  const state = stepper.newState();
  const logits = new Float32Array(logitsLength);
  const { tokens } = prompt;
  let pausedAt = Date.now();
  for (let at = 0; at < tokens.length; at += PROMPT_CHUNK) {
    if (hooks.aborted?.()) return undefined;
    stepper.prefill(state, tokens.subarray(at, at + PROMPT_CHUNK), logits);
    if (Date.now() - pausedAt > 50) {
      hooks.onPrompt?.(Math.min(at + PROMPT_CHUNK, tokens.length), tokens.length);
      await hooks.pause?.();
      pausedAt = Date.now();
    }
  }
  return { state, logits };
}

/** What a trace goes back to when a packet is to be drawn again. One instance a trace; its buffers are reused. */
export class Boundary<State> {
  position = 0;
  private readonly state: State;
  private readonly logits: Float32Array;
  private readonly seen: Uint8Array;

  constructor(
    private readonly stepper: Stepper<State>,
    start: PromptState<State>,
    seen: Uint8Array,
  ) {
    this.state = stepper.copyState(start.state);
    this.logits = start.logits.slice();
    this.seen = seen.slice();
  }

  save(state: State, logits: Float32Array, seen: Uint8Array, position: number): void {
    this.stepper.copyStateInto(state, this.state);
    this.logits.set(logits);
    this.seen.set(seen);
    this.position = position;
  }

  restore(state: State, logits: Float32Array, seen: Uint8Array): void {
    this.stepper.copyStateInto(this.state, state);
    logits.set(this.logits);
    seen.set(this.seen);
  }
}
