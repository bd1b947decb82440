/** A progress bar inside a cell's output. */
import { formatDuration, TerminalProgress, type OnProgress, type ProgressUpdate } from '../util';
import { escapeHtml, inNotebook, LiveDisplay } from './display';

/** Pass `report` as any function's `onProgress`, and call `finish` at its end. */
export interface ProgressBar {
  report: OnProgress;
  finish(note?: string): void;
}

/** A bar in the notebook, redrawn in place at most five times a second; in a terminal, a terminal's bar. */
export function progressBar(title: string): ProgressBar {
  return inNotebook() ? new CellProgress(title) : new TerminalProgress(title);
}

class CellProgress implements ProgressBar {
  private readonly display = new LiveDisplay();
  private readonly started = Date.now();
  private last = 0;
  private latest?: ProgressUpdate;

  constructor(private readonly title: string) {}

  readonly report: OnProgress = (update) => {
    this.latest = update;
    const now = Date.now();
    if (now - this.last < 200) return;
    this.last = now;
    this.draw(update, this.describe(update));
  };

  finish(note?: string): void {
    const u = this.latest;
    const seconds = formatDuration((Date.now() - this.started) / 1000);
    const done = u ? `${u.done.toLocaleString('en')} ${u.unit} ` : '';
    const text = `${done}in ${seconds}${note ? `, ${note}` : ''}`;
    this.draw({ done: 1, total: 1, unit: '' }, text);
  }

  private describe(u: ProgressUpdate): string {
    const seconds = (Date.now() - this.started) / 1000;
    const rate = u.done / Math.max(seconds, 1e-3);
    const speed = `${rate >= 100 ? Math.round(rate).toLocaleString('en') : rate.toPrecision(2)} ${u.unit}/s`;
    const count = `${u.done.toLocaleString('en')}${u.total === undefined ? '' : `/${u.total.toLocaleString('en')}`} ${u.unit}`;
    const left = u.total && rate > 0 ? ` · ${formatDuration(Math.max(0, u.total - u.done) / rate)} left` : '';
    return `${count} · ${speed}${left}${u.detail ? ` · ${u.detail}` : ''}`;
  }

  private draw(u: ProgressUpdate, text: string): void {
    const bar =
      u.total === undefined
        ? ''
        : `<progress value="${u.done}" max="${u.total}" style="width:16em;vertical-align:middle"></progress> `;
    this.display.update({
      'text/html': `<div><b>${escapeHtml(this.title)}</b> ${bar}${escapeHtml(text)}</div>`,
      'text/plain': `${this.title}: ${text}`,
    });
  }
}
