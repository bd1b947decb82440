import { PhaseTracker, PHASES, type DecodedPacket, type Phase } from '../tokens';
import type { Stepper } from './stepper';

/** Whose turn it is, and what that model remembers. */
export interface PhaseState {
  phase: Phase;
  inner: unknown;
}

/**
 * Three models that take turns in one sequence: handshake, data, teardown (NetSSM section 5.1.1, the fine-tuned variant).
 * The tokens so far are the prompt of the model whose turn begins: {@link turnTo}.
 */
export class PhaseStepper implements Stepper<PhaseState> {
  constructor(
    private readonly steppers: Readonly<Record<Phase, Stepper>>,
    private readonly first: Phase = PHASES[0],
  ) {}

  /** The same models, new states beginning with another one's turn: behind a prompt. */
  beginningWith(phase: Phase): PhaseStepper {
    return new PhaseStepper(this.steppers, phase);
  }

  newState(): PhaseState {
    return { phase: this.first, inner: this.steppers[this.first].newState() };
  }

  copyState({ phase, inner }: PhaseState): PhaseState {
    return { phase, inner: this.steppers[phase].copyState(inner) };
  }

  copyStateInto(from: PhaseState, to: PhaseState): void {
    const stepper = this.steppers[from.phase];
    if (from.phase === to.phase) stepper.copyStateInto(from.inner, to.inner);
    else {
      to.phase = from.phase;
      to.inner = stepper.copyState(from.inner);
    }
  }

  step(state: PhaseState, token: number, logits: Float32Array): void {
    this.steppers[state.phase].step(state.inner, token, logits);
  }

  prefill(state: PhaseState, tokens: ArrayLike<number>, logits: Float32Array): void {
    this.steppers[state.phase].prefill(state.inner, tokens, logits);
  }

  /** From here on another model speaks; it reads the sequence from its label on. */
  turnTo(state: PhaseState, phase: Phase, tokens: ArrayLike<number>, logits: Float32Array): void {
    const stepper = this.steppers[phase];
    state.phase = phase;
    state.inner = stepper.newState();
    stepper.prefill(state.inner, tokens, logits);
  }
}

/** What tells a packet's part in its flow. */
export type PhasePacket = Pick<DecodedPacket, 'data' | 'linkType'>;

/** Whether a stepper is one of models by phase. */
export function isPhased(stepper: unknown): stepper is PhaseStepper {
  return stepper instanceof PhaseStepper;
}

/** Decides, packet by packet, whose turn it is in one trace, and keeps what the next model has to read. */
export class PhaseTurns {
  private readonly tokens: number[];
  private kept: number;
  private readonly tracker = new PhaseTracker();

  constructor(
    private readonly stepper: PhaseStepper,
    { tokens, frames }: { tokens: ArrayLike<number>; frames: Iterable<PhasePacket> } = {
      tokens: [],
      frames: [],
    },
  ) {
    this.tokens = Array.from(tokens);
    this.kept = this.tokens.length;
    for (const frame of frames) this.tracker.add(frame);
  }

  /**
   * A token is about to be read; `packet` where it closes one. Where that ends a phase, the next model reads all before it.
   */
  read(state: unknown, token: number, logits: Float32Array, packet: PhasePacket | undefined): void {
    if (packet) {
      const { phase } = this.tracker;
      this.tracker.add(packet);
      if (this.tracker.phase !== phase)
        this.stepper.turnTo(state as PhaseState, this.tracker.phase, this.tokens, logits);
    }
    this.tokens.push(token);
  }

  /** What has been read stays, whatever is drawn next. */
  keep(): void {
    this.kept = this.tokens.length;
  }

  /** What has been read since {@link keep} was not said. */
  takeBack(): void {
    this.tokens.length = this.kept;
  }
}
