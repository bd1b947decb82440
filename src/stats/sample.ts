import { NetssmError } from '../util';

/** Numbers of one sample: an array or any typed array. */
export type Sample = ArrayLike<number>;

/**
 * A copy of a sample as float64, checked.
 *
 * @throws NetssmError `sample_small` for fewer than `least` values, `sample_invalid` for the first NaN or infinity.
 */
export function checkedSample(values: Sample, name: string, least = 1): Float64Array {
  if (values.length < least) {
    throw new NetssmError(
      'sample_small',
      `${name}: ${values.length} value${values.length === 1 ? '' : 's'}, at least ${least} are needed`,
      { context: { name, length: values.length, least } },
    );
  }
  const out = Float64Array.from(values);
  for (let i = 0; i < out.length; i++) {
    if (Number.isFinite(out[i])) continue;
    throw new NetssmError('sample_invalid', `${name}: value ${out[i]} at ${i} is not a finite number`, {
      hint: 'Leave such values out first (values.filter(Number.isFinite)), and say how many they were.',
      context: { name, index: i },
    });
  }
  return out;
}

/** {@link checkedSample}, sorted ascending. */
export function sortedSample(values: Sample, name: string, least = 1): Float64Array {
  return checkedSample(values, name, least).sort();
}

/** @throws NetssmError `samples_differ` unless both have as many values. */
export function checkPaired(a: { length: number }, b: { length: number }, what: string): void {
  if (a.length === b.length) return;
  throw new NetssmError('samples_differ', `${what}: ${a.length} and ${b.length} values, which are no pairs`, {
    context: { lengths: [a.length, b.length] },
  });
}

/** An unusable option, named with its value. */
export function badOption(name: string, value: unknown, allowed: string): NetssmError {
  return new NetssmError('option_invalid', `${name} is ${String(value)}; ${allowed}`, {
    exitCode: 2,
    context: { name, value },
  });
}
