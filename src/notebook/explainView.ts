/** Explanations in notebooks: with the names of header fields, and as pictures. The numbers come from `netssm/generate`. */
import type { Frame } from '../capture';
import {
  captureExplanationLine,
  explain as explainTokens,
  explainCapture as explainPackets,
  explanationLine,
  stepThrough as stepTokens,
  stepThroughLine,
  type CaptureExplanation,
  type ExplainCaptureOptions,
  type ExplainedToken,
  type ExplainOptions,
  type Explanation,
  type FieldBits,
  type LoadedModel,
  type StepThrough,
  type StepThroughOptions,
} from '../generate';
import { annotateTokens, explainFigure, fieldBits, fieldTitle, packetBits, stepFigure } from '../viz';
import { escapeHtml, tableBundle, textTable, type MimeBundle } from './display';
import { slider, sliderHtml, type SliderFrame, type SliderOptions } from './slider';
import { staticSvg } from './staticFigure';

/** `explain` of `netssm/generate`, with the header fields named. */
export function explain(
  model: LoadedModel,
  packets: readonly Frame[],
  options: Omit<ExplainOptions, 'fields'> = {},
): Promise<Explanation> {
  return explainTokens(model, packets, { ...options, fields: annotateTokens });
}

/** `explainCapture` of `netssm/generate`, with the header fields named. */
export function explainCapture(
  model: LoadedModel,
  packets: readonly Frame[],
  options: Omit<ExplainCaptureOptions, 'fields'> = {},
): Promise<CaptureExplanation> {
  return explainPackets(model, packets, { ...options, fields: annotateTokens });
}

/** `stepThrough` of `netssm/generate`, with the header fields named. */
export function stepThrough(
  model: LoadedModel,
  options: Omit<StepThroughOptions, 'fields'> = {},
): Promise<StepThrough> {
  return stepTokens(model, { ...options, fields: annotateTokens });
}

/** Shows a trace draw by draw, with a slider; saved as `<id>.html` and `<id>.json`, see {@link slider}. */
export function stepSlider(id: string, through: StepThrough, options: SliderOptions = {}): void {
  slider(id, stepFrames(through), { start: 0, title: 'draw', caption: stepThroughLine(through), ...options });
}

function stepFrames(through: StepThrough): SliderFrame[] {
  return through.steps.map((step, i) => ({
    label: `${i + 1} of ${through.steps.length}: ${step.text}`,
    show: stepFigure(through, i),
  }));
}

/** Figure, then tables of fields and tokens that open. `number`: see `explanationLine`. */
export function explanationBundle(explanation: Explanation, number = explanation.packet): MimeBundle {
  const html = [
    explainFigure(explanation, number),
    details('Bits by header field', tableBundle(fieldRows(explanation.fields))),
    details('Every token, with what could have come', tableBundle(tokenRows(explanation.tokens))),
  ].join('');
  return { 'text/html': html, 'text/plain': explanationText(explanation, number) };
}

/** Bars of the fields, bits of the packets in order, and a table that opens. */
export function captureExplanationBundle(explanation: CaptureExplanation): MimeBundle {
  const svg = [fieldBits(explanation.fields), packetBits(explanation)]
    .map((spec) => staticSvg(spec, { standalone: false }) ?? '')
    .join('');
  const table = details('All header fields', tableBundle(fieldRows(explanation.fields)));
  const line = `<p>${escapeHtml(captureExplanationLine(explanation))}</p>`;
  return { 'text/html': line + svg + table, 'text/plain': captureExplanationText(explanation) };
}

/** Sliders that show themselves, for names of their own. */
let shown = 0;

/** A slider over the draws. */
export function stepThroughBundle(through: StepThrough): MimeBundle {
  const options = { start: 0, title: 'draw', caption: stepThroughLine(through) };
  return {
    'text/html': sliderHtml(`steps-${++shown}`, stepFrames(through), options),
    'text/plain': stepThroughText(through),
  };
}

/** How these values look as the last expression of a cell; listed in richValues.ts. */
export const EXPLAIN_FORMATS = [
  {
    accepts: (v: Record<string, unknown>) => v.format === 'netssm-explanation',
    bundle: (v: Explanation) => explanationBundle(v),
  },
  {
    accepts: (v: Record<string, unknown>) => v.format === 'netssm-capture-explanation',
    bundle: captureExplanationBundle,
  },
  { accepts: (v: Record<string, unknown>) => v.format === 'netssm-steps', bundle: stepThroughBundle },
];

/** The packet as a table for terminals: a token a line, then sums by field. `number`: see `explanationLine`. */
export function explanationText(explanation: Explanation, number = explanation.packet): string {
  const { tokens, fields, summary, contextPackets, contextTokens, label, labelGiven } = explanation;
  const found = labelGiven ? '' : ' (not given: the one under which these tokens surprise least)';
  const columns = [
    'at',
    'field',
    'Wireshark',
    'came',
    'expected',
    'prob.',
    'surprise',
    'entropy',
    '',
    'Delta',
    '|h|',
    'says',
  ];
  const rows = tokens.map((token) => {
    const best = token.expected[0];
    return [
      String(token.position),
      fieldTitle(token),
      token.wireshark ?? '',
      token.text,
      best.token === token.token ? '=' : best.text,
      best.probability.toFixed(3),
      token.surpriseBits.toFixed(2),
      token.entropyBits.toFixed(2),
      token.verdict,
      means(token, ({ delta }) => delta),
      means(token, ({ stateNorm }) => stateNorm),
      sayings(token),
    ];
  });
  const right = (name: string) => ['at', 'prob.', 'surprise', 'entropy'].includes(name);
  return [
    explanationLine(explanation, number),
    summary,
    `label ${label}${found}; ${contextPackets} packets (${contextTokens} tokens) read before`,
    '',
    textTable(
      columns,
      rows,
      columns.map((name) => (right(name) ? 'right' : 'left')),
    ),
    '',
    fieldText(fields),
    '',
    'surprise and entropy in bits; law: the model was sure and right, free: it was not sure, broken: sure and wrong;',
    'prob.: of the expected token; Delta: step size; |h|: norm of the state after the token; both by layer.',
  ].join('\n');
}

/** Sums by field for terminals. */
export function captureExplanationText(explanation: CaptureExplanation): string {
  const { fields, refused, labelGiven, label } = explanation;
  return [
    captureExplanationLine(explanation),
    ...(labelGiven ? [] : [`label ${label}: not given, the one under which these tokens surprise least`]),
    ...(refused > 0 ? [`${refused} packets are not among the tokens: the layout cannot hold them`] : []),
    '',
    fieldText(fields),
  ].join('\n');
}

/** A draw a line. */
export function stepThroughText(through: StepThrough): string {
  const columns = ['packet', 'try', 'field', 'drawn', 'prob.', 'what else'];
  const rows = through.steps.map((step) => [
    String(step.packet + 1),
    String(step.attempt + 1),
    step.field ?? '',
    step.text,
    step.probability.toFixed(3),
    step.candidates
      .filter(({ token }) => token !== step.token)
      .slice(0, 3)
      .map(({ text, probability }) => `${text} ${probability.toFixed(2)}`)
      .join(', '),
  ]);
  return `${stepThroughLine(through)}\n${textTable(columns, rows, ['right', 'right', 'left', 'left', 'right'])}`;
}

function fieldText(fields: readonly FieldBits[]): string {
  const columns = ['field', 'Wireshark', 'tokens', 'bits', 'expected', 'law', 'free', 'broken'];
  const rows = fields.map((row) => [
    fieldTitle(row),
    row.wireshark ?? '',
    String(row.tokens),
    row.bits.toFixed(1),
    row.entropyBits.toFixed(1),
    String(row.law),
    String(row.free),
    String(row.broken),
  ]);
  return textTable(columns, rows, ['left', 'left', ...columns.slice(2).map(() => 'right')]);
}

function fieldRows(fields: readonly FieldBits[]): Record<string, unknown>[] {
  return fields.map((row) => ({
    field: fieldTitle(row),
    Wireshark: row.wireshark ?? '',
    tokens: row.tokens,
    'surprise, bits': row.bits,
    'entropy, bits': row.entropyBits,
    law: row.law,
    free: row.free,
    broken: row.broken,
  }));
}

function tokenRows(tokens: readonly ExplainedToken[]): Record<string, unknown>[] {
  return tokens.map((token) => ({
    at: token.position,
    field: fieldTitle(token),
    came: token.text,
    'which says': token.meaning ?? token.fieldMeaning,
    'expected, likeliest first': token.expected
      .filter(({ probability }, i) => i === 0 || probability >= SHOWN_PROBABILITY)
      .map(
        ({ text, probability, meaning }) =>
          `${text} ${probability.toFixed(3)}${meaning ? ` (${meaning})` : ''}`,
      )
      .join('; '),
    'surprise, bits': token.surpriseBits,
    'entropy, bits': token.entropyBits,
    verdict: token.verdict,
    'Delta by layer': means(token, ({ delta }) => delta),
    'decay by layer': means(token, ({ decay }) => decay),
    '|h| by layer': means(token, ({ stateNorm }) => stateNorm),
    'change of h': means(token, ({ stateChange }) => stateChange),
  }));
}

/** Candidates below are left out in tables, the first one never; the JSON has them all. */
const SHOWN_PROBABILITY = 0.001;

/** Layers beyond these are left out in tables; the JSON has them all. */
const SHOWN_LAYERS = 4;

function means({ layers }: ExplainedToken, of: (layer: ExplainedToken['layers'][number]) => number): string {
  const texts = layers.slice(0, SHOWN_LAYERS).map((layer) => String(Number(of(layer).toPrecision(2))));
  return texts.join(' ') + (layers.length > SHOWN_LAYERS ? ' …' : '');
}

/** What came, and what was expected where it is something else. */
function sayings({ meaning, fieldMeaning, expected, token }: ExplainedToken): string {
  const came = meaning ?? fieldMeaning;
  const best = expected[0];
  return best.token === token || !best.meaning ? came : `${came}; expected: ${best.meaning}`;
}

function details(title: string, bundle: MimeBundle): string {
  return `<details><summary>${escapeHtml(title)}</summary>${bundle['text/html']}</details>`;
}
