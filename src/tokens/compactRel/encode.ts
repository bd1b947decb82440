import { LinkType } from '../../capture/frame';
import type { Frame } from '../../capture';
import type { EncodeResult } from '../layout';
import { Context } from './context';
import { X, XMASK_FOLLOWS } from './field';
import { RAW, writeFlow } from './flowHeader';
import { withoutStrayBytes } from './link';
import { HELD_LINK_TYPES, otherLinkType } from '../linkTypes';
import type { LinkHeader } from '../linkTypes';
import { ByteWriter } from './numbers';
import { Parsed, parsePacket } from './parse';
import { TCP } from './packetFields';
import { RelativeState } from './state';
import { tables } from './table';

export interface RelativeEncoderOptions {
  checksums: 'keep' | 'drop';
  linkType?: number;
  withoutTcpOptions?: boolean;
}

/** Packets to tokens; one encoder a sequence. A packet that is refused leaves no trace. */
export class RelativeEncoder {
  readonly linkType: number;
  private readonly c: Context;
  private readonly out = new ByteWriter();
  private readonly found: LinkHeader = { code: '', message: '', offset: 0, end: 0, version: 0 };
  private readonly withoutTcpOptions: boolean;
  private readonly tables: ReturnType<typeof tables>;

  constructor(options: RelativeEncoderOptions) {
    this.linkType = options.linkType ?? LinkType.ETHERNET;
    this.c = new Context(new RelativeState(), this.linkType);
    this.withoutTcpOptions = options.withoutTcpOptions ?? false;
    this.tables = tables(options.checksums);
  }

  encode(frame: Pick<Frame, 'data' | 'wireLen' | 'linkType'>): EncodeResult {
    if (frame.linkType !== this.linkType || !HELD_LINK_TYPES.includes(frame.linkType))
      return { ok: false, refusal: otherLinkType('compact-rel', frame.linkType, this.linkType) };
    const { c, out, found } = this;
    const bytes = withoutStrayBytes(frame.data, this.linkType);
    out.length = 0;
    const parsed = parsePacket(bytes, this.linkType, c.p, found, this.withoutTcpOptions);
    if (parsed === Parsed.Refused) return refusal(found.code, found.offset, found.message);
    if (parsed === Parsed.Irregular) {
      out.u8(RAW);
      out.v(c.p.kept);
      out.bytes(bytes, 0, c.p.kept);
    } else {
      this.writeRegular();
    }
    return { ok: true, bytes: out.take() };
  }

  private writeRegular(): void {
    const { c, out } = this;
    writeFlow(c, out);
    const isTcp = c.p.protocol === TCP;
    if (isTcp) out.u8(c.p.flags);
    const fields = isTcp ? this.tables.tcp : this.tables.udp;
    let code = 0;
    for (const field of fields) {
      field.predict?.(c);
      code |= field.code(c);
    }
    c.xmask = code >> X;
    c.mask = (code & 255) | (c.xmask ? XMASK_FOLLOWS : 0);
    out.u8(c.mask);
    if (c.xmask) out.u8(c.xmask);
    for (const field of fields) if (field.present(c)) field.write(c, out);
    c.commit(fields);
  }
}

function refusal(code: string, offset: number, message: string): EncodeResult {
  return { ok: false, refusal: { code, layer: 'compact-rel', offset, message } };
}
