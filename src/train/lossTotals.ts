import { bitsPerByte } from './metrics';

/** Adds up token losses, overall and by label. */
export class LossTotals {
  private nats = 0;
  private tokens = 0;
  private bytes = 0;
  private readonly byLabel = new Map<string, { nats: number; tokens: number }>();

  add(label: string, nats: number, isByte: boolean): void {
    this.nats += nats;
    this.tokens++;
    if (isByte) this.bytes++;
    let entry = this.byLabel.get(label);
    if (!entry) this.byLabel.set(label, (entry = { nats: 0, tokens: 0 }));
    entry.nats += nats;
    entry.tokens++;
  }

  get count(): number {
    return this.tokens;
  }

  result(): LossResult {
    const lossNats = this.nats / Math.max(1, this.tokens);
    const perLabel: LossResult['perLabel'] = {};
    for (const [label, { nats, tokens }] of [...this.byLabel].sort(([a], [b]) => (a < b ? -1 : 1)))
      perLabel[label] = { lossNats: nats / tokens, tokens };
    return {
      lossNats,
      bitsPerByte: bitsPerByte(lossNats, this.tokens, this.bytes),
      tokens: this.tokens,
      perLabel,
    };
  }
}

/** A loss over a split. */
export interface LossResult {
  /** Mean nats a predicted token. */
  lossNats: number;
  /** The same information divided by the number of byte tokens (0–255), in bits. */
  bitsPerByte: number;
  /** Predicted tokens. */
  tokens: number;
  perLabel: Record<string, { lossNats: number; tokens: number }>;
}
