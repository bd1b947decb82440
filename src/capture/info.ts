import type { Problem } from '../util';

/** What a capture file says about itself, before and beside its packets. */
export interface CaptureInfo {
  readonly format: 'pcap' | 'pcapng';
  /** Byte order of the file header; of the first section in pcapng. */
  readonly byteOrder: 'little' | 'big';
  /** Decimal digits of the timestamps' fraction: 6 or 9 in pcap; in pcapng the finest of the interfaces. */
  readonly tsResolution: number;
  /** LINKTYPE_ numbers in order of appearance. In pcapng the list grows while interfaces are met. */
  readonly linkTypes: number[];
  /** Snapshot length in bytes, the largest of the interfaces; 0 means none is given. */
  readonly snapLen: number;
  /** pcapng: what the interfaces of all sections met so far say of themselves; pcap: its one. */
  readonly interfaces: CaptureInterface[];
  /** pcapng: the comments on the whole file (on its sections), where generators say what they are. */
  readonly comments: string[];
  /** pcapng: the program that wrote the (first) section. */
  readonly application?: string;
  /** pcapng: blocks that were passed over, by name: `decryption_secrets`, `name_resolution`, `unknown` ... */
  readonly skippedBlocks: Record<string, number>;
}

/** An interface that packets were captured on. */
export interface CaptureInterface {
  readonly linkType: number;
  /** 0: no limit. */
  readonly snapLen: number;
  /** Decimal digits of the timestamps' fraction. */
  readonly tsResolution: number;
  /** `eth0`. */
  readonly name?: string;
  readonly description?: string;
}

/**
 * The longest record that is believed when the file itself does not promise longer ones (its snaplen). Longer
 * ones are damage: a length field alone never makes us allocate.
 */
export const MAX_RECORD_BYTES = 262_144;

/** The longest pcapng block that is held in memory; longer blocks of unknown type are skipped without holding them. */
export const MAX_BLOCK_BYTES = 16 * 1024 * 1024;

/** Problems kept one by one; beyond these only their number is kept, in a last problem `more_problems`. */
const MAX_PROBLEMS = 1000;

/** A list of problems that cannot grow without bound, whatever the file holds. */
export class ProblemList {
  readonly problems: Problem[] = [];
  private more = 0;

  add(code: string, layer: string, offset: number, message: string): void {
    if (this.problems.length < MAX_PROBLEMS) {
      this.problems.push({ code, layer, offset, message });
      return;
    }
    this.more++;
    this.problems[MAX_PROBLEMS] = {
      code: 'more_problems',
      layer,
      offset,
      message: `${this.more} more problems are not listed; the last one: ${code}: ${message}`,
    };
  }
}
