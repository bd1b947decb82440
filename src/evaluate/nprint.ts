import { locateHeaders } from '../packets/locate';

/**
 * Packets as nPrint rows (Holland et al., CCS 2021): every bit of every header has its own column, 1 or 0 where the
 * packet has that bit and -1 where it has not. Columns here: IPv4 480 (60 bytes with options), TCP 480, UDP 64.
 */
export const NPRINT_SECTIONS = { ipv4: [0, 480], tcp: [480, 960], udp: [960, 1024] } as const;
export type NprintSection = keyof typeof NPRINT_SECTIONS;
export const NPRINT_BITS = 1024;

/**
 * Writes one packet's row into `out` (1,024 values) and returns the sections that the packet has. Bits that were not
 * captured count as absent. Packets without TCP or UDP give a row of -1.
 */
export function nprintRow(bytes: Uint8Array, linkType: number, out: Int8Array): NprintSection[] {
  out.fill(-1);
  const at = locateHeaders(bytes, linkType);
  if (!at.ok) return [];
  const sections: NprintSection[] = [];
  if (at.ipVersion === 4) {
    writeBits(bytes, at.linkEnd, at.ipEnd, out, NPRINT_SECTIONS.ipv4);
    sections.push('ipv4');
  }
  writeBits(bytes, at.ipEnd, at.headerEnd, out, NPRINT_SECTIONS[at.transport]);
  sections.push(at.transport);
  return sections;
}

function writeBits(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Int8Array,
  [first, end]: readonly [number, number],
): void {
  const stop = Math.min(to, bytes.length, from + (end - first) / 8);
  for (let i = from, column = first; i < stop; i++) {
    for (let bit = 7; bit >= 0; bit--) out[column++] = (bytes[i] >> bit) & 1;
  }
}

/** How often each column was 1 and 0, and how many packets had each section: all that bit marginals need. */
export class NprintCounts {
  readonly ones: Float64Array = new Float64Array(NPRINT_BITS);
  readonly zeros: Float64Array = new Float64Array(NPRINT_BITS);
  readonly packets: Record<NprintSection, number> = { ipv4: 0, tcp: 0, udp: 0 };
  private readonly row = new Int8Array(NPRINT_BITS);

  add(bytes: Uint8Array, linkType: number): void {
    for (const section of nprintRow(bytes, linkType, this.row)) {
      this.packets[section]++;
      const [from, to] = NPRINT_SECTIONS[section];
      for (let i = from; i < to; i++) {
        if (this.row[i] === 1) this.ones[i]++;
        else if (this.row[i] === 0) this.zeros[i]++;
      }
    }
  }

  /** Adds another's counts, section by section times `weight`. */
  merge(other: NprintCounts, weight: Record<NprintSection, number>): void {
    for (const section of Object.keys(NPRINT_SECTIONS) as NprintSection[]) {
      const w = weight[section];
      this.packets[section] += other.packets[section] * w;
      const [from, to] = NPRINT_SECTIONS[section];
      for (let i = from; i < to; i++) {
        this.ones[i] += other.ones[i] * w;
        this.zeros[i] += other.zeros[i] * w;
      }
    }
  }

  /** Share of {1, 0, absent} of a column among the packets that have its section. */
  marginal(column: number): [number, number, number] {
    const n = this.packets[sectionOf(column)];
    return [this.ones[column], this.zeros[column], Math.max(0, n - this.ones[column] - this.zeros[column])];
  }
}

export function sectionOf(column: number): NprintSection {
  return column < 480 ? 'ipv4' : column < 960 ? 'tcp' : 'udp';
}
