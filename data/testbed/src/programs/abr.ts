/** Adaptive bitrate and the playback buffer, shared by the players of the streaming classes. */

/** What one finished download tells: payload bytes and the seconds from request to last byte. */
export interface Sample {
  bytes: number;
  seconds: number;
}

/**
 * Chooses a representation by throughput and buffer. Throughput is the harmonic mean of the last
 * downloads (short ones say little and are left out), of which a safe share is used: less while the
 * buffer is short. Steps up go one rung at a time, and only with a margin, so that the choice does not
 * flicker; below a tenth of the target everything else counts less than not stalling.
 */
export class RateChooser {
  private readonly samples: Sample[] = [];
  private rung: number;

  /** @param kbits bitrates, ascending; @param first the rung to begin with */
  constructor(
    private readonly kbits: readonly number[],
    first = 0,
  ) {
    this.rung = Math.min(first, kbits.length - 1);
  }

  add(sample: Sample): void {
    if (sample.bytes < 8000) return;
    this.samples.push(sample);
    if (this.samples.length > 5) this.samples.shift();
  }

  /** Estimated throughput in kbit/s; undefined before the first sample. */
  get throughputKbit(): number | undefined {
    if (this.samples.length === 0) return undefined;
    const perBit = this.samples.reduce((sum, { bytes, seconds }) => sum + seconds / ((bytes * 8) / 1000), 0);
    return this.samples.length / perBit;
  }

  /** The rung for the next segment. `bufferShare` is the buffer's level as a share of its target. */
  next(bufferShare: number): number {
    const throughput = this.throughputKbit;
    if (throughput === undefined) return this.rung;
    const safe = throughput * (bufferShare < 0.3 ? 0.55 : bufferShare < 0.7 ? 0.7 : 0.85);
    let fits = 0;
    while (fits + 1 < this.kbits.length && this.kbits[fits + 1] <= safe) fits++;
    if (fits > this.rung) {
      const margin = this.kbits[this.rung + 1] <= safe * 0.9;
      if (margin) this.rung++;
    } else if (fits < this.rung) this.rung = bufferShare < 0.1 ? 0 : fits;
    return this.rung;
  }
}

/** Seconds of media downloaded and not yet played. Playing starts once `startSeconds` are there. */
export class PlaybackBuffer {
  private level = 0;
  private playing = false;
  private last: number;
  /** Seconds spent waiting for media after playing had begun. */
  stalled = 0;

  constructor(
    private readonly startSeconds: number,
    private readonly now: () => number = () => performance.now() / 1000,
  ) {
    this.last = this.now();
  }

  add(seconds: number): void {
    this.update();
    this.level += seconds;
    if (this.level >= this.startSeconds) this.playing = true;
  }

  /** A seek: what was downloaded is of no use. */
  flush(): void {
    this.update();
    this.level = 0;
    this.playing = false;
  }

  get seconds(): number {
    this.update();
    return this.level;
  }

  private update(): void {
    const now = this.now();
    const passed = now - this.last;
    this.last = now;
    if (!this.playing) return;
    if (passed > this.level) this.stalled += passed - this.level;
    this.level = Math.max(0, this.level - passed);
  }
}
