import { NetssmError } from '../util';
import { FORBIDDEN_HEADS, RelativeDecoder, RelativeEncoder } from './compactRel';
import { headerLayout } from './headerLayouts';
import type { Layout } from './layout';
import { HELD_LINK_TYPES } from './linkTypes';
import type { ChecksumOption } from './meta';

export interface LayoutOptions {
  /** Default {@link defaultChecksums} of the layout. */
  checksums?: ChecksumOption;
}

/** Names that {@link getLayout} knows. */
export const LAYOUT_NAMES = ['compact-rel', 'compact', 'paper-94', 'paper-106', 'release-128'] as const;
export type LayoutName = (typeof LAYOUT_NAMES)[number];

/** What {@link buildDataset} writes unless told otherwise. */
export const DEFAULT_LAYOUT: LayoutName = 'compact-rel';

/** Most tokens of a packet in `compact-rel`: a new IPv6 flow over four tags, all options new, nothing predicted. */
const MAX_RELATIVE_BYTES = 256;

/** The checksum options of a layout, the default first. */
export function checksumOptions(name: string): readonly ChecksumOption[] {
  return name === 'compact-rel' ? ['drop', 'keep'] : ['keep', 'zero'];
}

/** What a layout does with checksums unless told otherwise: `compact-rel` drops them, the others keep them. */
export function defaultChecksums(name: string): ChecksumOption {
  return checksumOptions(name)[0];
}

/**
 * A layout by name.
 *
 * - `compact-rel`: what a flow's earlier packets predict is left out; about nine tokens a packet.
 * - `compact`: header bytes as they are, as many as were captured.
 * - `paper-94`, `paper-106`, `release-128`: the same bytes, padded with zeros or cut to the width.
 *
 * Checksums: `keep` writes them as captured (every layout). `zero` (header bytes) writes 0, `drop` (`compact-rel`)
 * writes nothing; both compute them on decoding where the bytes allow it.
 *
 * @throws NetssmError `layout_unknown`, `checksums_unknown`.
 */
export function getLayout(name: string = DEFAULT_LAYOUT, options: LayoutOptions = {}): Layout {
  if (!(LAYOUT_NAMES as readonly string[]).includes(name)) {
    throw new NetssmError('layout_unknown', `unknown layout "${name}"`, {
      hint: `Layouts: ${LAYOUT_NAMES.join(', ')}.`,
      exitCode: 2,
    });
  }
  const known = checksumOptions(name);
  const checksums = options.checksums ?? known[0];
  if (!known.includes(checksums)) {
    throw new NetssmError(
      'checksums_unknown',
      `layout ${name} takes checksums ${known.join(' or ')}, not "${String(checksums)}"`,
      {
        hint: `Layouts of header bytes keep checksums or write them as zero; compact-rel keeps or drops them.`,
        exitCode: 2,
      },
    );
  }
  if (checksums !== 'drop') {
    const layout = name === 'compact-rel' || headerLayout(name, checksums as 'keep' | 'zero');
    if (layout && layout !== true) return layout;
  }
  const relative = checksums === 'keep' ? 'keep' : 'drop';
  return {
    name: 'compact-rel',
    description: "What a flow's earlier packets predict is left out; every packet closed by <|pkt|>.",
    endOfText: true,
    maxBytes: MAX_RELATIVE_BYTES,
    stateful: true,
    forbiddenFirstBytes: FORBIDDEN_HEADS,
    linkTypes: HELD_LINK_TYPES,
    checksums,
    encoder: (codec) => new RelativeEncoder({ ...codec, checksums: relative }),
    decoder: (codec) => new RelativeDecoder({ ...codec, checksums: relative }),
  };
}
