/**
 * An oddity in the data. Data from the wire, and data from a model, is malformed by nature: oddities are named,
 * placed and counted, and never thrown.
 */
export interface Problem {
  /** Stable snake_case name, e.g. `ipv4_truncated`. */
  code: string;
  /** The part that noticed: a protocol (`tcp`), a file format (`pcap`) or a layout (`compact`). */
  layer: string;
  /** Byte offset in the packet, file or token sequence. */
  offset: number;
  message: string;
}

/** Counts problems by code and keeps the first few of each as examples. */
export class ProblemCounter {
  readonly counts = new Map<string, number>();
  readonly examples = new Map<string, Problem[]>();

  constructor(private readonly keep = 3) {}

  add(problem: Problem): void {
    this.counts.set(problem.code, (this.counts.get(problem.code) ?? 0) + 1);
    const examples = this.examples.get(problem.code);
    if (!examples) this.examples.set(problem.code, [problem]);
    else if (examples.length < this.keep) examples.push(problem);
  }

  addAll(problems: Iterable<Problem>): void {
    for (const problem of problems) this.add(problem);
  }

  get total(): number {
    let sum = 0;
    for (const n of this.counts.values()) sum += n;
    return sum;
  }

  /** `{code: n}`, most frequent first. */
  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort((a, b) => b[1] - a[1]));
  }
}
