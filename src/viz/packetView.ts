/** A packet as bytes and as a tree of fields, side by side: pointing at one shows the other. */
import type { Packet } from '../packets';
import { FIELD_COLOURS, fieldKind } from './fieldColours';
import { fieldRanges, tcpFlagsText, type FieldRange } from './fieldRanges';
import { escapeText } from './html';

export interface PacketViewOptions {
  /** Bytes to show; the rest is counted. Default 160. */
  limit?: number;
  /** The line above; default: protocols and length. */
  title?: string;
  /** Bytes a row, 16 or 8. */
  bytesPerRow?: number;
}

/** `ethernet / ipv4 / tcp, 66 bytes`. */
export function packetTitle(packet: Packet): string {
  return `${packet.layers.map((layer) => layer.protocol).join(' / ')}, ${packet.bytes.length} bytes`;
}

/**
 * HTML without scripts. Each byte has the colour of its field; a thin line separates headers; bytes at which a problem
 * was found are framed in red, and the problems stand below.
 */
export function packetHtml(packet: Packet, options: PacketViewOptions = {}): string {
  const limit = Math.min(packet.bytes.length, options.limit ?? 160);
  const perRow = options.bytesPerRow ?? 16;
  const ranges = fieldRanges(packet);
  const id = `px${shortHash(packet.bytes)}${packet.problems.length}${perRow}${limit}`;
  const rows: string[] = [];
  for (let at = 0; at < limit; at += perRow) {
    const cells: string[] = [];
    for (let i = at; i < Math.min(at + perRow, limit); i++) cells.push(byteCell(packet, ranges, i));
    rows.push(`<div><span class="o">${at.toString(16).padStart(4, '0')}</span>${cells.join('')}</div>`);
  }
  if (limit < packet.bytes.length) rows.push(`<div>${packet.bytes.length - limit} more bytes</div>`);
  const tree = packet.layers.map((layer, index) => {
    const own = ranges.filter((range) => range.layer === index);
    const look = layer.recognised ? ', recognised by its look' : '';
    return (
      `<details open><summary><b>${escapeText(layer.protocol)}</b> <small>bytes ${layer.offset}–${layer.offset + layer.length - 1}${look}</small></summary>` +
      `<div class="f">${own.map((range) => fieldCell(range, ranges.indexOf(range))).join('')}</div></details>`
    );
  });
  const payload = packet.bytes.length - packet.payloadOffset;
  const problems = packet.problems.map(
    (p) =>
      `<div class="p">⚠ <b>${escapeText(p.code)}</b> at byte ${p.offset}: ${escapeText(p.message)}</div>`,
  );
  const title = escapeText(options.title ?? packetTitle(packet));
  return (
    `<div class="netssm-packet" id="${id}">${style(id, ranges)}<div class="t">${title}</div>` +
    `<div class="s"><div class="b">${rows.join('')}</div><div class="e">${tree.join('')}` +
    `<div><b>payload</b> <small>${payload > 0 ? `${payload} bytes captured` : 'not captured'}</small></div></div></div>${problems.join('')}</div>`
  );
}

/** All fields whose bits are in a byte. */
function fieldsAt(ranges: readonly FieldRange[], byte: number): number[] {
  const found: number[] = [];
  ranges.forEach(({ bit, bits }, index) => {
    if (bit < (byte + 1) * 8 && bit + bits > byte * 8) found.push(index);
  });
  return found;
}

function byteCell(packet: Packet, ranges: readonly FieldRange[], at: number): string {
  const own = fieldsAt(ranges, at);
  const inHeader = own.length > 0;
  const first = ranges[own[own.length - 1]];
  const colour = inHeader ? FIELD_COLOURS[fieldKind(first.name, first.protocol)] : '#f7f7f7';
  const what = inHeader
    ? own.map((i) => `${ranges[i].protocol} ${ranges[i].name} = ${ranges[i].value}`).join(', ')
    : 'payload';
  const wrong = packet.problems.some((p) => p.offset === at) ? ' w' : '';
  const start = packet.layers.some((layer) => layer.offset === at) ? ' h' : '';
  const fields = own.map((i) => `f${i}`).join(' ');
  return `<span class="x ${fields}${wrong}${start}" style="background:${colour}" title="byte ${at}: ${escapeText(what)}">${packet.bytes[at].toString(16).padStart(2, '0')}</span>`;
}

function fieldCell(range: FieldRange, index: number): string {
  const colour = FIELD_COLOURS[fieldKind(range.name, range.protocol)];
  const value =
    range.protocol === 'tcp' && range.name === 'flags' ? tcpFlagsText(Number(range.value)) : range.value;
  return `<span class="g f${index}" style="background:${colour}"><i>${escapeText(range.name)}</i> ${escapeText(value)}</span>`;
}

/** Pointing at a byte or a field darkens both; `:has` needs no script, so it works in saved notebooks. */
function style(id: string, ranges: readonly FieldRange[]): string {
  const hover = ranges.map((_, i) => `#${id}:has(.f${i}:hover) .f${i}`).join(',');
  return (
    `<style>#${id}{margin:.3em 0 .8em}#${id} .t{font-weight:600;margin-bottom:.3em}` +
    `#${id} .s{display:flex;flex-wrap:wrap;gap:1.4em;align-items:flex-start}` +
    `#${id} .b{font:13px/1.75 ui-monospace,Menlo,Consolas,monospace;white-space:nowrap}` +
    `#${id} .o{opacity:.6;margin-right:.7em}#${id} .x{color:#000;padding:.1em .28em;cursor:default}` +
    `#${id} .h{border-left:2px solid #333}#${id} .w{outline:2px solid #c1121f;outline-offset:-2px}` +
    `#${id} .e{flex:1 1 22em;max-width:44em;font-size:13px}#${id} summary{cursor:pointer}` +
    `#${id} .f{display:flex;flex-wrap:wrap;gap:3px;margin:.15em 0 .4em 1em}` +
    `#${id} .g{color:#000;padding:0 .45em;border-radius:3px}#${id} .g i{color:#444}` +
    `#${id} .p{margin:.35em 0;border-left:4px solid #c1121f;padding-left:.6em}` +
    (hover ? `${hover}{filter:brightness(.72);outline:1px solid #000;outline-offset:-1px}` : '') +
    '</style>'
  );
}

/** FNV-1a: the same packet has the same id, so that notebooks do not change from run to run. */
function shortHash(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36);
}
