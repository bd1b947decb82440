/** How captures, packets, flows and tables look as the last expression of a cell. */
import type { Capture } from '../capture';
import type { Flow, Session } from '../flows';
import { decodeFrame, nameLinkType, show as showPacket, summarize, type Packet } from '../packets';
import type { TokenDataset } from '../tokens';
import { packetHtml } from '../viz';
import { showBundle, tableBundle, type MimeBundle } from './display';

/** Something that knows a kind of value and how it looks. */
interface Format {
  accepts(value: Record<string, unknown>): boolean;
  bundle(value: never): MimeBundle;
}

/** An arquero table, as far as it is used here. */
interface Arquero {
  toHTML(options: { limit: number }): string;
  numRows(): number;
  numCols(): number;
  print?: unknown;
  columnNames(): string[];
  objects(options: { limit: number }): Record<string, unknown>[];
}

/** A danfo DataFrame, as far as it is used here. */
interface Danfo {
  columns: string[];
  index: (string | number)[];
  values: unknown[][];
  shape: [number, number];
}

const ROWS = 12;

const FORMATS: readonly Format[] = [
  {
    accepts: (v) => typeof v.toHTML === 'function' && typeof v.numRows === 'function',
    bundle: (v: Arquero) => {
      const rows = v.objects({ limit: ROWS });
      const more = v.numRows() - rows.length;
      return tableBundle(rows, {
        columns: v.columnNames(),
        caption: `${v.numRows().toLocaleString('en')} rows, ${v.numCols()} columns${more > 0 ? `; the first ${rows.length}` : ''}`,
      });
    },
  },
  {
    accepts: (v) => Array.isArray(v.columns) && Array.isArray(v.values) && 'ctypes' in v && 'shape' in v,
    bundle: (v: Danfo) => {
      const rows = v.values
        .slice(0, ROWS)
        .map((row, i) => Object.fromEntries([['', v.index[i]], ...v.columns.map((c, k) => [c, row[k]])]));
      return tableBundle(rows, { caption: `${v.shape[0]} rows, ${v.shape[1]} columns` });
    },
  },
  {
    accepts: (v) => Array.isArray(v.layers) && Array.isArray(v.problems) && v.bytes instanceof Uint8Array,
    bundle: (v: Packet) => ({
      'text/html': packetHtml(v, { title: summarize(v) }),
      'text/plain': `${summarize(v)}\n${showPacket(v)}`,
    }),
  },
  {
    accepts: (v) => Array.isArray(v.frames) && Array.isArray(v.problems) && typeof v.info === 'object',
    bundle: (v: Capture) => captureBundle(v),
  },
  {
    accepts: (v) => Array.isArray(v.frames) && Array.isArray(v.flows) && typeof v.source === 'string',
    bundle: (v: Session) =>
      tableBundle(
        v.flows.slice(0, ROWS).map((flow) => flowRow(flow)),
        {
          caption: `${v.source}: ${v.frames.length} packets, ${v.flows.length} flows, ${v.durationSeconds.toFixed(3)} s${v.flows.length > ROWS ? `; the first ${ROWS} flows` : ''}`,
        },
      ),
  },
  {
    accepts: (v) => Array.isArray(v.frames) && Array.isArray(v.fromClient) && typeof v.key === 'string',
    bundle: (v: Flow) => tableBundle([flowRow(v)]),
  },
  {
    accepts: (v) => isDataset(v.meta) && Array.isArray(v.sequences),
    bundle: (v: TokenDataset) => {
      const { layout, checksums, totals, labels } = v.meta;
      return tableBundle(
        Object.entries(totals.perLabel).map(([label, t]) => ({ label, ...t })),
        {
          caption: `${totals.tokens.toLocaleString('en')} tokens in ${totals.sequences} sequences; layout ${layout}, checksums ${checksums}, ${labels.length} labels`,
        },
      );
    },
  },
];

function isDataset(meta: unknown): boolean {
  return (
    typeof meta === 'object' && meta !== null && (meta as { format?: unknown }).format === 'netssm-dataset'
  );
}

/** How a value looks, or undefined for values that are shown as they are. */
export function richBundle(value: unknown): MimeBundle | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const record = value as Record<string, unknown>;
  return FORMATS.find((format) => format.accepts(record))?.bundle(value as never);
}

/** Shows a value as the last expression of a cell would be, from anywhere in it. Other values are printed. */
export function show(value: unknown): void {
  const bundle = richBundle(value);
  if (bundle) showBundle(bundle);
  else console.log(value);
}

function captureBundle({ info, frames, problems }: Capture): MimeBundle {
  const first = frames[0]?.tsMicros ?? 0;
  const rows = frames.slice(0, ROWS).map((frame, packet) => ({
    packet,
    seconds: ((frame.tsMicros - first) / 1e6).toFixed(6),
    captured: frame.data.length,
    'on the wire': frame.wireLen,
    summary: summarize(decodeFrame(frame)),
  }));
  const types = [...new Set(frames.map((frame) => nameLinkType(frame.linkType)))].join(', ');
  const damage = problems.length > 0 ? `, ${problems.length} problems: ${problems[0].message}` : '';
  return tableBundle(rows, {
    caption: `${info.format}, link type ${types || 'unknown'}, ${frames.length} packets${damage}${frames.length > ROWS ? `; the first ${ROWS}` : ''}`,
  });
}

function flowRow(flow: Flow): Record<string, unknown> {
  const { client, server, tcp } = flow;
  return {
    protocol: flow.protocol,
    client: `${client.address}:${client.port}`,
    server: `${server.address}:${server.port}`,
    packets: flow.frames.length,
    bytes: flow.wireBytes,
    seconds: ((flow.endMicros - flow.startMicros) / 1e6).toFixed(4),
    handshake: tcp ? (tcp.handshake ? 'yes' : 'no') : '',
    closed: tcp?.closed ?? '',
  };
}
