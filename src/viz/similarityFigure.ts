import type { Evaluation } from '../evaluate';
import { layout, sourceStyle, type FigureSpec } from './theme';

/** What the bar chart shows, left to right. */
const SHOWN = [
  ['tcp', 'TCP header bits'],
  ['tcp-no-checksum', 'TCP bits without checksum'],
  ['ipv4', 'IPv4 header bits'],
  ['mean', 'header fields, mean'],
] as const;

/** JS distance from the reference, mean over labels, of every source beside every other. */
export function similarityBars(evaluation: Evaluation): FigureSpec {
  const data = evaluation.sources.flatMap(({ name }) => {
    const values = SHOWN.map(
      ([what]) =>
        evaluation.similarity.find((r) => r.source === name && r.label === 'macro' && r.what === what)
          ?.jsDistance ?? null,
    );
    if (values.every((v) => v === null)) return [];
    const { title, color } = sourceStyle(name);
    return [
      {
        type: 'bar',
        name: title,
        x: SHOWN.map(([, text]) => text),
        y: values,
        marker: { color },
        hovertemplate: `${title}: %{y:.4f}<extra></extra>`,
      },
    ];
  });
  return {
    data,
    layout: layout('Distance from held-out real captures, mean over labels', {
      barmode: 'group',
      bargap: 0.2,
      height: 420,
      margin: { l: 64, r: 24, t: 84, b: 48 },
      yaxis: { title: { text: 'JS distance, base 2 (lower is closer)' }, rangemode: 'tozero' },
    }),
  };
}
