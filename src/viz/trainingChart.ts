/** A training run in one picture of fixed size, redrawn while it runs: loss, loss by label, loss by header field. */
import { COLORS, SERIES_COLORS } from './theme';
import {
  DASHES,
  px,
  roundTicks,
  shortNumber,
  svgColour,
  svgPage,
  svgPath,
  svgRule,
  svgText,
} from './svgTheme';

/** The part of a history that is drawn; `fit` returns it, and grows it while it runs. */
export interface TrainingProgress {
  /** Set when the run is over: then no evaluation is to be waited for. */
  ended?: string;
  steps: readonly { step: number; lossNats: number; tokens: number }[];
  evals: readonly {
    step: number;
    lossNats: number;
    perLabel: Readonly<Record<string, { lossNats: number; tokens: number }>>;
    perField?: Readonly<Record<string, { lossNats: number; tokens: number }>>;
  }[];
}

const WIDTH = 900;
const HEIGHT = 268;
const TOP = 30;
const BOTTOM = HEIGHT - 34;
/** Points of the training curve; more would not be seen. */
const POINTS = 240;
const LABELS = SERIES_COLORS.length;
const FIELDS = 9;

type Point = [x: number, y: number];

/** SVG, 900 by 268. */
export function trainingChart(progress: TrainingProgress): string {
  const { steps, evals } = progress;
  const last = steps.at(-1);
  const words = last
    ? `Loss after ${last.step} updates: training ${last.lossNats.toFixed(3)} nats${evals.length ? `, validation ${evals.at(-1)!.lossNats.toFixed(3)}` : ''}`
    : 'No updates yet';
  return svgPage(
    { width: WIDTH, height: HEIGHT, label: words },
    lossPanel(progress) + labelPanel(progress) + fieldPanel(progress),
  );
}

/** Predicted tokens up to an update. */
function tokenCounter(steps: TrainingProgress['steps']): (step: number) => number {
  const sums: number[] = [];
  let sum = 0;
  for (const s of steps) sums.push((sum += s.tokens));
  const first = steps[0]?.step ?? 1;
  return (step) => sums[Math.min(sums.length - 1, step - first)] ?? 0;
}

function lossPanel({ steps, evals }: TrainingProgress): string {
  const area = { left: 46, right: 392 };
  const at = tokenCounter(steps);
  const every = Math.max(1, Math.ceil(steps.length / POINTS));
  const raw: Point[] = [];
  for (let i = 0; i < steps.length; i += every) {
    const part = steps.slice(i, i + every);
    raw.push([at(part[part.length - 1].step), part.reduce((sum, s) => sum + s.lossNats, 0) / part.length]);
  }
  const smooth = movingAverage(raw);
  const validation = evals.map((e): Point => [at(e.step), e.lossNats]);
  const scales = scalesOf([raw, validation], area, at(steps.at(-1)?.step ?? 0));
  const drawn = (points: Point[]): Point[] => points.map(([x, y]) => [scales.x(x), scales.y(y)]);
  return (
    svgText(area.left, 16, 'loss, nats a token', 'start', 'font-weight="600"') +
    legend(area.left + 134, [
      ['training', COLORS.blue, ''],
      ['validation', COLORS.vermilion, DASHES[1]],
    ]) +
    scales.frame('tokens seen') +
    svgPath(drawn(raw), COLORS.lightGrey, 'stroke-width="1"') +
    svgPath(drawn(smooth), COLORS.blue, 'stroke-width="2"') +
    svgPath(drawn(validation), COLORS.vermilion, `stroke-width="2" stroke-dasharray="${DASHES[1]}"`) +
    drawn(validation)
      .map(([x, y]) => `<path d="M${px(x)} ${px(y - 4)}l4 4l-4 4l-4-4z" fill="${COLORS.vermilion}"/>`)
      .join('')
  );
}

function labelPanel({ steps, evals, ended }: TrainingProgress): string {
  const area = { left: 440, right: 596 };
  const head = svgText(area.left, 16, 'validation by label', 'start', 'font-weight="600"');
  const latest = evals.at(-1);
  if (!latest) return head + svgText(area.left, 60, waiting(ended));
  const at = tokenCounter(steps);
  // In alphabetical order, so that a label has the colour that it has in other figures.
  const names = Object.keys(latest.perLabel).sort().slice(0, LABELS);
  const lines = names.map((name) =>
    evals.flatMap((e): Point[] => (e.perLabel[name] ? [[at(e.step), e.perLabel[name].lossNats]] : [])),
  );
  const scales = scalesOf(lines, area, at(latest.step));
  const ends = spread(
    lines.map((line) => scales.y(line[line.length - 1][1])),
    TOP + 6,
    BOTTOM,
  );
  return (
    head +
    scales.frame('tokens seen') +
    lines
      .map((line, i) => {
        const colour = SERIES_COLORS[i];
        const points = line.map(([x, y]): Point => [scales.x(x), scales.y(y)]);
        const [x, y] = points[points.length - 1];
        const name = `${names[i].slice(0, 9)} ${line[line.length - 1][1].toFixed(2)}`;
        return (
          svgPath(points, colour, `stroke-width="2"${DASHES[i] && ` stroke-dasharray="${DASHES[i]}"`}`) +
          `<circle cx="${px(x)}" cy="${px(y)}" r="2.6" ${svgColour('fill', colour)}/>` +
          svgText(area.right + 7, ends[i] + 4, name, 'start', 'font-size="11"')
        );
      })
      .join('')
  );
}

/** Which fields the loss is made of: mean loss times share of the tokens, so that the bars add up to the whole. */
function fieldPanel({ evals, ended }: TrainingProgress): string {
  const area = { left: 800, right: 862 };
  const head = svgText(690, 16, 'validation by field', 'start', 'font-weight="600"');
  const perField = evals.at(-1)?.perField;
  if (!perField) return head + svgText(690, 60, evals.length ? 'fields were not named' : waiting(ended));
  const rows = fieldShares(perField);
  const rest = rows.slice(FIELDS).reduce((sum, row) => sum + row.share, 0);
  const others = rows.length - FIELDS;
  const most = Math.max(...rows.map((row) => row.share));
  const step = (BOTTOM + 20 - TOP) / (FIELDS + 1);
  const line = (i: number): number => TOP + (i + 0.5) * step + 2;
  return (
    head +
    rows
      .slice(0, FIELDS)
      .map(({ field, share }, i) => {
        const width = Math.max(1, ((area.right - area.left) * share) / most);
        const name = field.length > 18 ? `${field.slice(0, 17)}…` : field;
        return (
          svgText(area.left - 6, line(i), name, 'end', 'font-size="11"') +
          `<rect x="${area.left}" y="${px(TOP + i * step + 2)}" width="${px(width)}" height="${px(step - 7)}" fill="${COLORS.blue}"/>` +
          svgText(area.left + width + 4, line(i), share.toFixed(2), 'start', 'font-size="10.5"')
        );
      })
      .join('') +
    (others > 0
      ? svgText(area.left - 6, line(FIELDS), `${others} others`, 'end', 'font-size="11"') +
        svgText(area.left, line(FIELDS), rest.toFixed(2), 'start', 'font-size="10.5"')
      : '')
  );
}

const waiting = (ended?: string): string =>
  ended ? 'no evaluation in this run' : 'after the first evaluation';

/** Each field's part of the loss per token, largest first; the parts add up to the loss. */
export function fieldShares(
  perField: Readonly<Record<string, { lossNats: number; tokens: number }>>,
): { field: string; share: number }[] {
  const all = Object.values(perField).reduce((sum, { tokens }) => sum + tokens, 0);
  return Object.entries(perField)
    .map(([field, { lossNats, tokens }]) => ({ field, share: (lossNats * tokens) / all }))
    .sort((a, b) => b.share - a.share);
}

function legend(x: number, entries: readonly [name: string, colour: string, dash: string][]): string {
  return entries
    .map(([name, colour, dash], i) => {
      const left = x + i * 84;
      return (
        svgPath(
          [
            [left, 12],
            [left + 18, 12],
          ],
          colour,
          `stroke-width="2"${dash && ` stroke-dasharray="${dash}"`}`,
        ) + svgText(left + 22, 16, name, 'start', 'font-size="11"')
      );
    })
    .join('');
}

function scalesOf(lines: readonly Point[][], area: { left: number; right: number }, most: number) {
  const values = lines.flatMap((line) => line.map(([, y]) => y)).filter(Number.isFinite);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const spreadOut = high > low ? (high - low) * 0.06 : 0.5;
  const [y0, y1] = values.length > 0 ? [Math.max(0, low - spreadOut), high + spreadOut] : [0, 6];
  const x = (tokens: number): number => area.left + ((area.right - area.left) * tokens) / Math.max(1, most);
  const y = (loss: number): number => BOTTOM - ((BOTTOM - TOP) * (loss - y0)) / (y1 - y0);
  const frame = (title: string): string =>
    roundTicks(y0, y1, 5)
      .map(
        (tick) =>
          svgRule(area.left, y(tick), area.right, y(tick), 'grid') +
          svgText(area.left - 6, y(tick) + 4, String(tick), 'end', 'font-size="11"'),
      )
      .join('') +
    svgRule(area.left, BOTTOM, area.right, BOTTOM, 'axis') +
    roundTicks(0, Math.max(1, most), area.right - area.left > 200 ? 4 : 2)
      .map((tick) => svgText(x(tick), BOTTOM + 14, shortNumber(tick), 'middle', 'font-size="11"'))
      .join('') +
    svgText((area.left + area.right) / 2, BOTTOM + 28, title, 'middle', 'font-size="11"');
  return { x, y, frame };
}

/** Exponential moving average over about a fifteenth of the points. */
function movingAverage(points: readonly Point[]): Point[] {
  const keep = Math.exp(-15 / Math.max(15, points.length));
  let mean = points[0]?.[1] ?? 0;
  return points.map(([x, y]) => [x, (mean = keep * mean + (1 - keep) * y)]);
}

/** Moves labels apart, at least 13 pixels, within the panel. */
function spread(places: readonly number[], top: number, bottom: number): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const out = places.slice();
  let free = top;
  for (const i of order) free = (out[i] = Math.max(out[i], free)) + 13;
  let over = bottom;
  for (const i of order.reverse()) over = (out[i] = Math.min(out[i], over)) - 13;
  return out;
}
