import type { Evaluation, SimilarityRow } from '../evaluate';

/** A distance with three decimals. */
export const distance = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(3);

/** Share in percent with the numbers behind it: `98.4 % (120 of 122)`. */
export function share(ok: number, of: number): string {
  return of === 0 ? '–' : `${percent(ok / of)} (${ok.toLocaleString('en')} of ${of.toLocaleString('en')})`;
}

/** Never rounds to 100 or 0 what is not exactly that. */
export function percent(value: number): string {
  if (value === 1 || value === 0) return `${value * 100}\u00a0%`;
  const digits = value > 0.999 || value < 0.001 ? 2 : 1;
  const text = (value * 100).toFixed(digits);
  if (text === '100.00') return '> 99.99\u00a0%';
  return text === '0.00' ? '< 0.01\u00a0%' : `${text}\u00a0%`;
}

/** One number of the similarity suite. */
export function findSimilarity(
  evaluation: Evaluation,
  source: string,
  label: string,
  what: string,
): SimilarityRow | undefined {
  return evaluation.similarity.find((r) => r.source === source && r.label === label && r.what === what);
}
