/** Which token says what: the fields of each packet's tokens, in every layout. */
import type { Frame } from '../capture';
import { decodePacket } from '../packets';
import { getLayout, type Layout } from '../tokens';
import { fieldRanges } from './fieldRanges';
import { RelativeAnnotator } from './relativeTokens';

/** Some neighbouring tokens of a packet that say one thing. */
export interface TokenField {
  readonly name: string;
  /** Protocol of the header that the name belongs to; empty where the layout has names of its own. */
  readonly protocol: string;
  /** First token of the packet's tokens. */
  readonly from: number;
  /** One past the last. */
  readonly to: number;
  /** In words. */
  readonly meaning: string;
}

/** A packet's tokens. */
export interface AnnotatedPacket {
  /** Index among the frames. */
  readonly packet: number;
  /** Byte tokens, without `<|pkt|>`; empty where the layout refuses the packet. */
  readonly tokens: Uint8Array;
  /** In order; together they cover all tokens. */
  readonly fields: readonly TokenField[];
  /** Why the packet has no tokens. */
  readonly refusal?: string;
}

type Encodable = Pick<Frame, 'data' | 'wireLen' | 'linkType'>;

/** The tokens of a sequence's packets, field by field; the link type is that of the first frame. */
export function annotateTokens(
  frames: readonly Encodable[],
  layout: Layout = getLayout(),
): AnnotatedPacket[] {
  const linkType = frames[0]?.linkType ?? 1;
  const relative = layout.stateful ? new RelativeAnnotator(layout, linkType) : undefined;
  const encoder = relative ?? layout.encoder({ linkType });
  return frames.map((frame, packet) => {
    const result = encoder.encode(frame);
    if (!result.ok) {
      const { code, message } = result.refusal;
      return { packet, tokens: new Uint8Array(0), fields: [], refusal: `${code}: ${message}` };
    }
    const fields = relative ? relative.fields : headerFields(frame, result.bytes.length);
    return { packet, tokens: result.bytes, fields };
  });
}

/** Layouts of header bytes: token i is byte i, and what lies beyond the headers is padding or payload. */
function headerFields(frame: Encodable, tokens: number): TokenField[] {
  const packet = decodePacket(frame.data, frame.linkType, { wireLen: frame.wireLen });
  const transport = packet.layers.findIndex(({ protocol }) => protocol === 'tcp' || protocol === 'udp');
  const out: TokenField[] = [];
  let at = 0;
  const push = (name: string, protocol: string, to: number, meaning: string): void => {
    const end = Math.min(to, tokens);
    if (end > at) out.push({ name, protocol, from: at, to: end, meaning });
    at = Math.max(at, end);
  };
  for (const range of fieldRanges(packet)) {
    // What is recognised inside UDP or TCP is their payload to a layout.
    if (range.layer > transport) break;
    const to = (range.bit + range.bits + 7) >> 3;
    if (to > at) {
      push(range.name, range.protocol, to, `${range.name} = ${range.value}`);
      continue;
    }
    // Another field in the last byte of the one before.
    const last = out.pop();
    if (last) {
      const meaning = `${last.meaning}, ${range.name} = ${range.value}`;
      out.push({ ...last, name: `${last.name}, ${range.name}`, meaning });
    }
  }
  const header = packet.layers[transport];
  const payload = header.protocol === 'udp' ? Math.min(12, packet.bytes.length - at) : 0;
  push('payload', '', at + payload, 'the first bytes of the payload');
  push('padding', '', tokens, 'zeros up to the width of the layout');
  return out;
}
