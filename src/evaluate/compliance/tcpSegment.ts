import { TcpFlag, type TcpFields, type TcpOption } from '../../packets';
import type { Hit } from './hits';

const { SYN, FIN, RST, ACK, URG } = TcpFlag;
/** Options that a segment has once, by their names in {@link TcpOption}. */
const ONCE = new Set<TcpOption['kind']>(['mss', 'windowScale', 'sackPermitted', 'sack', 'timestamps']);
const LEAST_MSS = 28;
/** Lengths of known options are checked by the decoder, which gives those with another as `other`. */
const KNOWN_OPTIONS: Record<number, string> = {
  2: 'MSS',
  3: 'window scale',
  4: 'SACK-permitted',
  5: 'SACK',
  8: 'timestamps',
  19: 'MD5',
  30: 'MPTCP',
  34: 'fast open',
};

/** SYN with FIN, SYN with RST, or FIN with RST. */
export function hasConflictingFlags(flags: number): boolean {
  const some = flags & (SYN | FIN | RST);
  return (some & (some - 1)) !== 0;
}

/** Are there option bytes that cannot be an option at all (length below 2 or beyond the header)? */
export function hasMalformedOptions(options: readonly TcpOption[]): boolean {
  return options.length > 0 && options[options.length - 1].kind === 'malformed';
}

/**
 * Checks that need only the segment itself.
 *
 * @param optionsComplete the capture holds the whole header.
 */
export function checkSegment(tcp: TcpFields, optionsComplete: boolean, hit: Hit): void {
  const { flags, acknowledgmentNumber, urgentPointer, sourcePort, destinationPort } = tcp;
  if (hasConflictingFlags(flags)) hit('tcp-flags-conflict', () => `flags ${flagText(flags)}`);
  if ((flags & (ACK | SYN | RST)) === 0) hit('tcp-ack-missing', () => `flags ${flagText(flags)}`);
  if ((flags & ACK) === 0 && acknowledgmentNumber !== 0) {
    hit('tcp-ack-field', () => `acknowledgment number ${acknowledgmentNumber} without ACK`);
  }
  if (tcp.reserved & 0b1110) hit('tcp-reserved', () => `reserved bits ${tcp.reserved.toString(2)}`);
  if (sourcePort === 0 || destinationPort === 0) {
    hit('tcp-port-zero', () => `from port ${sourcePort} to port ${destinationPort}`);
  }
  if (((flags & URG) !== 0) !== urgentPointer > 0) {
    hit('tcp-urgent', () => `urgent pointer ${urgentPointer} ${flags & URG ? 'with' : 'without'} URG`);
  }
  if (tcp.options.length > 0) checkOptions(tcp.options, flags, optionsComplete, hit);
}

function checkOptions(options: readonly TcpOption[], flags: number, complete: boolean, hit: Hit): void {
  const syn = (flags & SYN) !== 0;
  let seen = 0;
  for (const option of options) {
    switch (option.kind) {
      case 'malformed':
        if (complete) hit('tcp-options-malformed', () => `option bytes ${hex(option.data)}`);
        break;
      case 'other':
        if (option.number in KNOWN_OPTIONS) {
          hit(
            'tcp-option-length',
            () => `${KNOWN_OPTIONS[option.number]} option of ${option.data.length + 2} bytes`,
          );
        }
        break;
      case 'eol':
        if (option.padding.some((byte) => byte !== 0)) {
          hit('tcp-option-padding', () => `${hex(option.padding)} behind the end of options`);
        }
        break;
      case 'mss':
        if (!syn) hit('tcp-mss-outside-syn', () => `MSS ${option.value} in ${flagText(flags)}`);
        if (option.value < LEAST_MSS) hit('tcp-mss-small', () => `MSS ${option.value}`);
        break;
      case 'windowScale':
        if (!syn) hit('tcp-wscale-outside-syn', () => `shift ${option.shift} in ${flagText(flags)}`);
        if (option.shift > 14) hit('tcp-wscale-range', () => `shift ${option.shift}`);
        break;
      case 'sackPermitted':
        if (!syn) hit('tcp-sackok-outside-syn', () => `in ${flagText(flags)}`);
        break;
      case 'sack':
        for (const [left, right] of option.blocks) {
          if (((right - left) | 0) <= 0) hit('tcp-sack-blocks', () => `block {${left}:${right}}`);
        }
        break;
    }
    if (ONCE.has(option.kind)) {
      const bit = 1 << [...ONCE].indexOf(option.kind);
      if (seen & bit) hit('tcp-option-repeated', () => `${option.kind} twice`);
      seen |= bit;
    }
  }
}

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/** `SYN+ACK`; `none`. */
export function flagText(flags: number): string {
  return FLAG_NAMES.filter((_, bit) => (flags >> bit) & 1).join('+') || 'none';
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
