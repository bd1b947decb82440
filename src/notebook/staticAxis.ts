/** Axes of a static figure: where a value stands, and which values are named. */
import { roundTicks, shortNumber } from '../viz';

/** The part of plotly's axes that is drawn. */
export interface Axis {
  title?: unknown;
  /** `log`: by powers of ten; values of 0 and less have no place. */
  type?: string;
  /** Both ends; on a logarithmic axis their exponents. From the larger to the smaller turns the axis around. */
  range?: readonly [number, number];
  autorange?: unknown;
  rangemode?: string;
  /** Part of the paper that it takes, for panels beside each other. */
  domain?: readonly [number, number];
  showticklabels?: boolean;
  tickvals?: readonly number[];
  ticktext?: readonly string[];
}

/** An axis that is laid out. */
export interface Scale {
  /** Pixels of a value; NaN where it has no place. */
  at(value: number): number;
  /** Pixels from which bars grow: those of 0, or the end of a logarithmic axis. */
  base: number;
  /** Pixels between neighbouring values. */
  gap: number;
  /** Pixels and names of round values. */
  ticks: readonly (readonly [at: number, text: string])[];
  /** Some value stands beyond an end. */
  cut: boolean;
}

/** What a {@link Scale} is made for. */
export interface ScaleOptions {
  values: readonly number[];
  /** Pixels of both ends. */
  from: number;
  to: number;
  /** Bars stand on this axis, each in the middle of its gap. */
  slots?: boolean;
  /** Bars grow along this axis. */
  bars?: boolean;
  /** Names of 0, 1, 2 ... in place of numbers. */
  categories?: readonly string[];
}

/** Undefined where no value has a place. */
export function makeScale(
  axis: Axis,
  { values, from, to, slots, bars, categories = [] }: ScaleOptions,
): Scale | undefined {
  const log = axis.type === 'log';
  const place = (value: number): number => (log ? (value > 0 ? Math.log10(value) : NaN) : value);
  const places = values.map(place).filter(Number.isFinite);
  if (places.length === 0) return undefined;
  const step = slots ? smallestGap(places) : 0;
  const zero = !log && !slots && (bars || axis.rangemode === 'tozero');
  let [low, high] = axis.range ?? extent(zero ? [...places, 0] : places, step / 2 || undefined);
  if (!axis.range && zero) [low, high] = endAtZero(low, high, places);
  // The shortest bar of a logarithmic axis has a height, too.
  if (!axis.range && log && bars) low = Math.ceil(places.reduce((a, b) => Math.min(a, b), Infinity)) - 1;
  if (!axis.range && axis.autorange === 'reversed') [low, high] = [high, low];
  const pixels = (p: number): number => from + ((p - low) / (high - low || 1)) * (to - from);
  const [least, most] = [Math.min(low, high), Math.max(low, high)];
  const named = (value: number, text: string): [number, string] => [pixels(place(value)), text];
  return {
    at: (value) => pixels(place(value)),
    base: log ? pixels(low) : pixels(Math.min(most, Math.max(least, 0))),
    gap: Math.abs(pixels(step) - pixels(0)),
    ticks: axis.tickvals
      ? axis.tickvals.map((value, i) => named(value, axis.ticktext?.[i] ?? tickText(value)))
      : categories.length > 0
        ? categories.map((text, i) => named(i, text))
        : (log ? logTicks(least, most) : roundTicks(least, most, 6)).map((value) =>
            named(value, tickText(value)),
          ),
    cut: places.some((p) => p < least || p > most),
  };
}

/** Powers of ten, one in two or more where there are many; 1, 2 and 5 times them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const first = Math.ceil(low / step - 1e-9) * step;
  const powers: number[] = [];
  for (let p = first; p <= high + 1e-9; p += step) powers.push(Number(`1e${p}`));
  if (powers.length > 2) return powers;
  const between: number[] = [];
  for (let p = Math.floor(low); p <= high; p++)
    for (const factor of [1, 2, 5]) between.push(Number(`${factor}e${p}`));
  return between.filter((v) => Math.log10(v) >= low - 1e-9 && Math.log10(v) <= high + 1e-9);
}

function tickText(value: number): string {
  const a = Math.abs(value);
  return a > 0 && a < 1e-4 ? value.toExponential().replace('e-', 'e−') : shortNumber(value);
}

function extent(values: readonly number[], margin?: number): [number, number] {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const extra = margin ?? (high - low) * 0.04;
  return high > low || extra > 0 ? [low - extra, high + extra] : [low - 1, high + 1];
}

/** Without a margin beyond 0 where nothing lies there. */
function endAtZero(low: number, high: number, places: readonly number[]): [number, number] {
  if (places.every((p) => p >= 0)) return [0, high];
  return places.every((p) => p <= 0) ? [low, 0] : [low, high];
}

function smallestGap(places: readonly number[]): number {
  const sorted = [...new Set(places)].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((x, i) => x - sorted[i]);
  return gaps.length > 0 ? gaps.reduce((a, b) => Math.min(a, b)) : 1;
}
