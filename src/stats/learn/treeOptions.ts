import { badOption } from '../sample';

/** How many features each split looks at: all, the root or the logarithm of their number, a share, a number. */
export type MaxFeatures = 'all' | 'sqrt' | 'log2' | number;

/** What stops a tree; scikit-learn's parameters and defaults. */
export interface TreeOptions {
  /** Default unlimited. */
  maxDepth?: number;
  /** Items that a node must have to be split; default 2. */
  minSamplesSplit?: number;
  /** Items that each side must keep, each counted once however often it was drawn; default 1. */
  minSamplesLeaf?: number;
  /** Default `all` for one tree, `sqrt` for a forest. A number below 1 is a share. */
  maxFeatures?: MaxFeatures;
  /** Same seed, same model, for any number of jobs. Default 0. */
  seed?: number | string;
}

/** The same, resolved for a number of features. */
export interface ResolvedTreeOptions {
  maxDepth: number;
  minSamplesSplit: number;
  minSamplesLeaf: number;
  maxFeatures: number;
}

/** @throws NetssmError `option_invalid`. */
export function resolveTreeOptions(
  options: TreeOptions,
  columns: number,
  maxFeatures: MaxFeatures,
): ResolvedTreeOptions {
  const { maxDepth = Infinity, minSamplesSplit = 2, minSamplesLeaf = 1 } = options;
  if (!(maxDepth >= 1)) throw badOption('maxDepth', maxDepth, 'at least 1');
  if (!(minSamplesSplit >= 2)) throw badOption('minSamplesSplit', minSamplesSplit, 'at least 2');
  if (!(minSamplesLeaf >= 1)) throw badOption('minSamplesLeaf', minSamplesLeaf, 'at least 1');
  return {
    maxDepth,
    minSamplesSplit,
    minSamplesLeaf,
    maxFeatures: featureCount(options.maxFeatures ?? maxFeatures, columns),
  };
}

function featureCount(wanted: MaxFeatures, columns: number): number {
  const n =
    wanted === 'all'
      ? columns
      : wanted === 'sqrt'
        ? Math.sqrt(columns)
        : wanted === 'log2'
          ? Math.log2(columns)
          : typeof wanted === 'number' && wanted > 0
            ? wanted < 1
              ? wanted * columns
              : wanted
            : NaN;
  if (Number.isNaN(n)) throw badOption('maxFeatures', wanted, 'all, sqrt, log2, a share below 1 or a number');
  return Math.max(1, Math.min(columns, Math.floor(n)));
}
