import { phaseTokens, type Phase, type TokenDataset, type TokenSpan } from '../tokens';

/** For `evaluateLoss`: only the tokens of a phase count. Flows are looked at once. Undefined without a phase. */
export function phaseWindow(
  phase: Phase | null,
): ((dataset: TokenDataset, sequence: number) => TokenSpan | undefined) | undefined {
  if (phase === null) return undefined;
  const known = new Map<number, TokenSpan | undefined>();
  return (dataset, sequence) => {
    if (!known.has(sequence)) known.set(sequence, phaseTokens(dataset, sequence, phase));
    return known.get(sequence);
  };
}
