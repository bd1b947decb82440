import type { Evaluation, TokenBaseline } from '../evaluate';
import { formatDuration, writeFileAtomic } from '../util';
import { escapeText, type TableSpec } from './html';
import { lossBars, lossCurve, type LossBar, type LossHistory } from './lossFigures';
import { complianceSection } from './reportCompliance';
import { memorisationSection } from './reportMemorisation';
import { ReportPage } from './reportPage';
import { semanticsSection } from './reportSemantics';
import { similaritySection } from './reportSimilarity';
import { scopeSentence, summaryCards } from './reportSummary';
import { trafficSection } from './reportTraffic';
import { utilitySection } from './reportUtility';
import { validitySection } from './reportValidity';
import type { FigureSpec } from './theme';

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

/**
 * Writes one HTML file with everything in it: tables, figures, and plotly.js (about 10 MB), so it opens anywhere and
 * needs no network. Where a figure cannot be drawn, a sentence says so and the tables hold its numbers.
 */
export function writeReport(path: string, input: ReportInput): void {
  writeFileAtomic(path, reportHtml(input));
}

/** The report as a string. `withPlotly: false` leaves plotly.js out: for tests. */
export function reportHtml(input: ReportInput, { withPlotly = true } = {}): string {
  const page = new ReportPage();
  const { evaluation } = input;
  summarySection(page, input);
  modelSection(page, input);
  if (evaluation) {
    trafficSection(page, evaluation, input.traces);
    similaritySection(page, evaluation);
    validitySection(page, evaluation);
    complianceSection(page, evaluation);
    semanticsSection(page, evaluation);
    memorisationSection(page, evaluation);
    utilitySection(page, evaluation);
  }
  for (const section of input.sections ?? []) {
    page.heading(section.title);
    if (section.text) page.text(section.text);
    if (section.table) page.table(section.table);
    page.figure(section.figure, section.caption ?? '');
  }
  provenanceSection(page, input);
  const date = evaluation?.date ?? new Date().toISOString();
  const when = `${date.slice(0, 16).replace('T', ' ')} UTC`;
  return page.toHtml(input.title, input.subtitle ?? '', when, withPlotly);
}

function modelBar(model: ReportModel | undefined): LossBar | undefined {
  return typeof model?.heldOutLossNats === 'number'
    ? { name: 'this model', lossNats: model.heldOutLossNats }
    : undefined;
}

function summarySection(page: ReportPage, { evaluation, model, baselines = [] }: ReportInput): void {
  page.heading('Summary');
  if (evaluation) page.text(scopeSentence(evaluation));
  const cards = summaryCards(evaluation, modelBar(model), baselines);
  if (cards.length > 0) {
    const html = cards.map(
      ({ value, title, beside }) =>
        `<div class="card"><b>${escapeText(value)}</b><span>${escapeText(title)}</span><i>${escapeText(beside)}</i></div>`,
    );
    page.html(`<div class="cards">${html.join('')}</div>`);
  }
  if (evaluation) page.list(evaluation.notes);
}

function modelSection(page: ReportPage, { history, model, baselines = [] }: ReportInput): void {
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

function provenanceSection(page: ReportPage, { evaluation, model, timings, provenance }: ReportInput): void {
  page.heading('How this came about', 'Origin');
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
