/** How values look as the last expression of a cell: recognised by their shape, so that copies of them do, too. */
import { inspect } from 'node:util';
import type { Evaluation } from '../evaluate';
import type { Capture, Frame } from '../capture';
import type { Flow, Session, TestbedDataset } from '../flows';
import type { GeneratedTrace, LoadedModel } from '../generate';
import type { MambaConfig } from '../model';
import type { Engine } from '../tensor';
import { decodeFrame, nameLinkType, show as showPacket, summarize, type Packet } from '../packets';
import type { EncodedSession, Layout, TokenDataset, Vocabulary } from '../tokens';
import type { History, TrainConfig } from '../train';
import { packetHtml } from '../viz';
import { showBundle, tableBundle, type MimeBundle } from './display';
import { EXPLAIN_FORMATS } from './explainView';
import type { TrainedRun } from './loadOrTrain';
import {
  encodedBundle,
  engineLine,
  evaluationBundle,
  historyBundle,
  isModelConfig,
  layoutLine,
  loadedModelBundle,
  modelBundle,
  tokensBundle,
  traceBundle,
  tracesBundle,
  trainConfigBundle,
  trainedRunBundle,
  vocabularyLine,
} from './richModels';
import { placeholderSvg, staticSvg, titleOf, type FigureSpec } from './staticFigure';

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
  ...EXPLAIN_FORMATS,
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
  {
    accepts: (v) => Array.isArray(v.sessions) && Array.isArray(v.classes) && typeof v.manifest === 'object',
    bundle: (v: TestbedDataset) => testbedBundle(v),
  },
  {
    accepts: (v) => v.data instanceof Uint8Array && typeof v.wireLen === 'number' && 'tsMicros' in v,
    bundle: (v: Frame) => {
      const packet = decodeFrame(v);
      const title = `${summarize(packet)}; ${v.data.length} of ${v.wireLen} bytes captured`;
      return { 'text/html': packetHtml(packet, { title }), 'text/plain': `${title}\n${showPacket(packet)}` };
    },
  },
  { accepts: (v) => v instanceof Uint16Array, bundle: (v: Uint16Array) => tokensBundle(v) },
  {
    accepts: (v) => v.tokens instanceof Uint16Array && Array.isArray(v.refusals),
    bundle: (v: EncodedSession) => encodedBundle(v),
  },
  { accepts: isModelConfig, bundle: (v: MambaConfig) => modelBundle(v) },
  {
    accepts: (v) => 'stepper' in v && 'vocabulary' in v && 'logitsLength' in v,
    bundle: (v: LoadedModel) => loadedModelBundle(v),
  },
  {
    accepts: (v) => 'batchSize' in v && 'contextLen' in v && 'weightDecay' in v && 'lr' in v && 'mode' in v,
    bundle: (v: TrainConfig) => trainConfigBundle(v),
  },
  {
    accepts: (v) => Array.isArray(v.steps) && Array.isArray(v.evals) && 'stopped' in v && 'run' in v,
    bundle: (v: History) => historyBundle(v),
  },
  {
    accepts: (v) => 'model' in v && 'history' in v && typeof v.how === 'string',
    bundle: (v: TrainedRun) => trainedRunBundle(v),
  },
  { accepts: isTrace, bundle: (v: GeneratedTrace) => traceBundle(v) },
  { accepts: (v) => v.format === 'netssm-evaluation', bundle: (v: Evaluation) => evaluationBundle(v) },
  {
    accepts: (v) => typeof v.gflops === 'number' && 'tf' in v && typeof v.name === 'string',
    bundle: (v: Engine) => engineLine(v),
  },
  {
    accepts: (v) => typeof v.labelId === 'function' && Array.isArray(v.labels),
    bundle: (v: Vocabulary) => vocabularyLine(v),
  },
  {
    accepts: (v) => typeof v.encoder === 'function' && typeof v.decoder === 'function' && 'stateful' in v,
    bundle: (v: Layout) => layoutLine(v),
  },
  {
    accepts: (v) =>
      Array.isArray(v.data) && typeof v.layout === 'object' && v.layout !== null && isTraceSpec(v.data),
    bundle: (v: FigureSpec) => {
      const label = titleOf((v.layout as { title?: unknown }).title) || 'figure';
      const svg = staticSvg(v, { standalone: false }) ?? placeholderSvg(label, false);
      return {
        'text/html': svg,
        'image/svg+xml': svg,
        'text/plain': `[${label}: show it with figure(id, spec)]`,
      };
    },
  },
];

function isTrace(v: Record<string, unknown>): boolean {
  return Array.isArray(v.frames) && 'promptPackets' in v && typeof v.report === 'object' && 'label' in v;
}

function isTraceSpec(data: unknown[]): boolean {
  return (
    data.length > 0 && data.every((each) => typeof (each as { type?: unknown } | null)?.type === 'string')
  );
}

function testbedBundle({ classes, sessions, dir }: TestbedDataset): MimeBundle {
  const rows = classes.map((label) => {
    const own = sessions.filter((session) => session.label === label);
    const of = (split: string): number => own.filter((session) => session.split === split).length;
    return {
      class: label,
      service: [...new Set(own.map((session) => session.service))].join(', '),
      training: of('train'),
      test: of('test'),
      packets: own.reduce((sum, session) => sum + session.packets, 0),
    };
  });
  const packets = sessions.reduce((sum, session) => sum + session.packets, 0);
  return tableBundle(rows, {
    caption: `${dir}: ${sessions.length.toLocaleString('en')} sessions of ${classes.length} classes, ${packets.toLocaleString('en')} packets`,
  });
}

function isDataset(meta: unknown): boolean {
  return (
    typeof meta === 'object' && meta !== null && (meta as { format?: unknown }).format === 'netssm-dataset'
  );
}

/** How a value looks, or undefined for values that are shown as they are. */
export function richBundle(value: unknown): MimeBundle | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const traces =
      value.length > 0 && value.every((each) => typeof each === 'object' && each && isTrace(each));
    return traces ? tracesBundle(value as GeneratedTrace[]) : undefined;
  }
  const record = value as Record<string, unknown>;
  return FORMATS.find((format) => format.accepts(record))?.bundle(value as never);
}

/** Shows a value as the last expression of a cell would be, from anywhere in it. Other values are printed. */
export function show(value: unknown): void {
  const bundle = richBundle(value);
  if (bundle) showBundle(bundle);
  else console.log(value);
}

/**
 * A value in one readable line, for terminals and logs: `pcap, link type Ethernet, 324 packets`. Values that have no
 * form of their own are printed as Node does, cut to a line.
 */
export function describeLine(value: unknown): string {
  const text = richBundle(value)?.['text/plain'] ?? inspect(value, { breakLength: Infinity, depth: 1 });
  const [line] = text.split('\n');
  return line.length > LINE ? `${line.slice(0, LINE - 1)}…` : line;
}

const LINE = 200;

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
