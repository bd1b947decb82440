import { getLayout, PKT, Vocabulary } from '../../src/tokens';
import type { LoadedModel, Stepper } from '../../src/generate';

/** State: how many tokens have been read since the start of the script. */
interface ScriptState {
  at: number;
}

/**
 * A model that wants to say `script` (again and again) after the prompt; `noise` spreads probability over all bytes.
 * The prompt is what comes before the first token after a `<|pkt|>` or label.
 */
export function scripted(script: readonly number[], sharpness = 30): Stepper<ScriptState> {
  const write = (state: ScriptState, logits: Float32Array) => {
    logits.fill(0);
    logits[script[state.at % script.length]] = sharpness;
  };
  return {
    newState: () => ({ at: 0 }),
    copyState: (state) => ({ ...state }),
    copyStateInto: (from, to) => Object.assign(to, from),
    step(state, _token, logits) {
      state.at++;
      write(state, logits);
    },
    prefill(state, _tokens, logits) {
      write(state, logits);
    },
  };
}

/** A model folder's content without a folder. */
export function fakeModel(stepper: Stepper, layoutName = 'compact', checksums: 'keep' | 'zero' = 'keep') {
  const vocabulary = new Vocabulary(['mqtt', 'web']);
  const model: LoadedModel = {
    name: 'fake',
    dir: '',
    labels: vocabulary.labels,
    vocabulary,
    layout: getLayout(layoutName, { checksums }),
    checksums,
    timing: {
      format: 'netssm-timing',
      version: 1,
      unit: 'microseconds',
      labels: { web: { count: 3, meanMicros: 20, quantiles: [10, 20, 30] } },
    },
    card: { labels: [...vocabulary.labels], layout: layoutName, checksums },
    logitsLength: 272,
    stepper: stepper as Stepper,
  };
  return model;
}

/** Packets as a script: each closed. */
export const closed = (...packets: Uint8Array[]): number[] => packets.flatMap((p) => [...p, PKT]);

/** State: what has been read, and the alternative under way. */
interface ChoiceState {
  history: number[];
  path: number;
  at: number;
}

/**
 * A model that draws one of the alternatives after the other, each with the same probability; they begin with
 * different tokens. `states` are those that the traces went on from last.
 */
export function choices(alternatives: readonly (readonly number[])[]): Stepper<ChoiceState> {
  const write = (state: ChoiceState, logits: Float32Array) => {
    logits.fill(0);
    const next = state.path < 0 ? alternatives.map((a) => a[0]) : [alternatives[state.path][state.at]];
    for (const token of next) logits[token] = 40;
  };
  return {
    newState: () => ({ history: [], path: -1, at: 0 }),
    copyState: (state) => ({ ...state, history: [...state.history] }),
    copyStateInto: (from, to) => Object.assign(to, { ...from, history: [...from.history] }),
    step(state, token, logits) {
      state.history.push(token);
      if (state.path < 0) state.path = alternatives.findIndex((a) => a[0] === token);
      // Nobody's beginning: the next token begins again.
      if (state.path < 0 || ++state.at === alternatives[state.path].length) {
        state.path = -1;
        state.at = 0;
      }
      write(state, logits);
    },
    prefill(state, tokens, logits) {
      for (let i = 0; i < tokens.length; i++) state.history.push(tokens[i]);
      write(state, logits);
    },
  };
}
