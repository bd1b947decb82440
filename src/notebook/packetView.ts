/** A packet as bytes, coloured by the header they belong to. */
import type { Layer, Packet } from '../packets';
import { escapeHtml, showBundle } from './display';

/** Backgrounds by layer, light enough for black text; the letter under each byte's row says the same without colour. */
const COLOURS = ['#cfe3f5', '#fbdcc0', '#cdebd8', '#f3d3e4', '#fdf3bf', '#e2e2e2'];

/** Options of {@link hexdump}. */
export interface HexdumpOptions {
  /** Bytes to show; the rest is counted. */
  limit?: number;
  /** Replaces the first line. */
  title?: string;
}

/** Shows a packet: one line that sums it up, its bytes sixteen a row, and its headers' fields. */
export function hexdump(packet: Packet, options: HexdumpOptions = {}): void {
  const limit = Math.min(packet.bytes.length, options.limit ?? 160);
  const title =
    options.title ??
    `${packet.layers.map((layer) => layer.protocol).join(' / ')}, ${packet.bytes.length} bytes`;
  const rows: string[] = [];
  const lines: string[] = [title];
  for (let at = 0; at < limit; at += 16) {
    const bytes = [...packet.bytes.subarray(at, Math.min(at + 16, limit))];
    const offset = at.toString(16).padStart(4, '0');
    const cells = bytes.map((byte, i) => {
      const index = layerAt(packet, at + i);
      const colour = index < 0 ? '#ffffff' : COLOURS[index % COLOURS.length];
      const name = index < 0 ? 'payload' : packet.layers[index].protocol;
      return `<span style="background:${colour};color:#000;padding:0 .25em" title="byte ${at + i}: ${byte} (${escapeHtml(name)})">${hex(byte)}</span>`;
    });
    rows.push(`<div><span style="opacity:.6">${offset}</span> ${cells.join('')}</div>`);
    lines.push(`${offset}  ${bytes.map(hex).join(' ')}`);
  }
  if (limit < packet.bytes.length) {
    const more = `${packet.bytes.length - limit} more bytes`;
    rows.push(`<div>${more}</div>`);
    lines.push(more);
  }
  const fields = packet.layers.map((layer, i) => fieldRow(layer, COLOURS[i % COLOURS.length])).join('');
  const problems = packet.problems.map((p) => `${p.code} at byte ${p.offset}: ${p.message}`);
  lines.push(...packet.layers.map((layer) => `${layer.protocol}: ${fieldText(layer)}`), ...problems);
  showBundle({
    'text/html': `<div><b>${escapeHtml(title)}</b><div style="font-family:monospace;line-height:1.5">${rows.join('')}</div><table>${fields}</table>${problems.map((p) => `<div>⚠ ${escapeHtml(p)}</div>`).join('')}</div>`,
    'text/plain': lines.join('\n'),
  });
}

/** Index of the innermost layer whose header holds the byte; -1 in the payload. */
function layerAt(packet: Packet, offset: number): number {
  for (let i = packet.layers.length - 1; i >= 0; i--) {
    const layer = packet.layers[i];
    if (offset >= layer.offset && offset < layer.offset + layer.length) return i;
  }
  return -1;
}

function fieldRow(layer: Layer, colour: string): string {
  return `<tr><td style="background:${colour};color:#000;text-align:left">${escapeHtml(layer.protocol)}</td><td style="text-align:left">${escapeHtml(fieldText(layer))}</td></tr>`;
}

function fieldText(layer: Layer): string {
  return Object.entries(layer.fields as Record<string, unknown>)
    .map(([name, value]) => `${name} = ${valueText(value)}`)
    .join(', ');
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return value.length === 0 ? 'none' : [...value].map(hex).join(' ');
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([k, v]) => `${k}: ${valueText(v)}`)
      .join(', ')}}`;
  return String(value);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
