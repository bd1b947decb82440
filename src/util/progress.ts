import { formatDuration } from './format';

/** One report of work under way. */
export interface ProgressUpdate {
  /** Units done and units in all (`total` undefined: unknown). */
  done: number;
  total?: number;
  /** What is being counted, in the plural: `packets`, `steps`, `tokens`. */
  unit: string;
  /** A few words more: the loss, the file. */
  detail?: string;
}

/** Long functions take one of these and call it as often as they like; the receiver throttles. */
export type OnProgress = (update: ProgressUpdate) => void;

/**
 * A progress bar for terminals and log files: on a terminal one line redrawn at 5 Hz, elsewhere a line every 10 s.
 * Silent for the first half second, so that quick work leaves no trace.
 */
export class TerminalProgress {
  private readonly started = Date.now();
  private last = 0;
  private drawn = false;
  private update?: ProgressUpdate;

  constructor(
    private readonly title: string,
    private readonly out: NodeJS.WriteStream = process.stderr,
  ) {}

  /** Pass this as the `onProgress` of anything. */
  readonly report: OnProgress = (update) => {
    this.update = update;
    const now = Date.now();
    const interval = this.out.isTTY ? 200 : 10_000;
    if (now - this.started < 500 || now - this.last < interval) return;
    this.last = now;
    this.draw(this.line(update));
  };

  /** Ends the bar, leaving one line that says how much was done and how long it took. */
  finish(note?: string): void {
    const seconds = (Date.now() - this.started) / 1000;
    if (!this.drawn && seconds < 0.5 && note === undefined) return;
    const u = this.update;
    const done = u ? ` ${u.done.toLocaleString('en')} ${u.unit}` : '';
    const text = `${this.title}:${done} in ${formatDuration(seconds)}${note ? `, ${note}` : ''}`;
    this.out.write(this.out.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
  }

  private line(u: ProgressUpdate): string {
    const seconds = (Date.now() - this.started) / 1000;
    const rate = u.done / Math.max(seconds, 1e-3);
    const detail = u.detail ? ` · ${u.detail}` : '';
    const speed = `${rate >= 100 ? Math.round(rate).toLocaleString('en') : rate.toPrecision(3)} ${u.unit}/s`;
    if (u.total === undefined)
      return `${this.title}: ${u.done.toLocaleString('en')} ${u.unit} · ${speed}${detail}`;
    const share = u.total > 0 ? Math.min(1, u.done / u.total) : 1;
    const width = 24;
    const filled = Math.round(share * width);
    const eta = rate > 0 ? formatDuration(Math.max(0, u.total - u.done) / rate) : '?';
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
    return `${this.title} ${bar} ${(share * 100).toFixed(0)} % · ${u.done.toLocaleString('en')}/${u.total.toLocaleString('en')} ${u.unit} · ${speed} · ${eta} left${detail}`;
  }

  private draw(text: string): void {
    this.drawn = true;
    const width = this.out.columns ?? 120;
    this.out.write(this.out.isTTY ? `\r\x1b[2K${text.slice(0, width - 1)}` : `${text}\n`);
  }
}
