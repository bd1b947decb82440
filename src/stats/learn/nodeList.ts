import type { TreeArrays } from './tree';

/** A tree's nodes in the order in which they are made; parents come before their children. */
export class NodeList {
  private readonly feature: number[] = [];
  private readonly threshold: number[] = [];
  private readonly left: number[] = [];
  private readonly right: number[] = [];
  private leaves = new Float64Array(256);
  private readonly importances: Float64Array;
  private leafCount = 0;
  private depth = 0;

  constructor(
    private readonly classes: number,
    columns: number,
  ) {
    this.importances = new Float64Array(columns);
  }

  /** `present[k]` has the weight `weights[k]`, for the first `count`. */
  leaf(
    parent: number,
    depth: number,
    present: Uint16Array,
    weights: Int32Array,
    count: number,
    whole: number,
  ): void {
    const node = this.add(parent, depth, -1, 0);
    const from = this.leafCount * this.classes;
    if (from + this.classes > this.leaves.length) {
      const more = new Float64Array(2 * this.leaves.length + this.classes);
      more.set(this.leaves);
      this.leaves = more;
    }
    for (let k = 0; k < count; k++) this.leaves[from + present[k]] = weights[k] / whole;
    this.left[node] = this.leafCount++;
  }

  /** Returns the node's number. `decrease`: of the impurity, times the share of items. */
  split(parent: number, depth: number, feature: number, threshold: number, decrease: number): number {
    this.importances[feature] += Math.max(0, decrease);
    return this.add(parent, depth, feature, threshold);
  }

  /** `parent`: its number times 2, plus 1 for a right child; below 0 for the root. */
  private add(parent: number, depth: number, feature: number, threshold: number): number {
    const node = this.feature.length;
    this.feature.push(feature);
    this.threshold.push(threshold);
    this.left.push(0);
    this.right.push(0);
    if (parent >= 0) (parent & 1 ? this.right : this.left)[parent >> 1] = node;
    this.depth = Math.max(this.depth, depth);
    return node;
  }

  finish(): TreeArrays {
    const sum = this.importances.reduce((a, b) => a + b, 0);
    return {
      feature: Int32Array.from(this.feature),
      threshold: Float64Array.from(this.threshold),
      left: Int32Array.from(this.left),
      right: Int32Array.from(this.right),
      leaves: this.leaves.slice(0, this.leafCount * this.classes),
      importances: sum > 0 ? this.importances.map((v) => v / sum) : this.importances,
      depth: this.depth,
    };
  }
}
