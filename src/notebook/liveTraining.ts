/** A training run as a cell's output: bar, chart, table of evaluations and a few packets, all in one place. */
import type { EvalMetrics, History, RunStart, StepMetrics } from '../train';
import { formatDuration, formatNumber, TerminalProgress, type ProgressUpdate } from '../util';
import { trainingChart } from '../viz';
import { escapeHtml, inNotebook, LiveDisplay, textTable } from './display';
import type { SampledPacket } from './samplePackets';

/** Evaluations in the table; earlier ones are in the chart. */
const ROWS = 6;
const PER_SECOND = 4;

/** Everything that is shown. */
export interface TrainingView {
  title: string;
  steps: readonly StepMetrics[];
  evals: readonly EvalMetrics[];
  best: { step: number; lossNats: number } | null;
  progress?: ProgressUpdate;
  /** Seconds of this call. */
  seconds: number;
  /** What an evaluation's model drew. */
  sample?: { step: number; label: string; packets: readonly SampledPacket[] };
  notes: readonly string[];
  /** Why it ended; undefined while it runs. */
  ended?: string;
}

/** Shows a run while it goes on: in a notebook in place, at most four times a second; in a terminal as lines. */
export class LiveTraining {
  private readonly display = new LiveDisplay();
  private readonly terminal?: TerminalProgress;
  private readonly started = Date.now();
  private readonly steps: StepMetrics[] = [];
  private readonly evals: EvalMetrics[] = [];
  private best: TrainingView['best'] = null;
  private progress?: ProgressUpdate;
  private sample?: TrainingView['sample'];
  private notes: readonly string[] = [];
  private last = 0;

  constructor(private readonly title: string) {
    if (!inNotebook()) this.terminal = new TerminalProgress(title);
  }

  readonly onStart = ({ notes, step }: RunStart): void => {
    this.notes = [...(step > 0 ? [`goes on from update ${step.toLocaleString('en')}`] : []), ...notes];
    this.draw();
  };

  readonly onStep = (metrics: StepMetrics): void => {
    this.steps.push(metrics);
  };

  readonly onProgress = (update: ProgressUpdate): void => {
    this.progress = update;
    this.terminal?.report(update);
    if (Date.now() - this.last >= 1000 / PER_SECOND) this.draw();
  };

  onEval(metrics: EvalMetrics): void {
    this.evals.push(metrics);
    if (this.best === null || metrics.lossNats < this.best.lossNats)
      this.best = { step: metrics.step, lossNats: metrics.lossNats };
    this.draw();
  }

  onSample(sample: NonNullable<TrainingView['sample']>): void {
    this.sample = sample;
    this.draw();
    if (this.terminal) console.log(trainingText(this.view()).split('\n').slice(1).join('\n'));
  }

  /** The final state: all of the history, those of earlier calls too. */
  finish(history: History): void {
    this.terminal?.finish(endOf(history));
    this.show({
      ...this.view(),
      steps: history.steps,
      evals: history.evals,
      best: history.best,
      notes: history.notes,
      ended: endOf(history),
    });
  }

  private view(): TrainingView {
    const { title, steps, evals, best, progress, sample, notes } = this;
    return {
      title,
      steps,
      evals,
      best,
      progress,
      sample,
      notes,
      seconds: (Date.now() - this.started) / 1000,
    };
  }

  private draw(): void {
    this.last = Date.now();
    if (!this.terminal) this.show(this.view());
  }

  private show(view: TrainingView): void {
    this.display.update({ 'text/html': trainingHtml(view), 'text/plain': trainingText(view) });
  }
}

/** In words: why a run ended, and what to do to go on. */
export function endOf({ stopped, step, run, best }: History): string {
  const model = best ? `the model of update ${best.step} (the best) is in ${run}` : `the model is in ${run}`;
  const why = {
    steps: `all ${step.toLocaleString('en')} updates done`,
    time: `out of time after ${step.toLocaleString('en')} updates`,
    interrupt: `interrupted after ${step.toLocaleString('en')} updates: nothing is lost, \`resume: true\` goes on`,
    patience: `stopped early after ${step.toLocaleString('en')} updates: no better evaluation any more`,
  }[stopped];
  return `${why}; ${model}`;
}

/** One element of fixed size, so that the page does not jump. */
export function trainingHtml(view: TrainingView): string {
  const { title, progress, sample, notes, ended } = view;
  const share = ended ? 1 : progress?.total ? progress.done / progress.total : 0;
  const bar = `<progress value="${ended ? 1 : Math.min(1, share).toFixed(4)}" max="1" style="width:14em;vertical-align:middle"></progress>`;
  const drawn = sample
    ? `<div style="margin-top:.5em"><b>drawn at update ${sample.step}</b>, label ${escapeHtml(sample.label)}, behind the first packets of a validation session</div><div>` +
      `<pre style="margin:.2em 0;white-space:pre-wrap;font-size:12px;line-height:1.45">${sample.packets
        .map((packet) => `${packet.ok ? '✔' : '✘'} ${escapeHtml(sampleText(packet))}`)
        .join('\n')}</pre></div>`
    : '';
  const remarks = notes
    .map((note) => `<div style="font-size:.9em;opacity:.8">ⓘ ${inlineCode(note)}</div>`)
    .join('');
  return (
    `<div class="netssm-fit" style="max-width:920px"><div style="margin-bottom:.3em"><b>${escapeHtml(title)}</b> ${bar} ${escapeHtml(statusLine(view))}</div>` +
    `<div style="overflow-x:auto">${trainingChart(view)}</div>${evaluationTable(view)}${drawn}${remarks}` +
    `${ended ? `<div>${inlineCode(ended)}.</div>` : ''}</div>`
  );
}

/** Text whose `code` is shown as code. */
function inlineCode(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

/** The same without pictures. */
export function trainingText(view: TrainingView): string {
  const { sample, ended, title } = view;
  const drawn = sample
    ? [
        `drawn at update ${sample.step}, label ${sample.label}:`,
        ...sample.packets.map((p) => `  ${p.ok ? '+' : '-'} ${sampleText(p)}`),
      ]
    : [];
  const rows = evaluationRows(view);
  const table =
    rows.length > 0
      ? [
          textTable(
            COLUMNS,
            rows,
            COLUMNS.map(() => 'right'),
          ),
        ]
      : [];
  return [`${title}: ${statusLine(view)}`, ...table, ...drawn, ...(ended ? [ended] : [])].join('\n');
}

function statusLine({ steps, progress, seconds, ended }: TrainingView): string {
  const last = steps.at(-1);
  if (!last) return ended ? '' : 'preparing';
  const loss = `loss ${formatNumber(last.lossNats, 4)}`;
  if (ended) return `${loss} nats, ${formatDuration(seconds)}`;
  const recent = steps.slice(-20);
  const ms = recent.reduce((sum, s) => sum + s.ms, 0);
  const rate = (1000 * recent.reduce((sum, s) => sum + s.tokens, 0)) / ms;
  const { done = 0, total, detail = '' } = progress ?? {};
  const left = total && done > 0 ? ` · ${formatDuration(((total - done) * seconds) / done)} left` : '';
  const count = total
    ? `${done.toLocaleString('en')}/${total.toLocaleString('en')} updates`
    : `${last.step} updates`;
  const doing = /validation, \d+ %/.exec(detail)?.[0];
  return `${count} · ${Math.round(rate).toLocaleString('en')} tokens/s · ${loss}${left}${doing ? ` · ${doing}` : ''}`;
}

function sampleText({ ok, tries, text }: SampledPacket): string {
  if (ok) return tries > 1 ? `${text}   (try ${tries})` : text;
  return `no packet in ${tries} tries, the last ${text}`;
}

const COLUMNS = ['update', 'training', 'validation', 'bits/byte', 'seconds'];

function evaluationRows({ steps, evals, best }: TrainingView): string[][] {
  const shown = evals.slice(-ROWS);
  return shown.map(({ step, lossNats, bitsPerByte, ms }) => {
    // Mean training loss since the evaluation before.
    const before = evals.filter((e) => e.step < step).at(-1)?.step ?? 0;
    const own = steps.filter((s) => s.step > before && s.step <= step);
    const tokens = own.reduce((sum, s) => sum + s.tokens, 0);
    const training = own.reduce((sum, s) => sum + s.lossNats * s.tokens, 0) / tokens;
    return [
      step.toLocaleString('en'),
      tokens > 0 ? training.toFixed(3) : '',
      `${lossNats.toFixed(3)}${best?.step === step ? ' *' : ''}`,
      bitsPerByte.toFixed(3),
      (ms / 1000).toFixed(1),
    ];
  });
}

function evaluationTable(view: TrainingView): string {
  const rows = evaluationRows(view);
  if (rows.length === 0) return '';
  const cells = (tag: string, row: readonly string[]): string =>
    row
      .map((cell) => `<${tag} style="text-align:right;padding:.1em .9em">${escapeHtml(cell)}</${tag}>`)
      .join('');
  return (
    `<table style="border-collapse:collapse;font-size:12.5px"><thead><tr>${cells('th', COLUMNS)}</tr></thead>` +
    `<tbody>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</tbody></table>`
  );
}
