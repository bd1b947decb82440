/** One header as the RFCs draw it: 32 bits a row, every field a box as wide as its bits. */
import type { Packet } from '../packets';
import { NetssmError } from '../util';
import { FIELD_COLOURS, fieldKind } from './fieldColours';
import { fieldRanges, tcpFlagsText } from './fieldRanges';
import { escapeText } from './html';
import { svgPage, svgText } from './svgTheme';

const BIT_WIDTH = 22;
const ROW_HEIGHT = 40;
const LEFT = 34;
const TOP = 22;

/**
 * SVG of the first layer of that protocol.
 * @throws NetssmError `layer_missing` when the packet has no such layer.
 */
export function headerDiagram(packet: Packet, protocol: string): string {
  const layer = packet.layers.findIndex((l) => l.protocol === protocol);
  if (layer < 0) {
    throw new NetssmError('layer_missing', `the packet has no ${protocol} header`, {
      hint: `It has: ${packet.layers.map((l) => l.protocol).join(', ') || 'none'}.`,
    });
  }
  const start = packet.layers[layer].offset * 8;
  const boxes: string[] = [];
  let rows = 0;
  for (const range of fieldRanges(packet).filter((r) => r.layer === layer)) {
    const from = range.bit - start;
    const to = from + range.bits;
    rows = Math.max(rows, Math.ceil(to / 32));
    const colour = FIELD_COLOURS[fieldKind(range.name, protocol)];
    const value =
      protocol === 'tcp' && range.name === 'flags' ? tcpFlagsText(Number(range.value)) : range.value;
    const pieces = rowPieces(from, to);
    const widest = pieces.reduce((a, b) => (b.bits > a.bits ? b : a));
    for (const piece of pieces) {
      const x = LEFT + piece.column * BIT_WIDTH;
      const y = TOP + piece.row * ROW_HEIGHT;
      const width = piece.bits * BIT_WIDTH;
      boxes.push(
        `<rect x="${x}" y="${y}" width="${width}" height="${ROW_HEIGHT}" fill="${colour}" stroke="#555555"><title>${escapeText(`${range.name} = ${value}, ${range.bits} bits`)}</title></rect>`,
      );
      if (piece !== widest) continue;
      boxes.push(
        inBox(x + width / 2, y + 16, fit(words(range.name), width, 6), 'font-size="11"'),
        inBox(x + width / 2, y + 32, fit(value, width, 7.2), 'font-size="13" font-weight="600"'),
      );
    }
  }
  const width = LEFT + 32 * BIT_WIDTH + 8;
  const height = TOP + rows * ROW_HEIGHT + 8;
  const scale = [0, 4, 8, 12, 16, 20, 24, 28].map((bit) =>
    svgText(LEFT + bit * BIT_WIDTH + 2, TOP - 7, String(bit), 'start', 'font-size="10"'),
  );
  const offsets = Array.from({ length: rows }, (_, row) =>
    svgText(LEFT - 6, TOP + row * ROW_HEIGHT + 25, String(row * 4), 'end', 'font-size="10"'),
  );
  return svgPage(
    { width, height, label: `${protocol} header, ${rows} words of 32 bits` },
    scale.join('') + offsets.join('') + boxes.join(''),
  );
}

/** A range of bits as one piece for each row of 32 that it touches. */
function rowPieces(from: number, to: number): { row: number; column: number; bits: number }[] {
  const pieces: { row: number; column: number; bits: number }[] = [];
  for (let at = from; at < to;) {
    const end = Math.min(to, (Math.floor(at / 32) + 1) * 32);
    pieces.push({ row: Math.floor(at / 32), column: at % 32, bits: end - at });
    at = end;
  }
  return pieces;
}

/** `sequenceNumber` as `sequence number`; abbreviations stay. */
function words(name: string): string {
  return name.includes(' ') ? name : name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}

function fit(text: string, width: number, perLetter: number): string {
  const letters = Math.max(1, Math.floor((width - 4) / perLetter));
  return text.length <= letters
    ? text
    : letters < 4
      ? text.slice(0, letters)
      : `${text.slice(0, letters - 1)}…`;
}

/** Text in a box, which is light on dark pages, too: black, whatever the colour of other text. */
function inBox(x: number, y: number, text: string, look: string): string {
  return svgText(x, y, text, 'middle', `style="fill:#1a1a1a" ${look} pointer-events="none"`);
}
