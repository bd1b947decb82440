/** A connection as a ladder: time runs down, the client stands on the left, the server on the right. */
import { formatTcpFlags } from '../packets';
import type { ConnectionPacket } from './connection';
import { escapeText } from './html';
import { COLORS } from './theme';

export interface LadderOptions {
  /** Packets to draw; default 16. */
  limit?: number;
  /** Draw the last ones instead of the first. */
  atEnd?: boolean;
  client?: string;
  server?: string;
}

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 570;
const STEP = 34;
const TOP = 64;
const PHASE_COLOURS = { handshake: COLORS.blue, data: '#444444', teardown: COLORS.vermilion } as const;

/** SVG: an arrow a packet, its flags and numbers above it, its time at its tail, phases of the connection by colour and name. */
export function ladderDiagram(packets: readonly ConnectionPacket[], options: LadderOptions = {}): string {
  const limit = options.limit ?? 16;
  const shown = options.atEnd ? packets.slice(-limit) : packets.slice(0, limit);
  const left = packets.length - shown.length;
  const bottom = TOP + shown.length * STEP + 14;
  const height = bottom + (left > 0 ? 26 : 12);
  const parts: string[] = [
    text(LEFT, 22, 'client', 'middle', 'font-weight="600"'),
    text(LEFT, 39, options.client ?? '', 'middle', 'font-size="11"'),
    text(RIGHT, 22, 'server', 'middle', 'font-weight="600"'),
    text(RIGHT, 39, options.server ?? '', 'middle', 'font-size="11"'),
    line(LEFT, TOP - 16, LEFT, bottom, '#777777', 1.5),
    line(RIGHT, TOP - 16, RIGHT, bottom, '#777777', 1.5),
  ];
  shown.forEach((packet, i) => {
    const y = TOP + i * STEP;
    const colour = packet.retransmission ? COLORS.purple : PHASE_COLOURS[packet.phase];
    const [from, to] = packet.fromClient ? [LEFT, RIGHT] : [RIGHT, LEFT];
    const tip = to + (packet.fromClient ? -2 : 2);
    const y2 = y + 12;
    const back = packet.fromClient ? -9 : 9;
    parts.push(
      line(from, y, tip, y2, colour, 1.6),
      `<path d="M${tip} ${y2} l${back} -4.5 l0.4 8.2 z" fill="${colour}"/>`,
      text(
        (LEFT + RIGHT) / 2,
        y - 3,
        arrowText(packet),
        'middle',
        `font-size="11.5" fill="${colour}" paint-order="stroke" stroke="#ffffff" stroke-width="3"`,
      ),
      text(
        from + (packet.fromClient ? -10 : 10),
        y + 4,
        seconds(packet.seconds),
        packet.fromClient ? 'end' : 'start',
        'font-size="11" fill="#555555"',
      ),
    );
    const first = i === 0 || shown[i - 1].phase !== packet.phase;
    if (first)
      parts.push(
        text(
          6,
          y + 4,
          packet.phase,
          'start',
          `font-size="12" font-weight="600" fill="${PHASE_COLOURS[packet.phase]}"`,
        ),
      );
  });
  if (left > 0)
    parts.push(
      text(
        (LEFT + RIGHT) / 2,
        bottom + 14,
        `… ${left} ${options.atEnd ? 'packets before these' : 'more packets'}`,
        'middle',
        'font-size="11" fill="#555555"',
      ),
    );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" style="max-width:100%;height:auto" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="time-sequence diagram of ${shown.length} packets">` +
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>${parts.join('')}</svg>`
  );
}

/** `SYN, ACK  seq 0  ack 1`, as lectures write it. */
function arrowText(packet: ConnectionPacket): string {
  const names: Record<string, string> = { S: 'SYN', F: 'FIN', R: 'RST', P: 'PSH', '.': 'ACK' };
  const flags = [...formatTcpFlags(packet.flags)].map((letter) => names[letter] ?? letter).join(' ');
  const ack = packet.acknowledgmentNumber === undefined ? '' : `  ack ${packet.acknowledgmentNumber}`;
  const size = packet.length > 0 ? `  ${packet.length} bytes` : '';
  const again = packet.retransmission ? '  (again)' : '';
  return `${flags}  seq ${packet.sequenceNumber}${ack}${size}${again}`;
}

function seconds(value: number): string {
  return value < 1 ? `${(value * 1000).toFixed(2)} ms` : `${value.toFixed(3)} s`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, width: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`;
}

function text(x: number, y: number, content: string, anchor: string, extra = ''): string {
  const fill = extra.includes('fill=') ? '' : ' fill="#222222"';
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${fill} ${extra} xml:space="preserve">${escapeText(content)}</text>`;
}
