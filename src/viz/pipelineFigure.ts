/** Figure 1 of the paper, a drawing: from captures to captures, and what is measured on the way. */
import { px, svgColour, svgPage, svgPath, svgText } from './svgTheme';
import { COLORS } from './theme';

interface Box {
  title: string;
  lines: readonly string[];
  color: string;
}

const UPPER: readonly Box[] = [
  { title: 'captures', lines: ['one session each', 'label: its class'], color: COLORS.grey },
  { title: 'packets', lines: ['headers, in order', 'flows interleaved'], color: COLORS.grey },
  { title: 'tokens', lines: ['a byte a token', '<|dash|> 4 0 … <|pkt|>'], color: COLORS.orange },
  { title: 'Mamba-2', lines: ['next token, given all', 'before: a state'], color: COLORS.blue },
];
const LOWER: readonly Box[] = [
  { title: 'measured', lines: ['beside real traffic', 'and trivial rivals'], color: COLORS.green },
  { title: 'captures', lines: ['times from real gaps', 'of the class'], color: COLORS.grey },
  { title: 'packets', lines: ['decoded; what does', 'not decode is counted'], color: COLORS.grey },
  { title: 'tokens', lines: ['drawn one by one', 'after a prompt'], color: COLORS.orange },
];
const WIDTH = 760;
const [BOX, HIGH, GAP] = [141, 66, 52];
const ARROWS = ['read', 'encode', 'train', '', 'judge', 'write', 'decode'];

/** Captures to tokens to a model above; tokens to captures to numbers below. */
export function pipelineFigure(standalone = false): string {
  const left = (i: number): number => 20 + i * (BOX + GAP);
  const [upper, lower] = [44, 44 + HIGH + 56];
  const row = (boxes: readonly Box[], y: number): string =>
    boxes.map((box, i) => boxMarks(box, left(i), y)).join('');
  const across = [0, 1, 2].map((i) => {
    const [from, to] = [left(i) + BOX, left(i + 1)];
    return (
      arrow(from + 3, upper + HIGH / 2, to - 3, upper + HIGH / 2) +
      svgText((from + to) / 2, upper + HIGH / 2 - 7, ARROWS[i], 'middle', 'font-size="10.5"') +
      arrow(to - 3, lower + HIGH / 2, from + 3, lower + HIGH / 2) +
      svgText((from + to) / 2, lower + HIGH / 2 - 7, ARROWS[4 + i], 'middle', 'font-size="10.5"')
    );
  });
  const x = left(3) + BOX / 2;
  const down =
    arrow(x, upper + HIGH + 3, x, lower - 3) +
    svgText(x - 8, (upper + HIGH + lower) / 2 + 4, 'generate', 'end', 'font-size="10.5"');
  const label =
    'The pipeline: captures, packets, tokens, model; and back: tokens, packets, captures, measured';
  return svgPage(
    { width: WIDTH, height: lower + HIGH + 22, label, standalone },
    svgText(20, 24, 'From captures to captures', 'start', 'font-size="15" font-weight="600"') +
      row(UPPER, upper) +
      row(LOWER, lower) +
      across.join('') +
      down,
  );
}

function boxMarks({ title, lines, color }: Box, x: number, y: number): string {
  const frame =
    `<rect x="${px(x)}" y="${px(y)}" width="${BOX}" height="${HIGH}" rx="7" ${svgColour('fill', color)} fill-opacity=".1"/>` +
    `<rect x="${px(x)}" y="${px(y)}" width="${BOX}" height="${HIGH}" rx="7" fill="none" ${svgColour('stroke', color)} stroke-width="1.5"/>`;
  const text = lines.map((line, i) =>
    svgText(x + BOX / 2, y + 41 + 15 * i, line, 'middle', 'font-size="10.8" opacity=".85"'),
  );
  return (
    frame + svgText(x + BOX / 2, y + 22, title, 'middle', 'font-size="13" font-weight="600"') + text.join('')
  );
}

function arrow(x1: number, y1: number, x2: number, y2: number): string {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const wing = (side: number): [number, number] => [x2 - 7 * dx + 4 * side * dy, y2 - 7 * dy - 4 * side * dx];
  return svgPath([[x1, y1], [x2, y2]], COLORS.black, 'stroke-width="1.4"') + svgPath([wing(1), [x2, y2], wing(-1)], COLORS.black, 'stroke-width="1.4"'); // prettier-ignore
}
