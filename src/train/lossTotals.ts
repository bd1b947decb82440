import { bitsPerByte } from './metrics';

interface Sum {
  nats: number;
  tokens: number;
}

/** Adds up token losses, overall, by label and, where tokens have one, by field. */
export class LossTotals {
  private nats = 0;
  private tokens = 0;
  private bytes = 0;
  private readonly byLabel = new Map<string, Sum>();
  private readonly byField = new Map<string, Sum>();

  add(label: string, nats: number, isByte: boolean, field?: string): void {
    this.nats += nats;
    this.tokens++;
    if (isByte) this.bytes++;
    addTo(this.byLabel, label, nats);
    if (field !== undefined) addTo(this.byField, field, nats);
  }

  get count(): number {
    return this.tokens;
  }

  result(): LossResult {
    const lossNats = this.nats / Math.max(1, this.tokens);
    return {
      lossNats,
      bitsPerByte: bitsPerByte(lossNats, this.tokens, this.bytes),
      tokens: this.tokens,
      perLabel: means(this.byLabel, ([a], [b]) => (a < b ? -1 : 1)),
      ...(this.byField.size > 0 && { perField: means(this.byField, ([, a], [, b]) => b.nats - a.nats) }),
    };
  }
}

function addTo(sums: Map<string, Sum>, key: string, nats: number): void {
  let entry = sums.get(key);
  if (!entry) sums.set(key, (entry = { nats: 0, tokens: 0 }));
  entry.nats += nats;
  entry.tokens++;
}

function means(
  sums: Map<string, Sum>,
  order: (a: [string, Sum], b: [string, Sum]) => number,
): LossResult['perLabel'] {
  const sorted = [...sums].sort(order);
  return Object.fromEntries(
    sorted.map(([key, { nats, tokens }]) => [key, { lossNats: nats / tokens, tokens }]),
  );
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
  /** By field, in the order of their share of the whole loss; absent unless the tokens' fields were named. */
  perField?: Record<string, { lossNats: number; tokens: number }>;
}
