/**
 * Background colours of header fields, light enough for black text in light and dark notebooks. A field has the same
 * colour in every picture; its name always stands beside it, so colour is never the only sign.
 */
export const FIELD_COLOURS = {
  link: '#d7dde4',
  ip: '#cfe3f5',
  address: '#a9cfee',
  port: '#c9e8d5',
  flow: '#9fd8b8',
  flags: '#f7b98b',
  mask: '#fbdcc0',
  number: '#f4c8df',
  length: '#fdf0ac',
  window: '#e3d5f4',
  options: '#e9c46a',
  checksum: '#f29e94',
  payload: '#efe6dc',
  mark: '#4d4d4d',
  padding: '#ffffff',
  other: '#e6e6e6',
} as const;

export type FieldKind = keyof typeof FIELD_COLOURS;

/** First match wins; names are those of `fieldRanges` and of the `compact-rel` table. */
const KINDS: readonly [pattern: RegExp, kind: FieldKind][] = [
  [/^(head|new flow|kind)$/, 'flow'],
  [/checksum/i, 'checksum'],
  [/^(verbatim)/, 'other'],
  [/mask$/, 'mask'],
  [/^flags$|^TCP flags$/, 'flags'],
  [/^link header$|etherType|^ethernet/i, 'link'],
  [/address|^source$|^destination$/i, 'address'],
  [/port$/i, 'port'],
  [/^(sequence|acknowledg)/i, 'number'],
  [/^L$|length$/i, 'length'],
  [/^window$/, 'window'],
  [
    /option|timestamps|template|SACK|NOP|maximum segment|window scale|urgent|dataOffset|reserved|end of options/i,
    'options',
  ],
  [/payload/i, 'payload'],
  [/padding/i, 'padding'],
  [/^IP id|TTL|identification|timeToLive|fragment|version|dscp|ecn|protocol|hopLimit|flow/i, 'ip'],
];

/** Which colour a field has. */
export function fieldKind(name: string, protocol = ''): FieldKind {
  if (/^(ethernet|vlan|linux_sll2?|loopback|llc)$/.test(protocol)) return 'link';
  // Only TCP's flags are worth a colour of their own.
  if (protocol && protocol !== 'tcp' && /^(flags|reserved\d?)$/.test(name))
    return protocol.startsWith('ip') ? 'ip' : 'other';
  return KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? 'other';
}

/** White text on dark backgrounds, black on the rest. */
export function textOn(kind: FieldKind): string {
  return kind === 'mark' ? '#ffffff' : '#000000';
}
