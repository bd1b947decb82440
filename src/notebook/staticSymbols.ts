/** The shapes of markers, under plotly's names. */
import { px, svgColour } from '../viz';

/** Names by plotly's numbers; 100 more is the same shape, open. */
const NUMBERED = ['circle', 'square', 'diamond', 'cross', 'x', 'triangle-up', 'triangle-down'];

/** Outlines around 0, 0 with a radius of 1. */
const OUTLINES: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  square: polygon(4, Math.PI / 4, 1.25),
  diamond: polygon(4, 0, 1.3),
  'triangle-up': polygon(3, 0, 1.25),
  'triangle-down': polygon(3, Math.PI, 1.25),
  'triangle-left': polygon(3, -Math.PI / 2, 1.25),
  'triangle-right': polygon(3, Math.PI / 2, 1.25),
  pentagon: polygon(5, 0, 1.1),
  hexagon: polygon(6, 0, 1.1),
  star: polygon(10, 0, 1.3).map(([x, y], i) => (i % 2 ? ([x * 0.42, y * 0.42] as const) : ([x, y] as const))),
};

/** Shapes that are lines: pairs of ends. */
const STROKES: Readonly<Record<string, string>> = {
  x: 'M-1 -1L1 1M-1 1L1 -1',
  cross: 'M-1.2 0L1.2 0M0 -1.2L0 1.2',
};

/** A marker at a place; shapes that are not known are circles. */
export function markerMark(
  symbol: string | number,
  x: number,
  y: number,
  size: number,
  colour: string,
): string {
  const name =
    typeof symbol === 'number'
      ? `${NUMBERED[symbol % 100] ?? 'circle'}${symbol >= 100 && symbol < 200 ? '-open' : ''}`
      : symbol;
  // Static figures are narrower than the ones on screen.
  const r = Math.max(1, size * 0.44);
  const open = name.includes('-open');
  const stroke = Object.keys(STROKES).find((each) => name === each || name.startsWith(`${each}-`));
  const look =
    open || stroke !== undefined
      ? `fill="none" ${svgColour('stroke', colour)} stroke-width="${px(stroke === undefined ? 1.5 : Math.max(1.4, r * 0.55))}"`
      : svgColour('fill', colour);
  if (stroke !== undefined) {
    const path = STROKES[stroke].replace(/(-?[\d.]+) (-?[\d.]+)/g, (_, a: string, b: string) => {
      return `${px(x + Number(a) * r)} ${px(y + Number(b) * r)}`;
    });
    return `<path d="${path}" ${look}/>`;
  }
  const outline = Object.keys(OUTLINES).find((each) => name.startsWith(each));
  if (outline === undefined) return `<circle cx="${px(x)}" cy="${px(y)}" r="${px(r)}" ${look}/>`;
  const points = OUTLINES[outline].map(([a, b]) => `${px(x + a * r)} ${px(y + b * r)}`);
  return `<path d="M${points.join('L')}z" ${look}/>`;
}

/** Corners of a regular polygon, the first above (turned by `turn` clockwise). */
function polygon(corners: number, turn: number, radius: number): [number, number][] {
  return Array.from({ length: corners }, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / corners;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}
