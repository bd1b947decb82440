// RFC 9293, section 3.1: a list of options fills the header after its first 20 bytes. Kinds 0 and 1 are a single
// byte; all others are kind, length (of the whole option) and data.

/** The kinds (https://www.iana.org/assignments/tcp-parameters) that are read. */
export const TcpOptionKind = {
  EOL: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  MD5: 19,
  MPTCP: 30,
  FAST_OPEN: 34,
} as const;

/** One option. Every byte of the list is in one of them, so that encoding gives the same bytes again. */
export type TcpOption =
  /** End of the list; `padding` is what stands after it, zeros as a rule. */
  | { kind: 'eol'; padding: Uint8Array }
  | { kind: 'nop' }
  /** Maximum segment size in bytes (RFC 9293). */
  | { kind: 'mss'; value: number }
  /** The window counts in units of 2^shift bytes (RFC 7323). */
  | { kind: 'windowScale'; shift: number }
  | { kind: 'sackPermitted' }
  /** Ranges received out of order, as [left edge, right edge) (RFC 2018). */
  | { kind: 'sack'; blocks: [left: number, right: number][] }
  /** RFC 7323. */
  | { kind: 'timestamps'; value: number; echoReply: number }
  /** RFC 2385. */
  | { kind: 'md5'; digest: Uint8Array }
  /** RFC 8684; not looked into. */
  | { kind: 'mptcp'; data: Uint8Array }
  /** RFC 7413; an empty cookie asks for one. */
  | { kind: 'fastOpen'; cookie: Uint8Array }
  /** Any other kind, or a known kind with a length that is not its own. */
  | { kind: 'other'; number: number; data: Uint8Array }
  /** The rest of a list that cannot be read further, as it is. */
  | { kind: 'malformed'; data: Uint8Array };

/** All bytes of the range, in options, and where the list breaks its rules. */
export function decodeTcpOptions(
  bytes: Uint8Array,
  start: number,
  end: number,
): { options: TcpOption[]; malformedAt?: number } {
  const options: TcpOption[] = [];
  let malformedAt: number | undefined;
  for (let at = start; at < end;) {
    const kind = bytes[at];
    if (kind === TcpOptionKind.EOL) {
      options.push({ kind: 'eol', padding: bytes.subarray(at + 1, end) });
      break;
    }
    if (kind === TcpOptionKind.NOP) {
      options.push({ kind: 'nop' });
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1] : 0;
    if (length < 2 || at + length > end) {
      options.push({ kind: 'malformed', data: bytes.subarray(at, end) });
      return { options, malformedAt: malformedAt ?? at };
    }
    const option = decodeOption(kind, bytes, at + 2, at + length);
    if (option.kind === 'other' && KNOWN.has(kind)) malformedAt ??= at;
    options.push(option);
    at += length;
  }
  return { options, malformedAt };
}

const KNOWN = new Set<number>(Object.values(TcpOptionKind));

function decodeOption(kind: number, bytes: Uint8Array, start: number, end: number): TcpOption {
  const size = end - start;
  if (kind === TcpOptionKind.TIMESTAMPS && size === 8) {
    return { kind: 'timestamps', value: word(bytes, start), echoReply: word(bytes, start + 4) };
  }
  if (kind === TcpOptionKind.MSS && size === 2) {
    return { kind: 'mss', value: (bytes[start] << 8) | bytes[start + 1] };
  }
  if (kind === TcpOptionKind.WINDOW_SCALE && size === 1) return { kind: 'windowScale', shift: bytes[start] };
  if (kind === TcpOptionKind.SACK_PERMITTED && size === 0) return { kind: 'sackPermitted' };
  if (kind === TcpOptionKind.SACK && size >= 8 && size % 8 === 0) {
    const blocks: [number, number][] = [];
    for (let at = start; at < end; at += 8) blocks.push([word(bytes, at), word(bytes, at + 4)]);
    return { kind: 'sack', blocks };
  }
  const data = bytes.subarray(start, end);
  if (kind === TcpOptionKind.MD5 && size === 16) return { kind: 'md5', digest: data };
  if (kind === TcpOptionKind.MPTCP && size > 0) return { kind: 'mptcp', data };
  if (kind === TcpOptionKind.FAST_OPEN && (size === 0 || (size >= 4 && size <= 16 && size % 2 === 0))) {
    return { kind: 'fastOpen', cookie: data };
  }
  return { kind: 'other', number: kind, data };
}

/** The options' bytes. A list that does not fill whole 32-bit words is padded with zeros (end of list). */
export function encodeTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const out: number[] = [];
  for (const option of options) encodeOption(option, out);
  while (out.length % 4 !== 0) out.push(0);
  return Uint8Array.from(out);
}

function encodeOption(option: TcpOption, out: number[]): void {
  const K = TcpOptionKind;
  switch (option.kind) {
    case 'eol':
      out.push(K.EOL, ...option.padding);
      break;
    case 'nop':
      out.push(K.NOP);
      break;
    case 'mss':
      out.push(K.MSS, 4, option.value >>> 8, option.value);
      break;
    case 'windowScale':
      out.push(K.WINDOW_SCALE, 3, option.shift);
      break;
    case 'sackPermitted':
      out.push(K.SACK_PERMITTED, 2);
      break;
    case 'sack':
      out.push(K.SACK, 2 + 8 * option.blocks.length);
      for (const [left, right] of option.blocks) out.push(...wordBytes(left), ...wordBytes(right));
      break;
    case 'timestamps':
      out.push(K.TIMESTAMPS, 10, ...wordBytes(option.value), ...wordBytes(option.echoReply));
      break;
    case 'md5':
      out.push(K.MD5, 2 + option.digest.length, ...option.digest);
      break;
    case 'mptcp':
      out.push(K.MPTCP, 2 + option.data.length, ...option.data);
      break;
    case 'fastOpen':
      out.push(K.FAST_OPEN, 2 + option.cookie.length, ...option.cookie);
      break;
    case 'other':
      out.push(option.number, 2 + option.data.length, ...option.data);
      break;
    case 'malformed':
      out.push(...option.data);
      break;
  }
}

/** `mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7`: the words of tcpdump. */
export function describeTcpOptions(options: readonly TcpOption[]): string {
  return options.map(describeOption).join(',');
}

function describeOption(option: TcpOption): string {
  switch (option.kind) {
    case 'mss':
      return `mss ${option.value}`;
    case 'windowScale':
      return `wscale ${option.shift}`;
    case 'sackPermitted':
      return 'sackOK';
    case 'sack':
      return `sack ${option.blocks.length} ${option.blocks.map(([l, r]) => `{${l}:${r}}`).join('')}`;
    case 'timestamps':
      return `TS val ${option.value} ecr ${option.echoReply}`;
    case 'md5':
      return `md5 ${hex(option.digest)}`;
    case 'mptcp':
      return `mptcp ${option.data.length + 2}`;
    case 'fastOpen':
      return option.cookie.length === 0 ? 'tfo  cookiereq' : `tfo  cookie ${hex(option.cookie)}`;
    case 'other':
      return `unknown-${option.number} 0x${hex(option.data)}`;
    case 'malformed':
      return 'malformed';
    default:
      return option.kind;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function wordBytes(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
