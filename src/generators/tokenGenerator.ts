import { LinkType, type Frame } from '../capture';
import { checksumOptions, getLayout, PKT, type Layout, type LayoutName } from '../tokens';
import { NetssmError, Rng } from '../util';
import type {
  GeneratedPackets,
  GenerateRequest,
  GeneratorCard,
  TrafficGenerator,
  TrainingTrace,
} from './generator';
import { Gaps } from './gaps';

/** Marks the place before a packet's first byte. */
export const PACKET_START = -1;

/** Draws one packet's bytes for a label; the array ends where `<|pkt|>` was drawn. */
export type DrawPacket = (rng: Rng) => number[];

/**
 * What the byte baselines share: real packets become bytes by a layout, each label's packets are counted, packets are
 * drawn byte by byte, and what was drawn goes back through the layout, which refuses what is no packet.
 */
export abstract class TokenGenerator implements TrafficGenerator {
  abstract readonly card: GeneratorCard;
  private readonly labels = new Map<string, DrawPacket>();
  private readonly gaps = new Gaps();
  private readonly layout: Layout;

  /** Checksums are not in the tokens but computed afterwards, as in the models. */
  constructor(layout: LayoutName = 'compact') {
    this.layout = getLayout(layout, { checksums: checksumOptions(layout).find((c) => c !== 'keep') });
  }

  /** Counts a label's packets; each ends with `<|pkt|>`. */
  protected abstract learn(packets: Uint16Array[]): DrawPacket;

  fit(traces: readonly TrainingTrace[]): void {
    this.labels.clear();
    this.gaps.fit(traces);
    for (const label of new Set(traces.map((t) => t.label))) {
      const packets: Uint16Array[] = [];
      for (const trace of traces) {
        if (trace.label !== label) continue;
        const encoder = this.layout.encoder();
        for (const frame of trace.frames) {
          const result = encoder.encode(frame);
          if (result.ok) packets.push(Uint16Array.from([...result.bytes, PKT]));
        }
      }
      if (packets.length > 0) this.labels.set(label, this.learn(packets));
    }
  }

  generate({ label, packets, seed }: GenerateRequest): GeneratedPackets {
    const draw = this.labels.get(label);
    if (!draw) throw unknownLabel(this.card.name, label, [...this.labels.keys()]);
    const rng = new Rng(seed);
    const clock = this.gaps.clock(label, rng.split('gaps'));
    const decoder = this.layout.decoder();
    const frames: Frame[] = [];
    const refused: Record<string, number> = {};
    for (let i = 0; i < packets; i++) {
      const result = decoder.decode(Uint8Array.from(draw(rng)));
      if (result.ok) {
        const { data, wireLen } = result.packet;
        frames.push({
          data,
          wireLen,
          linkType: LinkType.ETHERNET,
          interfaceId: 0,
          tsNanos: 0,
          tsMicros: clock(),
        });
      } else refused[result.refusal.code] = (refused[result.refusal.code] ?? 0) + 1;
    }
    return { frames, refused };
  }
}

export function unknownLabel(generator: string, label: string, known: readonly string[]): NetssmError {
  if (known.length === 0) {
    return new NetssmError('not_fitted', `${generator} has not been fitted`, { hint: 'Call fit first.' });
  }
  return new NetssmError('label_unknown', `${generator} knows no label "${label}"`, {
    hint: `Known labels: ${known.join(', ')}.`,
    exitCode: 2,
  });
}
