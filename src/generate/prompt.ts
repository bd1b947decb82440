import type { Frame } from '../capture/frame';
import { LinkType } from '../capture/frame';
import { PKT, timeTokenOf } from '../tokens';
import type { Layout, Vocabulary } from '../tokens';
import { NetssmError } from '../util';

/** The tokens that a trace starts from, and the packets in them. */
export interface Prompt {
  tokens: Uint16Array;
  /** As the layout keeps them, with the times and lengths that they had. */
  frames: Frame[];
  /** Packets that the layout cannot hold, by code. */
  refused: Record<string, number>;
  /** LINKTYPE_ number of its packets, and so of those that follow. */
  linkType: number;
}

/**
 * The prompt of a label, with a capture's first packets where given. It ends where a new packet begins.
 * @throws NetssmError `label_unknown`, `prompt_unusable` where the layout holds none of the packets.
 */
export function buildPrompt(
  vocabulary: Vocabulary,
  layout: Layout,
  label: string,
  frames: readonly Frame[] = [],
): Prompt {
  const tokens: number[] = [vocabulary.labelId(label)];
  const linkType = frames[0]?.linkType ?? LinkType.ETHERNET;
  const encoder = layout.encoder({ linkType });
  const decoder = layout.decoder({ linkType });
  const kept: Frame[] = [];
  const refused: Record<string, number> = {};
  const refuse = (code: string) => {
    refused[code] = (refused[code] ?? 0) + 1;
  };
  for (const frame of frames) {
    const encoded = encoder.encode(frame);
    if (!encoded.ok) {
      refuse(encoded.refusal.code);
      continue;
    }
    const decoded = decoder.decode(encoded.bytes);
    if (!decoded.ok) {
      refuse(decoded.refusal.code);
      continue;
    }
    const before = kept.at(-1);
    if (vocabulary.times && before)
      tokens.push(timeTokenOf(vocabulary.times, frame.tsMicros - before.tsMicros));
    for (const byte of encoded.bytes) tokens.push(byte);
    tokens.push(PKT);
    kept.push({ ...frame, data: decoded.packet.data });
  }
  if (frames.length > 0 && kept.length === 0) {
    const codes = Object.entries(refused).map(([code, n]) => `${code} ${n}`);
    throw new NetssmError(
      'prompt_unusable',
      `none of the ${frames.length} packets of the prompt fits layout ${layout.name}: ${codes.join(', ')}`,
      { hint: `It holds TCP and UDP packets of link types ${layout.linkTypes.join(', ')}.`, exitCode: 2 },
    );
  }
  return { tokens: Uint16Array.from(tokens), frames: kept, refused, linkType };
}
