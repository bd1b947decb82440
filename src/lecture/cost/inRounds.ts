import type { CostRow } from './measure';

/**
 * Measures everything `rounds` times over and keeps the fastest repetition of each length: what else the machine does
 * disturbs one round more than another, and rarely the same length in all of them.
 */
export async function inRounds(
  rounds: number,
  measure: () => Promise<Record<string, CostRow[]>>,
): Promise<Record<string, CostRow[]>> {
  const best = await measure();
  for (let round = 1; round < rounds; round++)
    for (const [name, rows] of Object.entries(await measure()))
      rows.forEach((row, i) => (best[name][i].fastest = Math.min(best[name][i].fastest, row.fastest)));
  return best;
}
