import { NetssmError } from '../util';
import { checkTimeEdges, timeBinOfToken, timeText, type TimeTokens } from './times';

/** Ids that never move: 0–255 are byte values, then these, then the labels. */
export const UNK = 256;
export const END_OF_TEXT = 257;
export const PADDING = 258;
export const PKT = 259;
/** Id of the first label. */
export const FIRST_LABEL = 260;

/** The texts of ids 256–259, as the reference's tokenizer writes them (NetSSM section 4.1.1). */
export const SPECIAL_TOKENS = ['<|unk|>', '<|endoftext|>', '<|padding|>', '<|pkt|>'] as const;

/**
 * The token ids of one data set or model: 256 bytes, four specials, the labels in order. Where there are time tokens
 * they follow in one block; labels that are added later (fine-tuning) come behind it, so that no id ever moves.
 */
export class Vocabulary {
  /** Undefined: no time tokens. */
  readonly times: TimeTokens | undefined;
  private readonly ids: ReadonlyMap<string, number>;

  /**
   * @param times edges of time bins, and the id of the first one's token: by default behind all labels.
   * @throws NetssmError `label_invalid` for empty, repeated or unusable label names; `time_bins_invalid`.
   */
  constructor(
    readonly labels: readonly string[],
    times?: Pick<TimeTokens, 'edgesMicros'> & Partial<TimeTokens>,
  ) {
    if (times) {
      const { edgesMicros, first = FIRST_LABEL + labels.length } = times;
      checkTimeEdges(edgesMicros);
      if (!(first >= FIRST_LABEL && first <= FIRST_LABEL + labels.length))
        throw new NetssmError(
          'time_bins_invalid',
          `time tokens cannot begin with id ${first}: there are ${labels.length} labels from ${FIRST_LABEL} on`,
        );
      this.times = { first, edgesMicros: [...edgesMicros] };
    }
    const ids = new Map<string, number>();
    labels.forEach((label, i) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(label)) {
        throw new NetssmError('label_invalid', `"${label}" cannot be a label`, {
          hint: 'Use letters, digits, "_", "-" and "." only.',
        });
      }
      if (ids.has(label)) throw new NetssmError('label_invalid', `label "${label}" appears twice`);
      const id = FIRST_LABEL + i;
      ids.set(label, this.times && id >= this.times.first ? id + this.times.edgesMicros.length : id);
    });
    this.ids = ids;
  }

  /** Number of ids in use. */
  get size(): number {
    return FIRST_LABEL + this.labels.length + (this.times?.edgesMicros.length ?? 0);
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

  /** The label of an id; undefined where it is none. */
  labelOf(id: number): string | undefined {
    if (id < FIRST_LABEL || id >= this.size || this.timeBin(id) !== undefined) return undefined;
    const behind = this.times && id >= this.times.first ? this.times.edgesMicros.length : 0;
    return this.labels[id - FIRST_LABEL - behind];
  }

  /** Index of the time bin of an id; undefined where it is no time token. */
  timeBin(id: number): number | undefined {
    return timeBinOfToken(this.times, id);
  }

  /** The text of an id as tokenizer.json has it: `0`–`255`, `<|pkt|>`, `<|mqtt|>`, `<|dt:178us|>` ... */
  text(id: number): string {
    if (id < 256) return String(id);
    if (id < FIRST_LABEL) return SPECIAL_TOKENS[id - 256];
    const bin = this.timeBin(id);
    if (bin !== undefined) return timeText(this.times!.edgesMicros[bin]);
    return `<|${this.labelOf(id) ?? `id-${id}`}|>`;
  }
}
