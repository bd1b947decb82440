/**
 * One look for hand-made SVGs, on light and dark pages. Text, grid and background take the colours of the notebook
 * around them (JupyterLab and VS Code publish theirs as CSS variables); without one they are dark on white, and in a
 * file of its own the reader's light or dark setting decides. Programs that know no CSS variables find plain colours.
 */
import { escapeText } from './html';
import { COLORS } from './theme';

const FOREGROUND = '#1f1f1f';
const BACKGROUND = '#ffffff';

const STYLE =
  '.nf{--nf-fg:var(--jp-content-font-color1,var(--vscode-editor-foreground,var(--nf-fg0,#1f1f1f)));' +
  '--nf-bg:var(--jp-layout-color0,var(--vscode-editor-background,var(--nf-bg0,#ffffff)))}' +
  '.nf text,.nf .nf-fill{fill:var(--nf-fg)}.nf .nf-bg{fill:var(--nf-bg)}' +
  '.nf .nf-line{stroke:var(--nf-fg)}.nf .nf-halo{stroke:var(--nf-bg);stroke-width:3;paint-order:stroke}.nf .nf-grid{stroke:var(--nf-fg);stroke-opacity:.14}';
const DARK = '@media (prefers-color-scheme:dark){.nf{--nf-fg0:#e8e8e8;--nf-bg0:#16181d}}';

/** Dash patterns of line 0, 1, 2 ...: lines are told apart without their colours, too. */
export const DASHES: readonly string[] = ['', '7 3', '2 3', '10 3 2 3', '4 2', '12 4', '1 3'];

/** The same as plotly names them, for `line.dash`. */
export const PLOTLY_DASHES: readonly string[] = [
  'solid',
  'dash',
  'dot',
  'dashdot',
  'longdash',
  'longdashdot',
];

export interface SvgPage {
  width: number;
  height: number;
  /** In words, for readers who do not see the picture. */
  label: string;
  /** For a file of its own rather than a page's part. Default false. */
  standalone?: boolean;
}

/** The picture: background, style and `content`. */
export function svgPage({ width, height, label, standalone = false }: SvgPage, content: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" class="nf" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" aria-label="${escapeText(label)}" font-family="system-ui,Segoe UI,Helvetica,Arial,sans-serif" font-size="11.5" style="max-width:100%;height:auto">` +
    `<style>${STYLE}${standalone ? DARK : ''}</style>` +
    `<rect class="nf-bg" width="${width}" height="${height}" fill="${BACKGROUND}"/>${content}</svg>`
  );
}

/** Text in the page's colour; nothing for empty text. */
export function svgText(x: number, y: number, text: string, anchor = 'start', more = ''): string {
  return text === ''
    ? ''
    : `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="${FOREGROUND}"${more && ` ${more}`}>${escapeText(text)}</text>`;
}

/** A straight line: part of the grid, or an axis. */
export function svgRule(x1: number, y1: number, x2: number, y2: number, kind: 'grid' | 'axis'): string {
  const look =
    kind === 'grid'
      ? `class="nf-grid" stroke="${FOREGROUND}" stroke-opacity=".14"`
      : `class="nf-line" stroke="${FOREGROUND}"`;
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" ${look}/>`;
}

/** `stroke` or `fill` of a series; black becomes the colour of text, and other dark colours lighter ones on dark pages. */
export function svgColour(property: 'stroke' | 'fill', colour: string): string {
  if (colour === COLORS.black || colour === '#000')
    return `class="${property === 'fill' ? 'nf-fill' : 'nf-line'}" ${property}="${FOREGROUND}"`;
  const plain = `${property}="${escapeText(colour)}"`;
  return isDark(colour) ? `${plain} style="${property}:${towardsText(colour, 60)}"` : plain;
}

/** The look of coloured words: the colour, nearer to that of text, so that they can be read on light and dark pages. */
export function svgInk(colour: string): string {
  return colour === COLORS.black ? '' : `style="fill:${towardsText(colour, 65)}"`;
}

/** A colour mixed with that of text, which is light on dark pages; what does not know this keeps the plain colour. */
function towardsText(colour: string, percent: number): string {
  return `color-mix(in srgb,${escapeText(colour)} ${percent}%,var(--nf-fg))`;
}

/** Whether a colour is hardly seen on a black page (relative luminance below a tenth). */
function isDark(colour: string): boolean {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!parts) return false;
  const [r, g, b] = parts.slice(1).map((hex) => (parseInt(hex, 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.1;
}

/** A line through points, given as `[x, y]`. */
export function svgPath(points: readonly (readonly [number, number])[], colour: string, more = ''): string {
  if (points.length === 0) return '';
  const list = points.map(([x, y]) => `${px(x)},${px(y)}`).join(' ');
  return `<polyline points="${list}" fill="none" ${svgColour('stroke', colour)}${more && ` ${more}`}/>`;
}

/** A coordinate, to a tenth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Round numbers (1, 2 or 5 times a power of ten) from `low` to `high`, about `count` of them. */
export function roundTicks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) ?? 10);
  const result: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step)
    result.push(Number(v.toPrecision(6)));
  return result;
}

/** 1200 as `1.2k`, 3000000 as `3M`: short enough for an axis. */
export function shortNumber(value: number): string {
  const a = Math.abs(value);
  if (a >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (a >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(5)));
}
