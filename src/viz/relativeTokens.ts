/** The tokens of `compact-rel`, field by field: the layout's own table, followed with a pencil. */
import { formatIpv4, formatIpv6, formatMac, formatTcpFlags } from '../packets';
import type { EncodeResult, Layout } from '../tokens';
import { Context } from '../tokens/compactRel/context';
import { X, XMASK_FOLLOWS } from '../tokens/compactRel/field';
import { NEW_FLOW, RAW, writeFlow } from '../tokens/compactRel/flowHeader';
import { ByteWriter } from '../tokens/compactRel/numbers';
import { Parsed, parsePacket } from '../tokens/compactRel/parse';
import { TCP } from '../tokens/compactRel/packetFields';
import { withoutStrayBytes } from '../tokens/compactRel/link';
import { RelativeState } from '../tokens/compactRel/state';
import { tables } from '../tokens/compactRel/table';
import type { LinkHeader } from '../tokens/linkTypes';
import type { TokenField } from './tokenFields';

/**
 * Encodes as the layout's encoder does (a test compares the bytes), and keeps in {@link fields} what each token of
 * the last packet says.
 */
export class RelativeAnnotator {
  fields: TokenField[] = [];
  private readonly c: Context;
  private readonly found: LinkHeader = { code: '', message: '', offset: 0, end: 0, version: 0 };
  private readonly tables: ReturnType<typeof tables>;
  private out = new ByteWriter();

  constructor(layout: Layout, linkType: number) {
    this.c = new Context(new RelativeState(), linkType);
    this.tables = tables(layout.checksums === 'keep' ? 'keep' : 'drop');
  }

  encode(frame: { data: Uint8Array; linkType: number }): EncodeResult {
    const { c, found } = this;
    this.fields = [];
    const out = (this.out = new ByteWriter());
    const bytes = withoutStrayBytes(frame.data, frame.linkType);
    const parsed = parsePacket(bytes, c.linkType, c.p, found);
    if (parsed === Parsed.Refused) {
      const { code, offset, message } = found;
      return { ok: false, refusal: { code, layer: 'compact-rel', offset, message } };
    }
    if (parsed === Parsed.Irregular) {
      out.u8(RAW);
      this.mark('head', 'verbatim: the header bytes follow as they are');
      out.v(c.p.kept);
      this.mark('length', `${c.p.kept} bytes`);
      out.bytes(bytes, 0, c.p.kept);
      this.mark('verbatim bytes', 'header bytes that no field describes');
    } else this.writeRegular();
    return { ok: true, bytes: out.take() };
  }

  private writeRegular(): void {
    const { c, out } = this;
    writeFlow(c, out);
    this.markFlow();
    const isTcp = c.p.protocol === TCP;
    if (isTcp) {
      out.u8(c.p.flags);
      this.mark('flags', `flags ${formatTcpFlags(c.p.flags)}`);
    }
    const fields = isTcp ? this.tables.tcp : this.tables.udp;
    let code = 0;
    for (const field of fields) {
      field.predict?.(c);
      code |= field.code(c);
    }
    c.xmask = code >> X;
    c.mask = (code & 255) | (c.xmask ? XMASK_FOLLOWS : 0);
    out.u8(c.mask);
    this.mark('mask', isTcp ? tcpMask(c.mask) : udpMask(c.mask));
    if (c.xmask) {
      out.u8(c.xmask);
      this.mark('xmask', xmask(c.xmask));
    }
    for (const field of fields) {
      if (!field.present(c)) continue;
      field.write(c, out);
      this.mark(field.name, this.meaning(field.name));
    }
    c.commit(fields);
  }

  /** The tokens written since the last mark. */
  private mark(name: string, meaning: string, to = this.out.length): void {
    const from = this.fields.at(-1)?.to ?? 0;
    if (to > from) this.fields.push({ name, protocol: '', from, to, meaning });
  }

  private markFlow(): void {
    const { c, out } = this;
    const { p } = c;
    const protocol = p.protocol === TCP ? 'TCP' : 'UDP';
    if (c.rank >= 0) {
      const who = c.own === c.flow.fromA ? 'client' : 'server';
      const which = c.rank === 0 ? 'used last' : `used ${c.rank + 1} flows ago`;
      this.mark('head', `the ${protocol} flow ${which}, from its ${who}`);
      return;
    }
    const bytes = out.take();
    if (bytes[0] !== NEW_FLOW) return;
    this.mark('new flow', 'a flow that was not seen before', 1);
    this.mark('kind', `${protocol} over IPv${p.version}`, 2);
    const words = p.version === 4 ? 4 : 16;
    let at = 2;
    const [source, destination] = [
      addressText(p.version, [p.s0, p.s1, p.s2, p.s3]),
      addressText(p.version, [p.d0, p.d1, p.d2, p.d3]),
    ];
    for (const [name, text] of [
      ['source address', source],
      ['destination address', destination],
    ]) {
      const isNew = bytes[at] === 255;
      at += isNew ? 1 + words : 1;
      this.mark(name, isNew ? `new: ${text}` : `known: ${text}`, at);
    }
    this.mark('destination port', String(p.destinationPort), at + 2);
    this.mark('source port', String(p.sourcePort), at + 4);
  }

  private meaning(name: string): string {
    const { c } = this;
    const { p } = c;
    switch (name) {
      case 'length':
        return `${p.length} bytes of payload`;
      case 'sequence number':
        return c.hasExpectedSeq && !(p.flags & 2)
          ? `${p.seq >>> 0}, expected ${c.expectedSeq >>> 0}`
          : `${p.seq >>> 0}`;
      case 'acknowledgement number':
        return `${p.ack >>> 0}`;
      case 'window':
        return `window ${p.window}, as sent`;
      case 'option template':
        return c.templateSlot < 0
          ? `a new list of options, ${p.template.bytes.length} bytes`
          : `list of options ${c.templateSlot}`;
      case 'timestamps and SACK':
        return 'how far the clocks of both sides have moved, and what SACK reports';
      case 'IP id':
        return `${p.id}, expected ${c.expectedId & 0xffff}`;
      case 'TTL, TOS, fragmentation':
        return `TTL ${p.ttl}, TOS ${p.tos}, fragmentation ${p.frag}`;
      case 'link header':
        return c.linkType === 1
          ? `${formatMac(p.bytes, 6)} to ${formatMac(p.bytes, 0)}`
          : 'link header as it is';
      case 'payload bytes':
        return c.mask & 4
          ? 'the first bytes of the payload'
          : "which bytes differ from this direction's last";
      case 'transport checksum':
        return `0x${p.checksum.toString(16).padStart(4, '0')}`;
      default:
        return name;
    }
  }
}

function addressText(version: number, words: readonly number[]): string {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setInt32(4 * i, word));
  return version === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

const LENGTHS = ['no payload', 'as many bytes as ever', 'length follows', 'as many bytes as last time'];
const ACKS = ['ack as before', 'ack: all that the peer sent', 'ack: one of its segments', 'ack follows'];

function tcpMask(mask: number): string {
  const parts = [LENGTHS[mask & 3], ACKS[(mask >> 3) & 3]];
  if (mask & 4) parts.push('sequence number follows');
  if (mask & 32) parts.push('window follows');
  if (mask & 64) parts.push('options are timestamps');
  if (mask & 128) parts.push('xmask follows');
  return parts.join('; ');
}

function udpMask(mask: number): string {
  const parts = [mask & 1 ? 'length follows' : 'length as before'];
  if ((mask & 6) === 6) parts.push('payload not captured');
  else if (mask & 2) parts.push('payload bytes differ');
  else if (mask & 4) parts.push('payload bytes follow');
  if (mask & 128) parts.push('xmask follows');
  return parts.join('; ');
}

const XMASK = [
  'IP id',
  'TTL, TOS, fragmentation',
  'link header',
  'IP checksum class',
  'rare IP and TCP fields',
  'options',
  'checksum class',
  'IP id, 16 bits',
];

function xmask(bits: number): string {
  return `unexpected: ${XMASK.filter((_, i) => bits & (1 << i)).join('; ')}`;
}
