// Figures of a grid's JSON (bench/grid.mjs --out): tokens/s, share of the roofline and peak memory over length.
//   node bench/figures.mjs RESULT.json DIR [NAME]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#8c564b'];
const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [720, 380, 70, 36, 200, 46];

/** Series of points [length, value] as a chart with logarithmic axes (`linear`: the values are not). */
export function chart({ title, unit, series, linear = false }) {
  const points = series.flatMap((s) => s.points);
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
  const values = points.map(([, y]) => y);
  const low = linear ? 0 : 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = linear ? Math.max(1, ...values) : 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const scale = (v) => (linear ? (v - low) / (high - low) : Math.log(v / low) / Math.log(high / low || 10));
  const x = (v) => LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(v / xs[0])) / (Math.log(xs.at(-1) / xs[0]) || 1);
  const y = (v) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * scale(v);
  const ticks = linear
    ? Array.from({ length: 6 }, (_, i) => low + ((high - low) * i) / 5)
    : Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => low * 10 ** i);
  const number = (v) => (linear ? `${Math.round(100 * v)} %` : v.toLocaleString('en'));
  const text = (px, py, content, anchor = 'middle', more = '') =>
    `<text x="${px.toFixed(1)}" y="${py.toFixed(1)}" text-anchor="${anchor}"${more}>${content}</text>`;
  const parts = [
    text(LEFT, 20, unit ? `${title}: ${unit}` : title, 'start', ' font-weight="bold"'),
    ...ticks.flatMap((v) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" class="grid"/>`,
      text(LEFT - 6, y(v) + 4, number(v), 'end'),
    ]),
    ...xs.map((v) => text(x(v), HEIGHT - BOTTOM + 18, v.toLocaleString('en'))),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'tokens a row'),
  ];
  series.forEach(({ name, points: own, dashed }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = own.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(' ');
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ''}/>`,
      ...own.map(
        ([a, b]) => `<circle cx="${x(a).toFixed(1)}" cy="${y(b).toFixed(1)}" r="3" fill="${colour}"/>`,
      ),
      `<line x1="${WIDTH - RIGHT + 14}" x2="${WIDTH - RIGHT + 38}" y1="${TOP + 8 + 18 * i}" y2="${TOP + 8 + 18 * i}" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ''}/>`,
      text(WIDTH - RIGHT + 44, TOP + 12 + 18 * i, name, 'start'),
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
<style>text{font:12px system-ui,sans-serif;fill:#333}.grid{stroke:#8884}@media (prefers-color-scheme:dark){text{fill:#ccc}}</style>
${parts.join('\n')}
</svg>
`;
}

const names = {
  'mamba.py': 'mamba.py',
  'mamba.py-tuned': 'mamba.py, tuned',
  gpt: 'GPT, same width',
  'gpt-params': 'GPT, same parameters',
};

function nameOf({ what, engine, layer, precision, recomputes }) {
  if (what !== 'netssm') return names[what] ?? what;
  return [
    layer === 'Mamba1' ? 'Mamba-1' : 'Mamba-2',
    engine === 'native' ? '' : engine,
    precision === 'bf16' ? 'bf16' : '',
    recomputes ? 'in chunks' : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** Writes the figures and answers their paths: for each size at the most threads measured. */
export function drawFigures({ rows }, folder, name = 'training') {
  mkdirSync(folder, { recursive: true });
  const files = [];
  for (const size of [...new Set(rows.map((row) => row.size))]) {
    const most = Math.max(...rows.filter((row) => row.size === size).map((row) => row.threads));
    const own = rows.filter((row) => row.size === size && (row.threads === most || row.engine === 'wasm'));
    const of = (value, keep = () => true) =>
      [...new Set(own.map(nameOf))]
        .map((key) => ({
          name: key,
          dashed: own.find((row) => nameOf(row) === key).what !== 'netssm',
          points: own
            .filter((row) => nameOf(row) === key && keep(row) && row[value] > 0)
            .map((row) => [row.L, row[value]]),
        }))
        .filter(({ points }) => points.length > 0);
    const where = `model ${size}, ${most} thread${most > 1 ? 's' : ''}`;
    const figures = {
      speed: { title: `Training, ${where}`, unit: 'tokens/s', series: of('tokensPerSecond') },
      roofline: {
        title: `Share of the roofline, ${where}`,
        unit: '',
        linear: true,
        series: of('shareOfRoofline', (row) => row.engine === 'native'),
      },
      memory: { title: `Peak memory, ${where}`, unit: 'MB', series: of('peakMB') },
    };
    for (const [kind, figure] of Object.entries(figures)) {
      if (figure.series.length === 0) continue;
      const file = join(folder, `${name}-${size}-${kind}.svg`);
      writeFileSync(file, chart(figure));
      files.push(file);
    }
  }
  return files;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [result, folder, name] = process.argv.slice(2);
  if (!folder) {
    console.error('node bench/figures.mjs RESULT.json DIR [NAME]');
    process.exit(2);
  }
  for (const file of drawFigures(JSON.parse(readFileSync(result, 'utf8')), folder, name)) console.log(file);
}
