import type { TF } from '../../tensor';
import { makeNet, type MixerName, type NetConfig } from '../nets';
import { measureCost, type CostRow, type MeasureOptions } from './measure';
import { forwardWork, trainingWork } from './works';

/** Lengths from one to another, evenly on a logarithmic axis, so many to a factor of ten; with each its tenfold. */
export function costLengths(from: number, to: number, perDecade = 4): number[] {
  const lengths: number[] = [];
  for (let decade = from; decade <= to; decade *= 10)
    for (let i = 0; i < perDecade; i++) {
      const length = i === 0 ? decade : Math.round(decade * 10 ** (i / perDecade));
      if (length <= to) lengths.push(length);
    }
  return lengths;
}

export interface MeasureNetsOptions extends MeasureOptions {
  /** What is measured; default `forward`. */
  work?: 'forward' | 'training';
  lengths: readonly number[];
  /** Longest length of a mixer, where memory or patience ends earlier. */
  longest?: Partial<Record<MixerName, number>>;
  /** Default 1. */
  seed?: number;
  onNet?: (name: string, rows: readonly CostRow[]) => void;
}

/** {@link measureCost} of several nets, one after the other; fresh nets, disposed afterwards. */
export async function measureNets(
  tf: TF,
  configs: Readonly<Record<string, NetConfig>>,
  options: MeasureNetsOptions,
): Promise<Record<string, CostRow[]>> {
  const { work = 'forward', lengths, longest = {}, seed = 1, onNet, ...measure } = options;
  const result: Record<string, CostRow[]> = {};
  for (const [name, config] of Object.entries(configs)) {
    const net = makeNet(tf, config, seed);
    try {
      const most = longest[config.mixer] ?? Infinity;
      const make = work === 'forward' ? forwardWork(net) : trainingWork(net);
      const own = lengths.filter((length) => length <= most);
      result[name] = await measureCost(tf, make, own, measure);
      onNet?.(name, result[name]);
    } finally {
      net.dispose();
    }
  }
  return result;
}
