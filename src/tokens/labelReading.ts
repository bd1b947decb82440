import { PKT } from './vocabulary';

/*
 * A sequence has its label once, at its beginning, and a recurrent model has to carry it from there through thousands of
 * tokens. It hardly does: a loss of a hundredth of a nat is all that a wrong label costs such a model. A model with
 * `label_every_packet` therefore reads the label again wherever a packet has ended: in its inputs the label stands in
 * the place of `<|pkt|>`. What it predicts is the sequence as it is.
 */

/** What a reader of one sequence remembers. */
export interface LabelMemory {
  /** The first token that was read. */
  label?: number;
}

/** The id to be read in place of a token; remembers the sequence's first one. */
export function readWithLabel(memory: LabelMemory, token: number): number {
  memory.label ??= token;
  return token === PKT ? memory.label : token;
}
