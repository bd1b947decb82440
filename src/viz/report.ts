import type { Evaluation, TokenBaseline } from '../evaluate';
import { formatDuration, writeFileAtomic } from '../util';
import { drawScript, escapeText, figurePlace, htmlTable, plotlyScript, STYLE, type TableSpec } from './html';
import { lossBars, lossCurve, type LossBar, type LossHistory } from './lossFigures';
import {
  fieldTable,
  labelTable,
  problemTable,
  refusedTable,
  similarityTable,
  tcpTable,
  validityTable,
} from './reportTables';
import { scopeSentence, summaryCards } from './reportSummary';
import { similarityBars } from './similarityFigure';
import type { FigureSpec } from './theme';
import { bitStrip, fieldHistogram, packetLanes } from './trafficFigures';

/** What is known of the model: any fields of its netssm.json, shown as they are, and two that are drawn. */
export interface ReportModel {
  /** Loss on the captures that the baselines were judged on, in nats a token. */
  heldOutLossNats?: number;
  [more: string]: unknown;
}

/** A capture that was generated. */
export interface ReportTrace {
  file: string;
  label: string;
  packets: number;
  tokens?: number;
  /** Attempts that were no packet. */
  refused?: number;
}

/** A section of the caller's own, before the provenance. */
export interface ReportSection {
  title: string;
  /** Paragraphs; plain text. */
  text?: string;
  table?: TableSpec;
  figure?: FigureSpec;
  caption?: string;
}

export interface ReportInput {
  title: string;
  /** One sentence under the title. */
  subtitle?: string;
  evaluation: Evaluation | null;
  history?: LossHistory;
  model?: ReportModel;
  baselines?: readonly TokenBaseline[];
  /** Seconds, by what was done. */
  timings?: Readonly<Record<string, number>>;
  traces?: readonly ReportTrace[];
  sections?: readonly ReportSection[];
  /** Shown at the end: versions, machine, command, seed ... */
  provenance?: Readonly<Record<string, string | number>>;
}

/** Collects figures under ids while the page is written. */
class Page {
  readonly parts: string[] = [];
  readonly figures: Record<string, FigureSpec> = {};

  heading(title: string): void {
    this.parts.push(`<h2>${escapeText(title)}</h2>`);
  }

  text(text: string): void {
    for (const paragraph of text.split('\n\n')) this.parts.push(`<p>${escapeText(paragraph)}</p>`);
  }

  table(spec: TableSpec): void {
    if (spec.rows.length > 0 && spec.columns.length > 1) this.parts.push(htmlTable(spec));
  }

  figure(spec: FigureSpec | undefined, caption: string): void {
    if (!spec || spec.data.length === 0) return;
    const id = `figure-${Object.keys(this.figures).length + 1}`;
    this.figures[id] = spec;
    this.parts.push(figurePlace(id, spec, caption));
  }
}

/**
 * Writes one HTML file with everything in it: tables, figures, and plotly.js (about 10 MB), so it opens anywhere and
 * needs no network. Where a figure cannot be drawn, a sentence says so and the tables hold its numbers.
 */
export function writeReport(path: string, input: ReportInput): void {
  writeFileAtomic(path, reportHtml(input));
}

/** The report as a string. `withPlotly: false` leaves plotly.js out: for tests. */
export function reportHtml(input: ReportInput, { withPlotly = true } = {}): string {
  const page = new Page();
  summarySection(page, input);
  modelSection(page, input);
  if (input.evaluation) {
    trafficSection(page, input.evaluation, input.traces);
    if (input.evaluation.similarity.length > 0) similaritySection(page, input.evaluation);
    if (input.evaluation.validity.length > 0) validitySection(page, input.evaluation);
  }
  for (const section of input.sections ?? []) {
    page.heading(section.title);
    if (section.text) page.text(section.text);
    if (section.table) page.table(section.table);
    page.figure(section.figure, section.caption ?? '');
  }
  provenanceSection(page, input);
  const date = input.evaluation?.date ?? new Date().toISOString();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<title>${escapeText(input.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(input.title)}</h1>
<p class="sub">${input.subtitle ? `${escapeText(input.subtitle)}<br>` : ''}${escapeText(date.slice(0, 16).replace('T', ' '))} UTC</p>
${page.parts.join('\n')}
</main>
${withPlotly && Object.keys(page.figures).length > 0 ? plotlyScript() : ''}
${drawScript(page.figures)}
</body>
</html>
`;
}

function modelBar(model: ReportModel | undefined): LossBar | undefined {
  return typeof model?.heldOutLossNats === 'number'
    ? { name: 'this model', lossNats: model.heldOutLossNats }
    : undefined;
}

function summarySection(page: Page, { evaluation, model, baselines = [] }: ReportInput): void {
  if (evaluation) page.text(scopeSentence(evaluation));
  const cards = summaryCards(evaluation, modelBar(model), baselines);
  if (cards.length > 0) {
    const html = cards.map(
      ({ value, title, beside }) =>
        `<div class="card"><b>${escapeText(value)}</b><span>${escapeText(title)}</span><i>${escapeText(beside)}</i></div>`,
    );
    page.parts.push(`<div class="cards">${html.join('')}</div>`);
  }
  if (evaluation && evaluation.notes.length > 0) {
    page.parts.push(`<ul>${evaluation.notes.map((note) => `<li>${escapeText(note)}</li>`).join('')}</ul>`);
  }
}

function modelSection(page: Page, { history, model, baselines = [] }: ReportInput): void {
  const bar = modelBar(model);
  if (!bar && !history && baselines.length === 0) return;
  page.heading('The model');
  if (bar || baselines.length > 0) {
    page.figure(
      lossBars(bar, baselines),
      'Mean loss over the judged tokens of the held-out captures: as many of each, from its start; the labels are not counted. All baselines were fitted on the training captures that the model saw. The oracle is told who sends each packet before its first byte: a reference, not a bar.',
    );
    page.table({
      columns: ['', 'nats a token', 'bits a packet', 'tokens judged', 'how'],
      rows: [
        ...(bar
          ? [[bar.name, bar.lossNats.toFixed(4), modelBits(bar, baselines), baselines[0]?.tokens, '']]
          : []),
        ...baselines.map((b) => [
          b.name,
          b.lossNats.toFixed(4),
          b.bitsPerPacket.toFixed(1),
          b.tokens,
          b.description,
        ]),
      ],
      highlight: bar ? [0] : [],
    });
  }
  if (history && history.steps.length > 0) {
    page.figure(
      lossCurve(history),
      `${history.steps.length.toLocaleString('en')} updates. Each training value is a mean over one batch, before its update.`,
    );
  }
}

/** Bits a packet of the model, by the baselines' packets. */
function modelBits(bar: LossBar, baselines: readonly TokenBaseline[]): string | null {
  const [b] = baselines;
  return b ? ((b.bitsPerPacket / b.lossNats) * bar.lossNats).toFixed(1) : null;
}

function trafficSection(page: Page, evaluation: Evaluation, traces: readonly ReportTrace[] = []): void {
  page.heading('The traffic');
  page.figure(
    evaluation.figures.lanes.length > 0 ? packetLanes(evaluation.figures.lanes) : undefined,
    'Bars above the line go from client to server, below from server to client. A colour is a flow of its trace; the rarest flows are grey.',
  );
  if (traces.length > 0) {
    const shown = traces.slice(0, 60);
    page.table({
      caption: `Generated captures${traces.length > shown.length ? ` (first ${shown.length} of ${traces.length})` : ''}.`,
      columns: ['file', 'label', 'packets', 'tokens', 'attempts that were no packet'],
      rows: shown.map((t) => [t.file, t.label, t.packets, t.tokens, t.refused]),
    });
  }
  const { figures } = evaluation;
  page.figure(
    fieldHistogram(figures, 'wire.len', 'Packet length on the wire', 'bytes (lower edge of the bin)'),
    'All labels together, each as frequent as in the reference.',
  );
  page.figure(fieldHistogram(figures, 'tcp.flags', 'TCP flags', ''), 'All labels together.');
  page.figure(
    fieldHistogram(figures, 'tcp.window', 'TCP window', 'lower edge of the bin, not scaled'),
    'All labels together; the most frequent bins.',
  );
}

function similaritySection(page: Page, evaluation: Evaluation): void {
  page.heading('Similarity to real traffic');
  page.text(
    'Read every number between two others: the floor, which is what other real captures of the same labels score, and the ' +
      'far end (constant, other labels). A distance near that of byte marginals says that single bytes are right and nothing more; ' +
      'shuffled fields have every field right and no packet.',
  );
  page.figure(
    similarityBars(evaluation),
    'Sampling alone: packets drawn from the reference itself, as many as were judged.',
  );
  page.table(similarityTable(evaluation));
  page.table(labelTable(evaluation));
  page.table(fieldTable(evaluation));
  const strip = evaluation.figures.bitsOne;
  page.figure(
    strip.reference ? bitStrip(strip) : undefined,
    'Each column is one bit of the TCP header: how often it is 1 among TCP packets. Below, how far the last row is from the first.',
  );
}

function validitySection(page: Page, evaluation: Evaluation): void {
  page.heading('Validity');
  page.table(validityTable(evaluation));
  page.table(tcpTable(evaluation));
  page.table(refusedTable(evaluation));
  page.table(problemTable(evaluation));
}

function provenanceSection(page: Page, { evaluation, model, timings, provenance }: ReportInput): void {
  page.heading('How this came about');
  const rows: [string, string][] = [];
  if (evaluation) {
    rows.push([
      'evaluation',
      `${evaluation.date}, seed ${evaluation.seed}, suites ${evaluation.suites.join(', ')}`,
    ]);
    rows.push(['reference', `${evaluation.reference.path} (${evaluation.reference.floorKind})`]);
    for (const source of evaluation.sources) rows.push([source.name, source.description]);
    rows.push(...Object.entries(evaluation.provenance));
  }
  for (const [key, value] of Object.entries(model ?? {})) {
    if (value !== undefined && key !== 'baselines') rows.push([`model: ${key}`, plain(value)]);
  }
  for (const [key, value] of Object.entries(provenance ?? {})) rows.push([key, String(value)]);
  for (const [key, seconds] of Object.entries(timings ?? {}))
    rows.push([`time: ${key}`, formatDuration(seconds)]);
  page.table({ columns: ['what', 'value'], rows });
}

function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)} ...` : text;
}
