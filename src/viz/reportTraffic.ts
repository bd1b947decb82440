import type { Evaluation, FieldName } from '../evaluate';
import { quantileFigure } from './evaluationFigures';
import type { ReportTrace } from './report';
import type { ReportPage } from './reportPage';
import { fieldHistogram, packetLanes } from './trafficFigures';

/** What the traffic looks like, before anything is measured. */
export function trafficSection(
  page: ReportPage,
  evaluation: Evaluation,
  traces: readonly ReportTrace[] = [],
): void {
  const { figures } = evaluation;
  page.heading('The traffic', 'Traffic');
  page.figure(
    figures.lanes.length > 0 ? packetLanes(figures.lanes) : undefined,
    'Bars above the line go from client to server, below from server to client. A colour is a flow of its trace; the rarest flows are grey.',
  );
  if (traces.length > 0) {
    const shown = traces.slice(0, 60);
    page.folded(
      `Generated captures${traces.length > shown.length ? ` (first ${shown.length} of ${traces.length})` : ` (${traces.length})`}`,
      {
        columns: ['file', 'label', 'packets', 'tokens', 'attempts that were no packet'],
        rows: shown.map((t) => [t.file, t.label, t.packets, t.tokens, t.refused]),
      },
    );
  }
  page.figure(
    quantileFigure(figures.quantiles.wireLen, evaluation, 'Packet length on the wire, cumulative', 'bytes'),
    'Share of packets that are no longer. All labels together, as many packets of each as the captures hold.',
  );
  page.figure(
    quantileFigure(
      figures.quantiles.gapSeconds,
      evaluation,
      'Time between packets of a capture, cumulative',
      'seconds',
      true,
    ),
    'Share of packets that follow the one before within so much time. Baselines draw real gaps one by one.',
  );
  page.figure(
    fieldHistogram(figures, 'wire.len', 'Packet length on the wire', 'bytes (lower edge of the bin)'),
    'All labels together, each as frequent as in the reference.',
  );
  page.figure(
    fieldHistogram(frequentOnly(figures, 'tcp.flags'), 'tcp.flags', 'TCP flags', ''),
    'All labels together; values that some source has in 0.5 % of its packets or more.',
  );
  page.figure(
    fieldHistogram(
      frequentOnly(figures, 'tcp.window'),
      'tcp.window',
      'TCP window',
      'lower edge of the bin, not scaled',
    ),
    'All labels together; bins that some source has in 0.5 % of its packets or more.',
  );
}

/** Rare values summed up, where no source has as much as half a percent of them. */
function frequentOnly(figures: Evaluation['figures'], field: FieldName): Evaluation['figures'] {
  const bySource = figures.histograms[field];
  if (!bySource) return figures;
  const most = new Map<string | number, number>();
  for (const values of Object.values(bySource))
    for (const [value, share] of values) most.set(value, Math.max(most.get(value) ?? 0, share));
  const kept = new Set(
    [...most].filter(([value, share]) => share >= 0.005 && value !== 'other').map(([value]) => value),
  );
  const reduced = Object.entries(bySource).map(([source, values]) => {
    const shown = values.filter(([value]) => kept.has(value));
    const rest = 1 - shown.reduce((sum, [, share]) => sum + share, 0);
    return [source, rest > 0.0005 ? [...shown, ['other', rest]] : shown];
  });
  return {
    ...figures,
    histograms: { ...figures.histograms, [field]: Object.fromEntries(reduced) as typeof bySource },
  };
}
