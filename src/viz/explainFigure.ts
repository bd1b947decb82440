/** A packet as a model sees it, and generation step by step: pictures of what `netssm/generate` explains. */
import type {
  CaptureExplanation,
  ExplainedToken,
  Explanation,
  FieldBits,
  GenerationStep,
  StepThrough,
} from '../generate';
import { FIELD_COLOURS, fieldKind } from './fieldColours';
import { escapeText } from './html';
import { px, svgPage, svgText } from './svgTheme';
import { COLORS, layout, type FigureSpec } from './theme';

const WIDTH = 900;
const LEFT = 128;
const COLUMN = 32;
/** Tokens side by side; longer packets go on below. */
const COLUMNS = 21;
/** Room for the slanting names of the fields. */
const NAMES = 104;
const NAME_LENGTH = 22;
const BAND_GAP = 16;
/** Models of more layers have flat rows without numbers. */
const NUMBERED_LAYERS = 6;

interface Row {
  title: string;
  height: number;
  cell(token: ExplainedToken, x: number, y: number): string;
}

/**
 * A packet's tokens in columns, their header fields above; below what came and what was expected, surprise and entropy
 * in bits, whether the token was law or free, and, layer by layer, the step size Delta and the norm of the state after
 * the token. Pointing at a column's upper cells tells all candidates. SVG, 900 wide.
 *
 * @param number what the packet is called, where packets are not counted from 0.
 */
export function explainFigure(explanation: Explanation, number = explanation.packet): string {
  const { tokens, summary, label, bits, model } = explanation;
  const bands = Array.from({ length: Math.max(1, Math.ceil(tokens.length / COLUMNS)) }, (_, i) =>
    tokens.slice(i * COLUMNS, (i + 1) * COLUMNS),
  );
  const rows = rowsOf(tokens);
  const bandHeight = NAMES + rows.reduce((sum, { height }) => sum + height, 0) + BAND_GAP;
  const title = `packet ${number} of ${label}, read by ${model}: ${bits.toFixed(1)} bits in ${tokens.length} tokens`;
  const drawn = bands.map((band, i) => bandSvg(band, rows, 44 + i * bandHeight)).join('');
  return svgPage(
    {
      width: WIDTH,
      height: 44 + bands.length * bandHeight,
      label: `What the model expected: ${title}. ${summary}`,
    },
    svgText(8, 18, title, 'start', 'font-weight="600" font-size="13"') +
      svgText(8, 36, cut(summary, 138)) +
      drawn,
  );
}

function rowsOf(tokens: readonly ExplainedToken[]): Row[] {
  const layers = tokens[0]?.layers.length ?? 0;
  const numbers = layers <= NUMBERED_LAYERS;
  const mostBits = Math.max(8, ...tokens.map(({ surpriseBits }) => surpriseBits));
  const mostEntropy = Math.max(4, ...tokens.map(({ entropyBits }) => entropyBits));
  const heat =
    (colour: string, value: number, most: number, text: string) => (x: number, y: number, h: number) =>
      cellRect(x, y, h, colour, 0.75 * Math.min(1, Math.max(0, value / most))) +
      (text && svgText(x + COLUMN / 2, y + h / 2 + 4, text, 'middle', 'font-size="10.5"'));
  const layerRows = (
    name: string,
    colour: string,
    of: (layer: ExplainedToken['layers'][number]) => number,
  ): Row[] =>
    Array.from({ length: layers }, (_, i) => {
      // Every layer on its own scale: they differ by orders of magnitude.
      const values = tokens.map((token) => of(token.layers[i]));
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const title = numbers || i === 0 || i === layers - 1 ? `${name}, layer ${i}` : '';
      const height = numbers ? 18 : 9;
      return {
        title,
        height,
        cell: (token, x, y) =>
          heat(
            colour,
            of(token.layers[i]) - low,
            Math.max(1e-12, high - low),
            numbers ? short(of(token.layers[i])) : '',
          )(x, y, height),
      };
    });
  return [
    { title: 'what came', height: 22, cell: cameCell },
    { title: 'expected', height: 34, cell: expectedCell },
    {
      title: 'surprise, bits',
      height: 20,
      cell: (t, x, y) => heat(COLORS.vermilion, t.surpriseBits, mostBits, bitText(t.surpriseBits))(x, y, 20),
    },
    {
      title: 'entropy, bits',
      height: 20,
      cell: (t, x, y) => heat(COLORS.orange, t.entropyBits, mostEntropy, bitText(t.entropyBits))(x, y, 20),
    },
    {
      title: 'law or free',
      height: 24,
      cell: (t, x, y) =>
        svgText(
          x + COLUMN / 2,
          y + 13,
          t.verdict,
          'middle',
          `font-size="${t.verdict === 'broken' ? 9.5 : 10.5}" ${t.verdict === 'law' ? 'opacity=".6"' : 'font-weight="600"'}`,
        ),
    },
    // Steps are hundredths: in thousandths they fit the columns.
    ...layerRows('1000 Delta', COLORS.blue, ({ delta }) => 1000 * delta),
    ...layerRows('|h|', COLORS.green, ({ stateNorm }) => stateNorm),
  ];
}

function bandSvg(tokens: readonly ExplainedToken[], rows: readonly Row[], top: number): string {
  const x = (i: number): number => LEFT + i * COLUMN;
  let svg = '';
  // The names, once a field, over its middle.
  for (let i = 0; i < tokens.length;) {
    const name = fieldTitle(tokens[i]);
    let end = i + 1;
    while (end < tokens.length && fieldTitle(tokens[end]) === name) end++;
    const [at, y] = [(x(i) + x(end)) / 2, top + NAMES - 6];
    svg += `<g><title>${escapeText(`${name}: ${tokens[i].fieldMeaning}`)}</title>`;
    svg += svgText(at + 4, y, cut(name, NAME_LENGTH), 'start', `transform="rotate(-48 ${px(at)} ${px(y)})"`);
    svg += `<line class="nf-line" stroke="#1f1f1f" stroke-width="1" x1="${px(x(i) + 2)}" x2="${px(x(end) - 2)}" y1="${px(y + 4)}" y2="${px(y + 4)}"/></g>`;
    i = end;
  }
  let y = top + NAMES;
  for (const { title, height, cell } of rows) {
    svg += svgText(LEFT - 8, y + Math.min(14, height / 2 + 4), title, 'end', 'font-size="11"');
    tokens.forEach((token, i) => (svg += cell(token, x(i), y)));
    y += height;
  }
  return svg;
}

function cameCell(token: ExplainedToken, x: number, y: number): string {
  const colour = FIELD_COLOURS[token.token < 256 ? fieldKind(token.field, token.protocol) : 'mark'];
  const dark = token.token >= 256;
  return (
    `<g><title>${escapeText(tokenTitle(token))}</title>` +
    `<rect x="${px(x + 1)}" y="${px(y + 1)}" width="${COLUMN - 2}" height="19" rx="2" fill="${colour}" stroke="#00000033"/>` +
    `<text x="${px(x + COLUMN / 2)}" y="${px(y + 15)}" text-anchor="middle" style="fill:${dark ? '#fff' : '#000'}" fill="${dark ? '#fff' : '#000'}" font-size="${dark ? 9 : 11.5}">${escapeText(tokenText(token.text))}</text></g>`
  );
}

function expectedCell(token: ExplainedToken, x: number, y: number): string {
  const best = token.expected.at(0);
  if (!best) return '';
  const right = best.token === token.token;
  const frame = right
    ? ''
    : `<rect x="${px(x + 1.5)}" y="${px(y + 1)}" width="${COLUMN - 3}" height="30" rx="2" fill="none" stroke="${COLORS.vermilion}" stroke-width="1.5"/>`;
  return (
    `<g><title>${escapeText(tokenTitle(token))}</title>${frame}` +
    svgText(
      x + COLUMN / 2,
      y + 14,
      tokenText(best.text),
      'middle',
      `font-size="${best.token >= 256 ? 9 : 11.5}"`,
    ) +
    svgText(x + COLUMN / 2, y + 27, percent(best.probability), 'middle', 'font-size="9.5" opacity=".75"') +
    '</g>'
  );
}

/** All that is known of a token, for the tooltip. */
function tokenTitle({
  field,
  fieldMeaning,
  text,
  meaning,
  probability,
  rank,
  expected,
}: ExplainedToken): string {
  const guesses = expected.map(
    (guess) => `${percent(guess.probability)}  ${guess.text}${guess.meaning ? `  ${guess.meaning}` : ''}`,
  );
  return [
    `${field}: ${fieldMeaning}`,
    `came: ${text}${meaning ? ` (${meaning})` : ''}, ${percent(probability)}, rank ${rank}`,
    'expected:',
    ...guesses,
  ].join('\n');
}

function cellRect(x: number, y: number, height: number, colour: string, opacity: number): string {
  return `<rect x="${px(x + 1)}" y="${px(y + 1)}" width="${COLUMN - 2}" height="${px(height - 2)}" fill="${colour}" fill-opacity="${opacity.toFixed(2)}"/>`;
}

/** `tcp flags` where the same name stands in several headers, else the layout's name. */
export function fieldTitle({ field, protocol }: { field: string; protocol: string }): string {
  return protocol ? `${protocol} ${field}` : field;
}

const tokenText = (text: string): string => text.replace(/^<\|(.*)\|>$/, '$1');
const bitText = (bits: number): string =>
  bits < 0.005 ? '0' : bits < 9.95 ? bits.toFixed(bits < 0.095 ? 2 : 1) : bits.toFixed(0);
const short = (value: number): string => String(Number(value.toPrecision(2)));
const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** `97 %`, `0.3 %`, `<0.1 %`. */
function percent(share: number): string {
  const value = 100 * share;
  if (value >= 99.95) return '100 %';
  if (value >= 10) return `${value.toFixed(0)} %`;
  if (value < 0.1) return '<0.1 %';
  return `${value.toFixed(1)} %`;
}

/** Bits by header field: what they cost, beside what the model expected them to cost. */
export function fieldBits(
  rows: readonly FieldBits[],
  options: { title?: string; most?: number } = {},
): FigureSpec {
  const shown = [...rows].sort((a, b) => b.bits - a.bits).slice(0, options.most ?? 14);
  const names = shown.map(fieldTitle).reverse();
  const bar = (name: string, color: string, of: (row: FieldBits) => number): FigureSpec['data'][number] => ({
    type: 'bar',
    orientation: 'h',
    name,
    y: names,
    x: shown.map(of).reverse(),
    marker: { color },
    hovertemplate: '%{y}: %{x:.2f} bits<extra></extra>',
  });
  return {
    data: [
      bar('surprise', COLORS.vermilion, ({ bits }) => bits),
      bar('entropy: the surprise that the model expected', COLORS.orange, ({ entropyBits }) => entropyBits),
    ],
    layout: layout(options.title ?? 'What the model did not know', {
      height: 150 + 30 * shown.length,
      barmode: 'group',
      xaxis: { title: { text: 'bits' }, rangemode: 'tozero' },
      yaxis: { showgrid: false },
    }),
  };
}

/** Bits of every packet of a capture, in order: where it is news. */
export function packetBits({ packets, label }: CaptureExplanation): FigureSpec {
  const line = (name: string, color: string, dash: string, y: number[]): FigureSpec['data'][number] => ({
    type: 'scatter',
    mode: 'lines',
    name,
    x: packets.map(({ packet }) => packet),
    y,
    line: { color, width: 1.5, dash },
  });
  return {
    data: [
      line(
        'surprise',
        COLORS.vermilion,
        'solid',
        packets.map(({ bits }) => bits),
      ),
      line(
        'entropy',
        COLORS.orange,
        'dot',
        packets.map(({ entropyBits }) => entropyBits),
      ),
    ],
    layout: layout(`Bits of each packet, ${label}`, {
      xaxis: { title: { text: 'packet' } },
      yaxis: { title: { text: 'bits' }, rangemode: 'tozero' },
    }),
  };
}

const STEP_LEFT = 372;
const STEP_BAR = 380;

/**
 * One draw of {@link StepThrough}: the packet's tokens so far, and what could have come next, as bars; the one that
 * was drawn has a mark. SVG, 900 wide, of the same height for every step.
 */
export function stepFigure(through: StepThrough, at: number): string {
  const step = through.steps[at];
  const candidates = [...step.candidates];
  if (!candidates.some(({ token }) => token === step.token)) candidates.push(drawnCandidate(step));
  const most = Math.max(...through.steps.map((each) => each.candidates.length)) + 1;
  const before = through.steps
    .slice(0, at)
    .filter((each) => each.packet === step.packet && each.attempt === step.attempt);
  const what = step.refused ? ` (refused: ${step.refused})` : '';
  const head = `packet ${step.packet + 1}, token ${before.length + 1}: ${step.field ?? 'not known yet'}${what}`;
  const bars = candidates.map((candidate, i) => {
    const y = 92 + i * 24;
    const drawn = candidate.token === step.token;
    const width = Math.max(1, STEP_BAR * candidate.probability);
    const text = `${tokenText(candidate.text)}${candidate.meaning ? `  ${candidate.meaning}` : ''}`;
    return (
      svgText(STEP_LEFT - 8, y + 13, cut(text, 56), 'end', drawn ? 'font-weight="600"' : '') +
      `<rect x="${STEP_LEFT}" y="${y}" width="${px(width)}" height="17" fill="${drawn ? COLORS.vermilion : COLORS.blue}"/>` +
      svgText(
        STEP_LEFT + width + 6,
        y + 13,
        `${percent(candidate.probability)}${candidate.drawProbability.toFixed(3) === candidate.probability.toFixed(3) ? '' : `, drawn with ${percent(candidate.drawProbability)}`}${drawn ? '  ◀ drawn' : ''}`,
      )
    );
  });
  return svgPage(
    {
      width: WIDTH,
      height: 100 + most * 24,
      label: `${head}: ${step.text} with ${percent(step.probability)}`,
    },
    svgText(8, 18, cut(head, 130), 'start', 'font-weight="600" font-size="13"') +
      soFar(before) +
      svgText(
        8,
        80,
        `entropy ${step.entropyBits.toFixed(2)} bits, surprise ${step.surpriseBits.toFixed(2)} bits`,
      ) +
      bars.join(''),
  );
}

/** The tokens before, as boxes; the last ones where they are too many. */
function soFar(steps: readonly GenerationStep[]): string {
  const shown = steps.slice(-26);
  const boxes = shown.map(({ token, text, field, protocol }, i) => {
    const colour = FIELD_COLOURS[token >= 256 ? 'mark' : field ? fieldKind(field, protocol) : 'other'];
    const ink = token >= 256 ? '#fff' : '#000';
    const x = 40 + i * 32;
    return (
      `<g><title>${escapeText(field ?? '')}</title><rect x="${x}" y="32" width="30" height="20" rx="2" fill="${colour}" stroke="#00000033"/>` +
      `<text x="${x + 15}" y="46" text-anchor="middle" style="fill:${ink}" fill="${ink}" font-size="${token >= 256 ? 9 : 11.5}">${escapeText(tokenText(text).slice(0, 5))}</text></g>`
    );
  });
  return (
    svgText(8, 46, steps.length > shown.length ? '…' : steps.length === 0 ? 'the packet begins' : '') +
    boxes.join('')
  );
}

function drawnCandidate(step: GenerationStep): StepThrough['steps'][number]['candidates'][number] {
  const { token, text, probability, drawProbability, meaning } = step;
  return { token, text, probability, drawProbability, ...(meaning !== undefined && { meaning }) };
}
