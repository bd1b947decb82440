import { LinkType, type Frame } from '../capture';
import { locateHeaders, type HeaderRanges } from '../packets';
import { computeChecksums, keptEnd } from '../tokens';
import { Rng } from '../util';
import { Gaps } from './gaps';
import type {
  GeneratedPackets,
  GenerateRequest,
  GeneratorCard,
  TrafficGenerator,
  TrainingTrace,
} from './generator';
import { unknownLabel } from './tokenGenerator';

type Range = readonly [from: number, to: number];

/** Real packets whose headers have the same fields at the same places. */
interface Shape {
  packets: Uint8Array[];
  at: HeaderRanges;
  fields: Range[];
}

/**
 * Real header fields, each drawn from another packet of the label: all that fields tell one by one, nothing of what
 * they tell together. Packets always decode, because fields are exchanged only between packets of one shape.
 */
export class ShuffledFieldsGenerator implements TrafficGenerator {
  readonly card: GeneratorCard = {
    name: 'shuffled fields',
    paper: 'none',
    fidelity: 'same algorithm',
    emits: ['packets'],
    description: 'real header fields, each taken from another packet of the label',
  };
  private readonly labels = new Map<string, Shape[]>();
  private readonly gaps = new Gaps();

  fit(traces: readonly TrainingTrace[]): void {
    this.labels.clear();
    this.gaps.fit(traces);
    for (const { label, frames } of traces) {
      let shapes = this.labels.get(label);
      if (!shapes) this.labels.set(label, (shapes = []));
      for (const frame of frames) addFrame(shapes, frame);
    }
  }

  generate({ label, packets, seed }: GenerateRequest): GeneratedPackets {
    const shapes = this.labels.get(label);
    if (!shapes || shapes.length === 0) throw unknownLabel(this.card.name, label, [...this.labels.keys()]);
    const rng = new Rng(seed);
    const clock = this.gaps.clock(label, rng.split('gaps'));
    const weights = shapes.map((s) => s.packets.length);
    const frames = Array.from({ length: packets }, (): Frame => {
      const shape = shapes[rng.weighted(weights)];
      const data = shape.packets[rng.int(shape.packets.length)].slice();
      for (const [from, to] of shape.fields) {
        data.set(shape.packets[rng.int(shape.packets.length)].subarray(from, to), from);
      }
      const at = locateHeaders(data, LinkType.ETHERNET);
      if (at.ok) computeChecksums(data, at);
      const wireLen = at.ok ? Math.max(data.length, at.linkEnd + at.ipTotalLength) : data.length;
      return { data, wireLen, linkType: LinkType.ETHERNET, interfaceId: 0, tsNanos: 0, tsMicros: clock() };
    });
    return { frames, refused: {} };
  }
}

function addFrame(shapes: Shape[], { data, linkType }: Frame): void {
  const at = locateHeaders(data, linkType);
  if (!at.ok || at.headerEnd > data.length) return;
  const kept = data.slice(0, Math.min(keptEnd(at), data.length));
  const same = shapes.find(
    ({ at: a, packets }) =>
      a.linkEnd === at.linkEnd &&
      a.ipVersion === at.ipVersion &&
      a.ipEnd === at.ipEnd &&
      a.transport === at.transport &&
      a.headerEnd === at.headerEnd &&
      packets[0].length === kept.length,
  );
  if (same) same.packets.push(kept);
  else shapes.push({ packets: [kept], at, fields: fieldRanges(at, kept.length) });
}

/** The fields of Ethernet, IP and TCP or UDP; options are one field, checksums none (they are computed). */
function fieldRanges(at: HeaderRanges, length: number): Range[] {
  const ip = at.linkEnd;
  const t = at.ipEnd;
  const link: Range[] = [
    [0, 6],
    [6, 12],
  ];
  const network: Range[] =
    at.ipVersion === 4
      ? [[1, 2], [2, 4], [4, 6], [6, 8], [8, 9], [12, 16], [16, 20]] // prettier-ignore
      : [[0, 4], [4, 6], [7, 8], [8, 24], [24, 40]]; // prettier-ignore
  const transport: Range[] =
    at.transport === 'tcp'
      ? [[0, 2], [2, 4], [4, 8], [8, 12], [13, 14], [14, 16], [18, 20]] // prettier-ignore
      : [[0, 2], [2, 4], [4, 6]]; // prettier-ignore
  const fields = [
    ...link,
    ...network.map(([a, b]): Range => [ip + a, ip + b]),
    ...transport.map(([a, b]): Range => [t + a, t + b]),
  ];
  const fixed = at.ipVersion === 4 ? ip + 20 : ip + 40;
  if (t > fixed) fields.push([fixed, t]);
  const options = t + (at.transport === 'tcp' ? 20 : 8);
  if (length > options) fields.push([options, length]);
  return fields;
}
