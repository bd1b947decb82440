import { px, svgColour, svgPage, svgText } from './svgTheme';
import { COLORS } from './theme';

/** Counts of one confusion matrix: rows are what items are, columns what they are taken for. */
export interface ConfusionCounts {
  classes: readonly string[];
  counts: readonly (readonly number[])[];
}

const CELL = 30;
const [LEFT, TOP, GAP, BELOW] = [92, 66, 30, 74];

/** Confusion matrices side by side as SVG, each row in percent of its items. */
export function confusionFigure(
  matrices: Readonly<Record<string, ConfusionCounts>>,
  options: { title?: string; standalone?: boolean } = {},
): string {
  const { title = 'What is taken for what, % of the items of each class', standalone } = options;
  const entries = Object.entries(matrices);
  const sizes = entries.map(([, { classes }]) => CELL * classes.length);
  const lefts = sizes.map((_, i) => LEFT + sizes.slice(0, i).reduce((sum, size) => sum + size + GAP, 0));
  const width = Math.max(480, LEFT + sizes.reduce((sum, size) => sum + size + GAP, 0));
  const height = TOP + Math.max(0, ...sizes) + BELOW;
  const bodies = entries.map(([name, matrix], i) => matrixMarks(name, matrix, lefts[i], i === 0));
  return svgPage(
    { width, height, label: title, standalone },
    svgText(12, 22, title, 'start', 'font-size="15" font-weight="600"') + bodies.join(''),
  );
}

function matrixMarks(
  name: string,
  { classes, counts }: ConfusionCounts,
  left: number,
  named: boolean,
): string {
  const bottom = TOP + CELL * classes.length;
  const cells = counts.flatMap((row, i) => {
    const all = row.reduce((a, b) => a + b, 0);
    return row.map((count, k) => {
      const share = all === 0 ? 0 : count / all;
      const [x, y] = [left + CELL * k, TOP + CELL * i];
      const box = `<rect x="${px(x)}" y="${px(y)}" width="${CELL - 1}" height="${CELL - 1}" ${svgColour('fill', COLORS.sky)} fill-opacity="${(0.06 + 0.94 * share).toFixed(3)}"/>`;
      const text = String(Math.round(100 * share));
      // Letters on a full cell are dark on light and dark pages alike: sky is light on both.
      const look = `font-size="11"${share > 0.45 ? ' style="fill:#111"' : ''}`;
      return box + svgText(x + CELL / 2 - 0.5, y + CELL / 2 + 4, text, 'middle', look);
    });
  });
  const rows = named
    ? classes.map((label, i) => svgText(left - 7, TOP + CELL * (i + 0.5) + 4, label, 'end'))
    : [];
  const columns = classes.map((label, k) => {
    const [x, y] = [left + CELL * (k + 0.5) + 3, bottom + 12];
    return `<g transform="rotate(-40 ${px(x)} ${px(y)})">${svgText(x, y, label, 'end')}</g>`;
  });
  return (
    svgText(left, TOP - 10, name, 'start', 'font-weight="600"') +
    cells.join('') +
    rows.join('') +
    columns.join('')
  );
}
