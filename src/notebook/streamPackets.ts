/** Packets as they are drawn, one by one. */
import {
  firstTryRate,
  generateTraces,
  type GeneratedTrace,
  type GenerateRequest,
  type PacketEvent,
} from '../generate';
import { decodeFrame, summarize } from '../packets';
import { withInterrupt } from '../train';
import { formatDuration, TerminalProgress, type ProgressUpdate } from '../util';
import { escapeHtml, inNotebook, LiveDisplay } from './display';

export interface StreamOptions {
  /** Above the packets. Default: the label. */
  title?: string;
  /** Packets of each trace that are on view; earlier ones scroll away. Default 12. */
  rows?: number;
  /** Traces that are shown; the others are only counted. Default 3. */
  traces?: number;
}

const PER_SECOND = 4;

/**
 * `generateTraces` with its packets shown while they are drawn. The interrupt button stops it: the traces that are
 * done and the beginnings of those under way are kept and returned, and the cell ends normally.
 * @example
 * const traces = await streamPackets({ model, label: 'web', packets: 200 });
 */
export function streamPackets(
  request: GenerateRequest,
  options: StreamOptions = {},
): Promise<GeneratedTrace[]> {
  return withInterrupt(request.signal, async (signal) => {
    const view = new PacketStream(request, options);
    const traces = await generateTraces({
      ...request,
      signal,
      onPacket: (event) => {
        view.add(event);
        request.onPacket?.(event);
      },
      onProgress: (update) => {
        view.onProgress(update);
        request.onProgress?.(update);
      },
    });
    view.finish(traces, signal.aborted);
    return traces;
  });
}

/** A packet in a list. */
interface Line {
  prompt: boolean;
  seconds: number;
  text: string;
}

class PacketStream {
  private readonly display = new LiveDisplay();
  private readonly terminal?: TerminalProgress;
  private readonly started = Date.now();
  private readonly lines = new Map<number, Line[]>();
  private readonly counts = new Map<number, number>();
  private readonly first = new Map<number, number>();
  private progress?: ProgressUpdate;
  private last = 0;

  constructor(
    private readonly request: GenerateRequest,
    private readonly options: StreamOptions,
  ) {
    if (!inNotebook()) this.terminal = new TerminalProgress(this.title);
  }

  private get title(): string {
    return this.options.title ?? `drawing ${this.request.label}`;
  }

  add({ trace, frame, prompt }: PacketEvent): void {
    const { rows = 12, traces = 3 } = this.options;
    this.counts.set(trace, (this.counts.get(trace) ?? 0) + 1);
    if (!this.first.has(trace)) this.first.set(trace, frame.tsMicros);
    if (trace >= traces) return;
    let own = this.lines.get(trace);
    if (!own) this.lines.set(trace, (own = []));
    const text = summarize(decodeFrame(frame)).replace(/, options \[[^\]]*\]/, '');
    own.push({ prompt, seconds: (frame.tsMicros - this.first.get(trace)!) / 1e6, text });
    if (own.length > rows) own.shift();
    if (this.terminal && trace === 0) console.log(`${prompt ? 'prompt' : 'drawn '} ${text}`);
    this.draw(`${this.total().toLocaleString('en')} packets`);
  }

  onProgress(update: ProgressUpdate): void {
    this.progress = update;
    this.terminal?.report(update);
  }

  finish(traces: readonly GeneratedTrace[], interrupted: boolean): void {
    const packets = traces.reduce((sum, { report }) => sum + report.packets, 0);
    const rate = firstTryRate(...traces.map(({ report }) => report));
    const stopped = interrupted ? ', interrupted: what was drawn is kept' : '';
    const tried = rate === undefined ? '' : `, ${(100 * rate).toFixed(1)} % decoded at first try`;
    const seconds = formatDuration((Date.now() - this.started) / 1000);
    const text = `${packets.toLocaleString('en')} packets in ${traces.length === 1 ? 'one trace' : `${traces.length} traces`}, ${seconds}${tried}${stopped}`;
    if (this.terminal) this.terminal.finish(text);
    else this.draw(text, true);
  }

  private total(): number {
    return [...this.counts.values()].reduce((a, b) => a + b, 0);
  }

  private draw(text: string, now = false): void {
    if (this.terminal || (!now && Date.now() - this.last < 1000 / PER_SECOND)) return;
    this.last = Date.now();
    const lists = [...this.lines].sort(([a], [b]) => a - b);
    const { done = 0, total = 0, detail = '' } = this.progress ?? {};
    const bar = now
      ? ''
      : `<progress value="${done}" max="${Math.max(1, total)}" style="width:14em;vertical-align:middle"></progress> `;
    const many = (this.request.count ?? 1) > 1;
    this.display.update({
      'text/html':
        `<div style="max-width:920px"><div><b>${escapeHtml(this.title)}</b> ${bar}${escapeHtml(text)}${!now && detail ? ` · ${escapeHtml(detail)}` : ''}</div>` +
        lists.map(([trace, lines]) => this.list(trace, lines, many)).join('') +
        '</div>',
      'text/plain': [
        `${this.title}: ${text}`,
        ...lists.flatMap(([, lines]) => lines.map((line) => `  ${line.text}`)),
      ].join('\n'),
    });
  }

  private list(trace: number, lines: readonly Line[], many: boolean): string {
    const count = this.counts.get(trace) ?? 0;
    const from = count - lines.length;
    const rows = lines.map(({ prompt, seconds, text }, i) => {
      const mark = prompt ? '<i title="given, not drawn">prompt</i>' : String(from + i);
      return `<tr><td style="text-align:right;padding:0 .8em;opacity:.7">${mark}</td><td style="text-align:right;padding-right:.8em;white-space:nowrap">${seconds.toFixed(4)} s</td><td style="text-align:left">${escapeHtml(text)}</td></tr>`;
    });
    const head = many
      ? `<div style="margin-top:.4em">trace ${trace}, ${count.toLocaleString('en')} packets</div>`
      : '';
    return `${head}<div style="overflow-x:auto"><table style="border-collapse:collapse;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace">${rows.join('')}</table></div>`;
  }
}
