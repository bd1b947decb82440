import type { Rng } from '../util';
import type { TrainingTrace } from './generator';

/** Real times between packets, by label; drawn one by one, so bursts are lost. */
export class Gaps {
  private readonly micros = new Map<string, number[]>();

  fit(traces: readonly TrainingTrace[]): void {
    this.micros.clear();
    for (const { label, frames } of traces) {
      let gaps = this.micros.get(label);
      if (!gaps) this.micros.set(label, (gaps = []));
      for (let i = 1; i < frames.length; i++)
        gaps.push(Math.max(0, frames[i].tsMicros - frames[i - 1].tsMicros));
    }
  }

  /** Timestamps of successive packets in microseconds, from 2000-01-01 UTC on. */
  clock(label: string, rng: Rng): () => number {
    const gaps = this.micros.get(label) ?? [];
    let now = Date.UTC(2000, 0, 1) * 1000;
    return () => {
      const at = now;
      now += gaps.length > 0 ? gaps[rng.int(gaps.length)] : 1000;
      return at;
    };
  }
}
