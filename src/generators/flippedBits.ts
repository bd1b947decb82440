import { LinkType, type Frame } from '../capture';
import { locateHeaders, type HeaderRanges } from '../packets';
import { computeChecksums, keptEnd } from '../tokens';
import { NetssmError, Rng } from '../util';
import { Gaps } from './gaps';
import type {
  GeneratedPackets,
  GenerateRequest,
  GeneratorCard,
  TrafficGenerator,
  TrainingTrace,
} from './generator';
import { unknownLabel } from './tokenGenerator';

/**
 * Real packets of the label, each drawn at random, with a share of their IP and transport header bits flipped: noise that
 * costs a classifier next to nothing, and that no connection survives. Bits that say which headers there are (versions,
 * header lengths, protocol, fragmentation) and the link header stay, so that packets always decode; checksums are
 * computed.
 */
export class FlippedBitsGenerator implements TrafficGenerator {
  readonly card: GeneratorCard;
  private readonly labels = new Map<string, Uint8Array[]>();
  private readonly gaps = new Gaps();

  /**
   * @param share of the bits that are flipped, each by itself.
   * @throws NetssmError `option_invalid`
   */
  constructor(readonly share = 0.05) {
    if (!(share >= 0 && share <= 1))
      throw new NetssmError('option_invalid', `share is ${share}; a number from 0 to 1`, { exitCode: 2 });
    this.card = {
      name: 'flipped bits',
      paper: 'none',
      fidelity: 'same algorithm',
      emits: ['packets'],
      description: `real packets of the label in random order, ${Number((100 * share).toPrecision(3))} % of their header bits flipped`,
    };
  }

  fit(traces: readonly TrainingTrace[]): void {
    this.labels.clear();
    this.gaps.fit(traces);
    for (const { label, frames } of traces) {
      let packets = this.labels.get(label);
      if (!packets) this.labels.set(label, (packets = []));
      for (const { data, linkType } of frames) {
        const at = linkType === LinkType.ETHERNET ? locateHeaders(data, linkType) : undefined;
        if (at?.ok && at.headerEnd <= data.length)
          packets.push(data.slice(0, Math.min(keptEnd(at), data.length)));
      }
    }
  }

  generate({ label, packets, seed }: GenerateRequest): GeneratedPackets {
    const real = this.labels.get(label);
    if (!real || real.length === 0) throw unknownLabel(this.card.name, label, [...this.labels.keys()]);
    const rng = new Rng(seed);
    const clock = this.gaps.clock(label, rng.split('gaps'));
    const frames = Array.from({ length: packets }, (): Frame => {
      const data = real[rng.int(real.length)].slice();
      const at = locateHeaders(data, LinkType.ETHERNET);
      if (at.ok) {
        this.flip(data, at, rng);
        computeChecksums(data, at);
      }
      const after = locateHeaders(data, LinkType.ETHERNET);
      const wireLen = after.ok ? Math.max(data.length, after.linkEnd + after.ipTotalLength) : data.length;
      return { data, wireLen, linkType: LinkType.ETHERNET, interfaceId: 0, tsNanos: 0, tsMicros: clock() };
    });
    return { frames, refused: {} };
  }

  private flip(data: Uint8Array, at: HeaderRanges, rng: Rng): void {
    if (this.share === 0) return;
    const fixed = fixedBytes(at);
    const bits = 8 * (at.headerEnd - at.linkEnd);
    // The distance to the next flipped bit, instead of a random number for each.
    const log = Math.log(1 - this.share);
    const step = (): number => (this.share >= 1 ? 1 : 1 + Math.floor(Math.log(1 - rng.uniform()) / log));
    for (let bit = step() - 1; bit < bits; bit += step()) {
      const byte = at.linkEnd + (bit >> 3);
      if (!fixed.includes(byte)) data[byte] ^= 0x80 >> (bit & 7);
    }
  }
}

/** Version and header length, fragmentation, protocol; of IPv6 also extension headers; TCP's data offset. */
function fixedBytes({ linkEnd, ipVersion, ipEnd, transport }: HeaderRanges): number[] {
  const fixed = ipVersion === 4 ? [linkEnd, linkEnd + 6, linkEnd + 7, linkEnd + 9] : [linkEnd, linkEnd + 6];
  for (let i = linkEnd + 40; ipVersion === 6 && i < ipEnd; i++) fixed.push(i);
  if (transport === 'tcp') fixed.push(ipEnd + 12);
  return fixed;
}
