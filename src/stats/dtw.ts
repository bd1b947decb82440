import { badOption, checkedSample, type Sample } from './sample';

export interface DtwOptions {
  /**
   * Sakoe-Chiba band: how many places a pair may be apart, at least the difference of the lengths (it is widened to
   * that). Default: no limit.
   */
  window?: number;
  /** What two values differ by: `absolute` |a - b| or `squared`. */
  cost?: 'absolute' | 'squared';
}

/**
 * Dynamic time warping (Sakoe and Chiba, 1978): the least sum of costs along a path that pairs the two series from
 * their first to their last values in steps (1,0), (0,1), (1,1), each pair counted once. In the unit of the values; divide
 * by the length for the paper's per-slice figure. Memory of one row; time n m, or n (2 window + 1).
 *
 * @throws NetssmError `sample_small`, `sample_invalid`, `option_invalid`.
 */
export function dynamicTimeWarping(a: Sample, b: Sample, options: DtwOptions = {}): number {
  const { window = Infinity, cost = 'absolute' } = options;
  if (!(window >= 0)) throw badOption('window', window, 'a number of places, at least 0');
  if (cost !== 'absolute' && cost !== 'squared') throw badOption('cost', cost, 'absolute or squared');
  const x = checkedSample(a, 'first series');
  const y = checkedSample(b, 'second series');
  const [n, m] = [x.length, y.length];
  const band = Math.max(window, Math.abs(n - m));
  const squared = cost === 'squared';
  let last = new Float64Array(m + 1).fill(Infinity);
  let row = new Float64Array(m + 1).fill(Infinity);
  last[0] = 0;
  for (let i = 1; i <= n; i++) {
    row.fill(Infinity);
    const from = Math.max(1, i - band);
    const to = Math.min(m, i + band);
    for (let j = from; j <= to; j++) {
      const d = x[i - 1] - y[j - 1];
      row[j] = (squared ? d * d : Math.abs(d)) + Math.min(last[j], row[j - 1], last[j - 1]);
    }
    [last, row] = [row, last];
  }
  return last[m];
}
