import { LinkType } from '../../capture/frame';
import type { DecodeResult } from '../layout';
import type { Problem } from '../../util';
import { buildPacket, putChecksums, TransportClass } from './build';
import { Context } from './context';
import {
  ID_NEAR,
  ID_VERBATIM,
  IP_CLASS,
  RARE,
  TEMPLATE,
  TIMESTAMPS_ONLY,
  TRANSPORT_CLASS,
  UDP_UNUSED,
  XMASK_FOLLOWS,
} from './field';
import { RAW, readFlow } from './flowHeader';
import { checksumVerbatim } from './checksumFields';
import { checkLinkType, HELD_LINK_TYPES } from '../linkTypes';
import type { LinkHeader } from '../linkTypes';
import { ByteReader, u16 } from './numbers';
import { Parsed, parsePacket } from './parse';
import { PacketFields, sameFields, TCP } from './packetFields';
import { RelativeState } from './state';
import { tables } from './table';

export interface RelativeDecoderOptions {
  checksums: 'keep' | 'drop';
  linkType?: number;
}

/** Tokens to packets; one decoder a sequence. Never throws; a packet that is refused changes nothing. */
export class RelativeDecoder {
  readonly linkType: number;
  private readonly c: Context;
  private readonly from = new ByteReader();
  private readonly rebuilt = new PacketFields();
  private readonly found: LinkHeader = { code: '', message: '', offset: 0, end: 0, version: 0 };
  private readonly tables: ReturnType<typeof tables>;
  private readonly keep: boolean;

  /** @throws NetssmError `link_type_unknown`. */
  constructor(options: RelativeDecoderOptions) {
    this.linkType = options.linkType ?? LinkType.ETHERNET;
    checkLinkType('compact-rel', HELD_LINK_TYPES, this.linkType);
    this.c = new Context(new RelativeState(), this.linkType);
    this.tables = tables(options.checksums);
    this.keep = options.checksums === 'keep';
  }

  decode(tokens: Uint8Array): DecodeResult {
    const { from } = this;
    from.open(tokens);
    const data = tokens[0] === RAW ? this.readRaw() : this.readRegular();
    if (!data)
      return {
        ok: false,
        refusal: { code: from.code, layer: 'compact-rel', offset: from.offset, message: from.message },
      };
    const ip = this.rebuilt.linkEnd;
    const v4 = this.rebuilt.version === 4;
    const ipLength = v4 ? u16(data, ip + 2) : 40 + u16(data, ip + 4);
    const problems: Problem[] = [];
    if (tokens[0] === RAW)
      problems.push({
        code: 'irregular_headers',
        layer: 'compact-rel',
        offset: ip,
        message: 'header bytes written verbatim: fields that contradict each other, or headers that were cut',
      });
    else if (ip + ipLength < data.length)
      problems.push({
        code: 'ip_total_length',
        layer: 'compact-rel',
        offset: ip + (v4 ? 2 : 4),
        message: `IP length ${ipLength} is below its headers' ${data.length - ip}`,
      });
    const wireLen = Math.max(data.length, ip + ipLength);
    return { ok: true, packet: { data, wireLen, linkType: this.linkType, problems } };
  }

  /** Undefined: refused. */
  private readRaw(): Uint8Array | undefined {
    const { from, found } = this;
    from.u8();
    const length = from.v();
    const at = from.at;
    if (!from.failed && length !== from.left)
      from.refuse('raw_length', `${from.left} bytes follow instead of ${length}`, at);
    if (from.failed) return undefined;
    const data = from.bytes(length);
    if (parsePacket(data, this.linkType, this.rebuilt, found) === Parsed.Refused)
      from.refuse(found.code, found.message, at + found.offset);
    else if (this.rebuilt.kept !== length)
      from.refuse('raw_length', `the headers end after ${this.rebuilt.kept} of ${length} bytes`, at);
    return from.failed ? undefined : data;
  }

  private readRegular(): Uint8Array | undefined {
    const { c, from } = this;
    const { p } = c;
    readFlow(c, from);
    if (from.failed) return undefined;
    const isTcp = p.protocol === TCP;
    p.flags = isTcp ? from.u8() : 0;
    const fields = isTcp ? this.tables.tcp : this.tables.udp;
    for (const field of fields) field.predict?.(c);
    this.readMasks(isTcp);
    for (const field of fields) {
      if (from.failed) return undefined;
      if (field.present(c)) field.read(c, from);
      else field.assume(c, from);
    }
    if (from.left > 0)
      from.refuse('trailing_bytes', `${from.left} bytes after the packet's last field`, from.at);
    if (from.failed) return undefined;
    const data = buildPacket(p);
    if (!this.keep) c.transportClass = TransportClass.Right;
    putChecksums(data, p, c.ipClass, c.transportClass, this.keep && checksumVerbatim(c));
    // Values that overflow a length field, or a link header that says something else, show here.
    const parsed = parsePacket(data, this.linkType, this.rebuilt, this.found);
    if (parsed !== Parsed.Regular || this.rebuilt.kept !== data.length || !sameFields(p, this.rebuilt)) {
      from.refuse('not_rebuilt', 'the fields do not give a packet that has these fields', from.at);
      return undefined;
    }
    c.commit(fields);
    return data;
  }

  private readMasks(isTcp: boolean): void {
    const { c, from } = this;
    c.mask = from.u8();
    c.xmask = 0;
    if (!isTcp && c.mask & UDP_UNUSED) from.refuse('mask_invalid', `mask ${c.mask} in a UDP packet`);
    if (!(c.mask & XMASK_FOLLOWS)) return;
    const x = (c.xmask = from.u8());
    const ids = ID_NEAR | ID_VERBATIM;
    let never = isTcp ? 0 : TEMPLATE;
    if (c.mask & TIMESTAMPS_ONLY) never |= TEMPLATE;
    if (!this.keep) never |= TRANSPORT_CLASS;
    if (c.p.version === 6) never |= ids | IP_CLASS | (isTcp ? 0 : RARE);
    if (x === 0 || (x & ids) === ids || x & never) from.refuse('xmask_invalid', `xmask ${x} in this packet`);
  }
}
