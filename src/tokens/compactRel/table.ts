import { CHECKSUM_FIELDS } from './checksumFields';
import type { Field } from './field';
import { IP_FIELDS } from './ipFields';
import { TCP_FIELDS } from './tcpFields';
import { UDP_FIELDS } from './udpFields';

/** The fields after mask and xmask, in the order of their tokens. */
export interface FieldTables {
  readonly tcp: readonly Field[];
  readonly udp: readonly Field[];
}

const DROP: FieldTables = { tcp: [...TCP_FIELDS, ...IP_FIELDS], udp: [...UDP_FIELDS, ...IP_FIELDS] };
const KEEP: FieldTables = {
  tcp: [...DROP.tcp, ...CHECKSUM_FIELDS],
  udp: [...DROP.udp, ...CHECKSUM_FIELDS],
};

export function tables(checksums: 'keep' | 'drop'): FieldTables {
  return checksums === 'keep' ? KEEP : DROP;
}
