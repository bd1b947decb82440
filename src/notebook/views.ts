/** Pictures of packets, connections and tokens as cell outputs. The markup comes from `netssm/viz`. */
import { join } from 'node:path';
import type { Frame } from '../capture';
import { decodeFrame, formatTcpFlags, show, summarize, type Packet } from '../packets';
import type { Flow, Session } from '../flows';
import { getLayout, type Layout } from '../tokens';
import { writeFileAtomic } from '../util';
import {
  annotateTokens,
  connectionPackets,
  headerDiagram,
  ladderDiagram,
  packetHtml,
  packetTitle,
  tokenStrip,
  tokenText,
  type PacketViewOptions,
  type TokenRow,
} from '../viz';
import { escapeHtml, html, showBundle } from './display';

/**
 * Shows an SVG, and writes it as `<id>.svg` to the folder `figures` beside the notebook; `save: null` writes nothing.
 * {@link figure} takes SVGs, too; this one has a text of its own for terminals.
 */
export function svgFigure(
  id: string,
  svg: string,
  options: { caption?: string; text?: string; save?: string | null } = {},
): void {
  const folder = options.save === undefined ? 'figures' : options.save;
  if (folder !== null) writeFileAtomic(join(folder, `${id}.svg`), svg);
  const caption = options.caption ? `<p style="max-width:44em">${escapeHtml(options.caption)}</p>` : '';
  showBundle({
    'text/html': `<div>${svg}</div>${caption}`,
    'image/svg+xml': svg,
    'text/plain': options.text ?? `[figure ${id}${options.caption ? `: ${options.caption}` : ''}]`,
  });
}

/** Shows a packet: its bytes coloured by field, and its headers as a tree; pointing at one marks the other. */
export function hexdump(packet: Packet, options: PacketViewOptions = {}): void {
  html(packetHtml(packet, options), `${options.title ?? packetTitle(packet)}\n${show(packet)}`);
}

/** Shows one header of a packet as the RFCs draw it, 32 bits a row, with its values. */
export function header(packet: Packet, protocol: string, options: { caption?: string } = {}): void {
  svgFigure(`header-${protocol}`, headerDiagram(packet, protocol), {
    ...options,
    save: null,
    text: show(packet),
  });
}

/** Shows a connection as a ladder between client and server. */
export function ladder(
  id: string,
  session: Session,
  flow: Flow,
  options: { limit?: number; atEnd?: boolean; caption?: string } = {},
): void {
  const packets = connectionPackets(session, flow);
  const svg = ladderDiagram(packets, {
    limit: options.limit,
    atEnd: options.atEnd,
    client: `${flow.client.address}:${flow.client.port}`,
    server: `${flow.server.address}:${flow.server.port}`,
  });
  const limit = options.limit ?? 16;
  const lines = (options.atEnd ? packets.slice(-limit) : packets.slice(0, limit)).map(
    (p) => `${p.fromClient ? '->' : '<-'} [${formatTcpFlags(p.flags)}] ${p.length} bytes, ${p.phase}`,
  );
  svgFigure(id, svg, { caption: options.caption, text: lines.join('\n') });
}

/** A packet in a line, without its TCP options. */
function briefly(frame: Frame): string {
  return summarize(decodeFrame(frame)).replace(/, options \[[^\]]*\]/, '');
}

/** Options of {@link tokens}. */
export interface TokensOptions {
  /** Which packets to show; those before them are encoded too, since `compact-rel` depends on them. Default: all. */
  show?: readonly number[];
  layout?: Layout;
  wrong?: { packet: number; at: number; message: string };
}

/** Shows the tokens of packets as strips, coloured by field: one strip a packet. */
export function tokens(frames: readonly Frame[], options: TokensOptions = {}): void {
  const layout = options.layout ?? getLayout();
  const wanted = options.show ?? frames.map((_, i) => i);
  const { wrong } = options;
  const shown = annotateTokens(frames.slice(0, Math.max(...wanted) + 1), layout);
  const rows = wanted.map((i): TokenRow => ({
    title: `packet ${i}: ${briefly(frames[i])}`,
    packet: shown[i],
    end: '<|pkt|>',
    ...(wrong?.packet === i && { wrong }),
  }));
  html(tokenStrip(rows), rows.map(tokenText).join('\n'));
}

/** Shows one packet's tokens in several layouts, one strip a layout. Packets before it are encoded too. */
export function tokensByLayout(frames: readonly Frame[], packet: number, layouts: readonly Layout[]): void {
  const rows = layouts.map((layout): TokenRow => ({
    title: `${layout.name}, checksums ${layout.checksums}`,
    packet: annotateTokens(frames.slice(0, packet + 1), layout)[packet],
    end: '<|pkt|>',
  }));
  html(tokenStrip(rows), rows.map(tokenText).join('\n'));
}
