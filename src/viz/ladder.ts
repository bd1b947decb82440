/** A connection as a ladder: time runs down, the client stands on the left, the server on the right. */
import { formatTcpFlags } from '../packets';
import type { ConnectionPacket } from './connection';
import { svgColour, svgInk, svgPage, svgText } from './svgTheme';
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
const PHASE_COLOURS = { handshake: COLORS.blue, data: COLORS.black, teardown: COLORS.vermilion } as const;

/** SVG: an arrow a packet, its flags and numbers above it, its time at its tail, phases of the connection by colour and name. */
export function ladderDiagram(packets: readonly ConnectionPacket[], options: LadderOptions = {}): string {
  const limit = options.limit ?? 16;
  const shown = options.atEnd ? packets.slice(-limit) : packets.slice(0, limit);
  const left = packets.length - shown.length;
  const bottom = TOP + shown.length * STEP + 14;
  const height = bottom + (left > 0 ? 26 : 12);
  const middle = (LEFT + RIGHT) / 2;
  const head = 'font-size="13" font-weight="600"';
  const parts: string[] = [
    svgText(LEFT, 22, 'client', 'middle', head),
    svgText(LEFT, 39, options.client ?? '', 'middle', 'font-size="11"'),
    svgText(RIGHT, 22, 'server', 'middle', head),
    svgText(RIGHT, 39, options.server ?? '', 'middle', 'font-size="11"'),
    line(LEFT, TOP - 16, LEFT, bottom, COLORS.grey, 1.5),
    line(RIGHT, TOP - 16, RIGHT, bottom, COLORS.grey, 1.5),
  ];
  shown.forEach((packet, i) => {
    const y = TOP + i * STEP;
    const colour = packet.retransmission ? COLORS.purple : PHASE_COLOURS[packet.phase];
    const [from, to] = packet.fromClient ? [LEFT, RIGHT] : [RIGHT, LEFT];
    const tip = to + (packet.fromClient ? -2 : 2);
    const y2 = y + 12;
    const back = packet.fromClient ? -9 : 9;
    const words = `class="nf-halo" ${svgInk(colour)} xml:space="preserve"`;
    const time = seconds(packet.seconds);
    parts.push(
      line(from, y, tip, y2, colour, 1.6),
      `<path d="M${tip} ${y2} l${back} -4.5 l0.4 8.2 z" ${svgColour('fill', colour)}/>`,
      svgText(middle, y - 3, arrowText(packet), 'middle', words),
      packet.fromClient
        ? svgText(from - 10, y + 4, time, 'end', 'font-size="11"')
        : svgText(from + 10, y + 4, time, 'start', 'font-size="11"'),
    );
    const first = i === 0 || shown[i - 1].phase !== packet.phase;
    const look = `font-size="12" font-weight="600" ${svgInk(PHASE_COLOURS[packet.phase])}`;
    if (first) parts.push(svgText(6, y + 4, packet.phase, 'start', look));
  });
  const rest = options.atEnd ? 'packets before these' : 'more packets';
  if (left > 0) parts.push(svgText(middle, bottom + 14, `… ${left} ${rest}`, 'middle', 'font-size="11"'));
  const label = `time-sequence diagram of ${shown.length} packets`;
  return svgPage({ width: WIDTH, height, label }, parts.join(''));
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
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" ${svgColour('stroke', colour)} stroke-width="${width}"/>`;
}
