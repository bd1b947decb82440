import { NetssmError } from '../util';

/** Ids that never move: 0–255 are byte values, then these, then the labels. */
export const UNK = 256;
export const END_OF_TEXT = 257;
export const PADDING = 258;
export const PKT = 259;
/** Id of the first label. */
export const FIRST_LABEL = 260;

/** The texts of ids 256–259, as the reference's tokenizer writes them (NetSSM section 4.1.1). */
export const SPECIAL_TOKENS = ['<|unk|>', '<|endoftext|>', '<|padding|>', '<|pkt|>'] as const;

/** The token ids of one data set or model: 256 bytes, four specials, the labels in order. */
export class Vocabulary {
  private readonly ids: ReadonlyMap<string, number>;

  /** @throws NetssmError `label_invalid` for empty, repeated or unusable label names. */
  constructor(readonly labels: readonly string[]) {
    const ids = new Map<string, number>();
    labels.forEach((label, i) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(label)) {
        throw new NetssmError('label_invalid', `"${label}" cannot be a label`, {
          hint: 'Use letters, digits, "_", "-" and "." only.',
        });
      }
      if (ids.has(label)) throw new NetssmError('label_invalid', `label "${label}" appears twice`);
      ids.set(label, FIRST_LABEL + i);
    });
    this.ids = ids;
  }

  /** Number of ids in use. */
  get size(): number {
    return FIRST_LABEL + this.labels.length;
  }

  /** @throws NetssmError `label_unknown`, listing the known ones. */
  labelId(label: string): number {
    const id = this.ids.get(label);
    if (id === undefined) {
      throw new NetssmError('label_unknown', `unknown label "${label}"`, {
        hint: `Known labels: ${this.labels.join(', ') || '(none)'}.`,
        exitCode: 2,
      });
    }
    return id;
  }

  /** The text of an id as tokenizer.json has it: `0`–`255`, `<|pkt|>`, `<|mqtt|>` ... */
  text(id: number): string {
    if (id < 256) return String(id);
    if (id < FIRST_LABEL) return SPECIAL_TOKENS[id - 256];
    return id < this.size ? `<|${this.labels[id - FIRST_LABEL]}|>` : `<|id-${id}|>`;
  }
}
