import { locateNprint, writeNprintSections } from '../packets/nprint';

/**
 * The columns of nPrint (Holland et al., CCS 2021; src/packets/nprint has all 1,408) that the measures compare: every bit
 * of every header is 1, 0, or -1 where the packet has not that bit. IPv4 480 (60 bytes with options), TCP 480, UDP 64.
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
  const at = locateNprint(bytes, linkType);
  if (!at.ok || (at.transport !== 'tcp' && at.transport !== 'udp')) return [];
  return writeNprintSections(bytes, at, out, NPRINT_SECTIONS) as NprintSection[];
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
