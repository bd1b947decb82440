import type { ComplianceRow } from '../evaluate';
import type { Cell, ResultFigure, ResultTable } from './experiment';
import { MODEL_SOURCE, type GeneratedLabel } from './generated';
import type { Measured } from './measure';
import { column } from './tables';
import type { HeldOutBits, TrainedVariant } from './training';

/** What one variant's traces are worth. */
export interface JudgedVariant {
  variant: string;
  heldOut: HeldOutBits;
  generated: GeneratedLabel[];
  measured: Measured;
}

export function trainingTable(
  name: string,
  trained: readonly TrainedVariant[],
  judged: readonly JudgedVariant[],
): ResultTable {
  return {
    id: `${name}-training`,
    title: 'Training with equal compute, and the loss on held-out real sessions',
    reproduces: [],
    columns: [
      column.name('variant'),
      column.name('layout'),
      column.ours('parameters'),
      column.ours('steps'),
      column.ours('tokens read'),
      column.ours('10^12 operations'),
      column.ours('best validation loss, nats', 4),
      column.ours('held-out loss, nats', 4),
      column.ours('tokens a packet'),
      column.ours('bits a packet', 4),
    ],
    rows: trained.map((each, i): Cell[] => {
      const { heldOut } = judged[i];
      return [
        each.variant,
        each.layout,
        each.parameters,
        each.steps,
        each.tokens,
        each.teraOperations,
        each.bestLossNats,
        heldOut.lossNats,
        heldOut.tokensPerPacket,
        heldOut.bitsPerPacket,
      ];
    }),
    notes: [
      'Nats a token compare within a layout only; bits a packet compare across layouts, as far as they keep the same: ' +
        'paper-94 keeps checksums, compact and compact-rel do not.',
    ],
  };
}

export function variantGenerationTable(name: string, judged: readonly JudgedVariant[]): ResultTable {
  const percent = (part: number, of: number): number | null => (of === 0 ? null : (100 * part) / of);
  const distance = (measured: Measured, source: string, what: string): number | null =>
    measured.similarity.find((row) => row.source === source && row.label === 'macro' && row.what === what)
      ?.jsDistance ?? null;
  const shares = (measured: Measured, source: string): Cell[] => {
    const row = measured.compliance?.rows.find(
      (each): each is ComplianceRow => each.source === source && each.label === 'pooled',
    );
    if (!row) return [null, null, null, null];
    const { tcp } = row;
    return [
      percent(tcp.handshakes, tcp.withSyn),
      percent(tcp.closedByFin + tcp.closedByRst, tcp.flows),
      percent(tcp.seqProgress, tcp.seqChecked),
      percent(tcp.ackProgress, tcp.ackRepeatable),
    ];
  };
  const rows = judged.map(({ variant, generated, measured }): Cell[] => {
    const sum = (of: (set: GeneratedLabel) => number): number => generated.reduce((n, set) => n + of(set), 0);
    const packets = sum((set) => set.packets);
    const first = sum((set) => (set.firstTry ?? 0) * (set.packets + set.skipped));
    return [
      variant,
      packets,
      percent(first, packets + sum((set) => set.skipped)),
      distance(measured, MODEL_SOURCE, 'tcp'),
      distance(measured, MODEL_SOURCE, 'mean'),
      ...shares(measured, MODEL_SOURCE),
    ];
  });
  const [{ measured }] = judged;
  return {
    id: `${name}-generation`,
    title: 'What the variants generate: prompt one packet, raw output',
    reproduces: [],
    columns: [
      column.name('variant'),
      column.ours('packets'),
      column.ours('decoded at first try, %', 4),
      column.ours('header JSD'),
      column.ours('fields, mean JSD'),
      column.ours('handshakes, %'),
      column.ours('closes, %'),
      column.ours('SEQ progress, %'),
      column.ours('ACK progress, %'),
    ],
    rows: [
      ...rows,
      [
        'real (floor)',
        null,
        null,
        distance(measured, 'real', 'tcp'),
        distance(measured, 'real', 'mean'),
        ...shares(measured, 'real'),
      ],
    ],
    notes: ['Distances from held-out real sessions, macro over the classes.'],
  };
}

export function validationFigure(name: string, trained: readonly TrainedVariant[]): ResultFigure {
  return {
    id: `${name}-validation`,
    title: 'Validation loss by compute',
    reproduces: [],
    x: '10^12 operations',
    y: 'nats a token',
    series: trained.map(({ variant, layout, steps, teraOperations, validation }) => ({
      name: variant,
      from: 'ours' as const,
      panel: layout,
      x: validation.map(({ step }) => (step / steps) * teraOperations),
      y: validation.map(({ lossNats }) => lossNats),
    })),
    notes: ['A panel a layout: their tokens are different.'],
  };
}
