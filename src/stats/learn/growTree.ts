import { NetssmError, Rng } from '../../util';
import { codesOf, levelsOf, TERNARY_CAPACITY, TERNARY_CODES } from './columns';
import { drawItems, ITEM, MOST_ITEMS, Xorshift, type TreeData } from './drawItems';
import { NodeList } from './nodeList';
import type { TreeArrays } from './tree';
import type { ResolvedTreeOptions } from './treeOptions';

/**
 * Classification trees by Gini impurity (Breiman et al., CART, 1984). One grower per thread; it keeps its work space.
 *
 * The work of a forest is counting: at each node, for some features, how much of each class lies at each value. Items of
 * a node are one run of a list, ordered by class, so that a class's weights are summed in a register: for features of
 * up to three values two counters side by side in 32 bits (columns.ts), one load, shift and addition an item. Features
 * found constant in a node are constant below it, and are drawn there without being looked at.
 */
export class TreeGrower {
  private readonly entries: Uint32Array;
  private readonly moved: Uint32Array;
  private readonly features: Uint32Array;
  private readonly keys: Float64Array;
  private readonly counts: Int32Array;
  private readonly items = new Int32Array(256);
  private readonly shift: number;
  /** Of the node: classes that occur, their weights, and where the run of each ends. */
  private readonly present: Uint16Array;
  private readonly runEnd: Uint32Array;
  private readonly total: Int32Array;
  private readonly leftCounts: Int32Array;
  private presentCount = 0;
  private nodeWeight = 0;
  /** Items whose weights a ternary sum can hold. */
  private chunk = 1;
  private random = new Xorshift(1);
  // The best split of the node so far.
  private bestScore = 0;
  private bestFeature = -1;
  private bestLevel = 0;
  private bestThreshold = 0;

  /** @throws NetssmError `matrix_shape` above 16,777,216 items. */
  constructor(
    private readonly data: TreeData,
    private readonly options: ResolvedTreeOptions,
  ) {
    const { rows, columns } = data.columns;
    if (rows > MOST_ITEMS)
      throw new NetssmError('matrix_shape', `${rows} items; a tree takes up to ${MOST_ITEMS}`, {
        hint: 'Draw a sample of the items.',
      });
    this.entries = new Uint32Array(rows);
    this.moved = new Uint32Array(rows);
    this.keys = new Float64Array(rows);
    this.shift = Math.ceil(Math.log2(Math.max(2, data.classes)));
    this.counts = new Int32Array(256 << this.shift);
    this.features = new Uint32Array(columns);
    this.present = new Uint16Array(data.classes);
    this.runEnd = new Uint32Array(data.classes);
    this.total = new Int32Array(data.classes);
    this.leftCounts = new Int32Array(data.classes);
  }

  /** One tree; `bootstrap` draws as many items as there are, with replacement. */
  grow(seed: string, bootstrap: boolean): TreeArrays {
    const rng = new Rng(seed);
    this.random = new Xorshift(rng.uint32());
    const { size, heaviest } = drawItems(this.data, rng, bootstrap, this.entries);
    this.chunk = Math.floor(TERNARY_CAPACITY / heaviest);
    const { columns } = this.data.columns;
    for (let c = 0; c < columns; c++) this.features[c] = c;
    const nodes = new NodeList(this.data.classes, columns);
    // start, end, depth, features known to be constant, parent * 2 + side (-1: the root)
    const stack: number[] = [0, size, 0, 0, -1];
    let whole = 0;
    for (let i = 0; i < size; i++) whole += this.entries[i] >>> 24;
    while (stack.length > 0) {
      const parent = stack.pop()!;
      const known = stack.pop()!;
      const depth = stack.pop()!;
      const end = stack.pop()!;
      const start = stack.pop()!;
      this.findRuns(start, end);
      const { maxDepth, minSamplesSplit } = this.options;
      const isLeaf = this.presentCount < 2 || depth >= maxDepth || end - start < minSamplesSplit;
      const constant = isLeaf ? 0 : this.findSplit(start, end, known);
      if (isLeaf || this.bestFeature < 0) {
        nodes.leaf(parent, depth, this.present, this.total, this.presentCount, this.nodeWeight);
        continue;
      }
      let squares = 0;
      for (let k = 0; k < this.presentCount; k++) squares += this.total[k] * this.total[k];
      const decrease = (this.bestScore - squares / this.nodeWeight) / whole;
      const node = nodes.split(parent, depth, this.bestFeature, this.bestThreshold, decrease);
      const middle = this.partition(start, end);
      stack.push(middle, end, depth + 1, constant, 2 * node + 1);
      stack.push(start, middle, depth + 1, constant, 2 * node);
    }
    return nodes.finish();
  }

  private findRuns(start: number, end: number): void {
    const { entries, present, runEnd, total } = this;
    const { labels } = this.data;
    let run = -1;
    let last = -1;
    let sum = 0;
    for (let i = start; i < end; i++) {
      const entry = entries[i];
      const c = labels[entry & ITEM];
      if (c !== last) {
        if (run >= 0) runEnd[run] = i;
        present[++run] = c;
        total[run] = 0;
        last = c;
      }
      total[run] += entry >>> 24;
      sum += entry >>> 24;
    }
    runEnd[run] = end;
    this.presentCount = run + 1;
    this.nodeWeight = sum;
  }

  /**
   * Looks at `maxFeatures` features drawn without replacement, and further until one varies; returns how many are known
   * to be constant now. Order of `features`: known to be constant | found so | not drawn | drawn and varying.
   */
  private findSplit(start: number, end: number, known: number): number {
    const { features } = this;
    this.bestFeature = -1;
    this.bestScore = -Infinity;
    let found = 0;
    let knownLeft = known;
    let undrawn = features.length;
    let visited = 0;
    while (
      undrawn > known + found &&
      (visited < this.options.maxFeatures || undrawn === features.length) &&
      // Both sides pure: nothing drawn later is better.
      this.bestScore < this.nodeWeight
    ) {
      visited++;
      const r = this.random.below(knownLeft + undrawn - known - found);
      if (r < knownLeft) {
        knownLeft--;
        continue;
      }
      const at = known + found + r - knownLeft;
      const feature = features[at];
      if (this.tryFeature(feature, start, end)) {
        undrawn--;
        features[at] = features[undrawn];
        features[undrawn] = feature;
      } else {
        features[at] = features[known + found];
        features[known + found] = feature;
        found++;
      }
    }
    return known + found;
  }

  /** False where the feature is the same for all items of the node. */
  private tryFeature(feature: number, start: number, end: number): boolean {
    const { columns } = this.data;
    const levels = levelsOf(columns, feature);
    if (levels < 2) return false;
    if (levels <= 3) return this.tryTernary(columns.place[feature], feature, levels, start);
    // Walking over all levels pays where the node has about as many items.
    if (levels <= 16 || (levels <= 256 && end - start >= levels))
      return this.tryCounted(columns.place[feature], feature, levels, start);
    return this.trySorted(codesOf(columns, feature), columns.place[feature], feature, start, end);
  }

  /** Two or three values: both thresholds at once, from the weights of the lowest and the highest value. */
  private tryTernary(place: number, feature: number, levels: number, start: number): boolean {
    const { entries, runEnd, presentCount, total, nodeWeight, chunk } = this;
    const codes = this.data.columns.narrow;
    let low = 0;
    let high = 0;
    let low2 = 0;
    let notLow2 = 0;
    let high2 = 0;
    let notHigh2 = 0;
    for (let k = 0, i = start; k < presentCount; k++) {
      const end = runEnd[k];
      let l = 0;
      let h = 0;
      while (i < end) {
        const stop = end - i > chunk ? i + chunk : end;
        let sums = 0;
        for (; i < stop; i++) {
          const entry = entries[i];
          sums = (sums + ((entry >>> 24) << codes[place + (entry & ITEM)])) | 0;
        }
        l += sums & TERNARY_CAPACITY;
        h += (sums >> 15) & TERNARY_CAPACITY;
      }
      const t = total[k];
      low += l;
      high += h;
      low2 += l * l;
      notLow2 += (t - l) * (t - l);
      high2 += h * h;
      notHigh2 += (t - h) * (t - h);
    }
    const middle = nodeWeight - low - high;
    if (low === nodeWeight || high === nodeWeight || middle === nodeWeight) return false;
    const top = levels - 1;
    const fits = (code: number): boolean =>
      this.options.minSamplesLeaf === 1 || this.keepsEnough(place, code, start);
    if (low > 0 && fits(TERNARY_CODES.low))
      this.offer(feature, 0, middle > 0 ? 1 : top, low2 / low + notLow2 / (nodeWeight - low));
    // The upper threshold, unless it is the one above.
    if (high > 0 && middle > 0 && fits(TERNARY_CODES.high))
      this.offer(feature, 1, 2, notHigh2 / (nodeWeight - high) + high2 / high);
    return true;
  }

  /** Whether enough items, each counted once, have the code, and enough have not. */
  private keepsEnough(place: number, code: number, start: number): boolean {
    const codes = this.data.columns.narrow;
    const end = this.runEnd[this.presentCount - 1];
    const least = this.options.minSamplesLeaf;
    let n = 0;
    for (let i = start; i < end; i++) if (codes[place + (this.entries[i] & ITEM)] === code) n++;
    return n >= least && end - start - n >= least;
  }

  /** Some values: a table of weights by value and class. */
  private tryCounted(place: number, feature: number, levels: number, start: number): boolean {
    const { counts, items, entries, shift, runEnd, presentCount, leftCounts, total, nodeWeight } = this;
    const codes = this.data.columns.narrow;
    for (let k = 0, i = start; k < presentCount; k++) {
      leftCounts[k] = 0;
      for (; i < runEnd[k]; i++) {
        const entry = entries[i];
        const code = codes[place + (entry & ITEM)];
        counts[(code << shift) | k] += entry >>> 24;
        items[code]++;
      }
    }
    const size = runEnd[presentCount - 1] - start;
    const least = this.options.minSamplesLeaf;
    let leftWeight = 0;
    let leftItems = 0;
    let last = -1;
    let varies = false;
    for (let level = 0; level < levels; level++) {
      let here = 0;
      for (let k = 0; k < presentCount; k++) here += counts[(level << shift) | k];
      if (here === 0) continue;
      if (last >= 0) {
        varies = true;
        if (leftItems >= least && size - leftItems >= least) {
          let left = 0;
          let right = 0;
          for (let k = 0; k < presentCount; k++) {
            const l = leftCounts[k];
            const r = total[k] - l;
            left += l * l;
            right += r * r;
          }
          this.offer(feature, last, level, left / leftWeight + right / (nodeWeight - leftWeight));
        }
      }
      for (let k = 0; k < presentCount; k++) {
        leftCounts[k] += counts[(level << shift) | k];
        counts[(level << shift) | k] = 0;
      }
      leftWeight += here;
      leftItems += items[level];
      items[level] = 0;
      last = level;
    }
    return varies;
  }

  /** Many values: by sorting. */
  private trySorted(
    codes: Uint8Array | Uint32Array,
    place: number,
    feature: number,
    start: number,
    end: number,
  ): boolean {
    const { entries, runEnd, presentCount, leftCounts, total, nodeWeight } = this;
    const span = end - start;
    const keys = this.keys.subarray(0, span);
    // Code, class and weight in one number: plain numbers sort several times faster than by a comparison.
    const perCode = presentCount * 256;
    for (let k = 0, i = start; k < presentCount; k++) {
      leftCounts[k] = 0;
      for (; i < runEnd[k]; i++) {
        const entry = entries[i];
        keys[i - start] = codes[place + (entry & ITEM)] * perCode + k * 256 + (entry >>> 24);
      }
    }
    keys.sort();
    let code = Math.floor(keys[0] / perCode);
    if (code === Math.floor(keys[span - 1] / perCode)) return false;
    let left = 0;
    let right = 0;
    let leftWeight = 0;
    for (let k = 0; k < presentCount; k++) right += total[k] * total[k];
    const least = this.options.minSamplesLeaf;
    for (let i = 0; i < span; i++) {
      const next = Math.floor(keys[i] / perCode);
      const mark = keys[i] - next * perCode;
      const k = mark >> 8;
      const w = mark & 255;
      if (next !== code) {
        if (i >= least && span - i >= least)
          this.offer(feature, code, next, left / leftWeight + right / (nodeWeight - leftWeight));
        code = next;
      }
      // (l + w)^2 - l^2 and r^2 - (r - w)^2.
      left += w * (2 * leftCounts[k] + w);
      right -= w * (2 * (total[k] - leftCounts[k]) - w);
      leftCounts[k] += w;
      leftWeight += w;
    }
    return true;
  }

  /** `score`: sum of squared class weights over weight, of both sides; the greater, the purer. */
  private offer(feature: number, low: number, high: number, score: number): void {
    if (score <= this.bestScore) return;
    this.bestScore = score;
    this.bestFeature = feature;
    this.bestLevel = low;
    const { from, values } = this.data.columns;
    const a = values[from[feature] + low];
    const b = values[from[feature] + high];
    const middle = a / 2 + b / 2;
    this.bestThreshold = middle < b ? middle : a;
  }

  /** Items of the left side first, both sides in their order; returns where the right side begins. */
  private partition(start: number, end: number): number {
    const { entries, moved, bestFeature, bestLevel } = this;
    const { columns } = this.data;
    const codes = codesOf(columns, bestFeature);
    const place = columns.place[bestFeature];
    const ternary = levelsOf(columns, bestFeature) <= 3;
    let at = start;
    let right = 0;
    for (let i = start; i < end; i++) {
      const entry = entries[i];
      const code = codes[place + (entry & ITEM)];
      const isLeft = ternary
        ? bestLevel === 0
          ? code === TERNARY_CODES.low
          : code !== TERNARY_CODES.high
        : code <= bestLevel;
      if (isLeft) entries[at++] = entry;
      else moved[right++] = entry;
    }
    for (let i = 0; i < right; i++) entries[at + i] = moved[i];
    return at;
  }
}
