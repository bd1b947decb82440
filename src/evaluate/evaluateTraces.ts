import { SUITES, type Evaluation } from './evaluation';
import { evaluateSources, type SuiteOptions } from './evaluateSources';
import { cutNotes, twinNotes } from './notes';
import { splitReal } from './reference';
import { loadTraces, type TraceFolder } from './traces';
import { resolveTwins } from './twins';

export interface EvaluateOptions extends SuiteOptions {
  /** Folder of real captures, labels by subfolder or manifest; or a packed data set. */
  real: string;
  /** Folder of the captures to judge; null judges only the real ones and the baselines. */
  synthetic: string | null;
  /** Folder of real captures that nothing was fitted on. Without it they are set aside from `real`. */
  heldOut?: string;
  /** Packets read a label (and split) at most, the first ones of each capture; default 200,000. */
  maxPackets?: number;
  /**
   * Only the first packets of every capture, on all sides: where a generator was asked for traces of that many. The
   * start of a session has more handshakes and fewer large packets than the whole.
   */
  firstPackets?: number;
}

/**
 * Judges captures against real ones. The reference is real captures that nothing was fitted on; everything else is
 * compared with it: the judged captures, the remaining real ones (the floor), trivial baselines fitted on those, and
 * yardsticks. Prompt packets are never counted. Where captures are compared one by one, each stands against the capture
 * that its generation.json names as its prompt's, or else against the next one of its label, which a note says. {@link evaluateSources} does the same for traces in memory.
 *
 * @throws NetssmError `suite_unknown`, `labels_disjoint`, and those of reading captures.
 */
export async function evaluateTraces(options: EvaluateOptions): Promise<Evaluation> {
  const { seed = 0, onProgress, maxPackets, firstPackets } = options;
  const read = (path: string): Promise<TraceFolder> =>
    loadTraces(path, { maxPackets, firstPackets, onProgress });
  const real = await read(options.real);
  const synthetic = options.synthetic === null ? null : await read(options.synthetic);
  const heldOut = options.heldOut === undefined ? null : await read(options.heldOut);
  const { reference, floor, floorKind, notes } = splitReal(real, heldOut, seed);
  const judged = resolveTwins(synthetic?.traces ?? [], [...reference, ...floor]);
  const oneByOne = (options.suites ?? SUITES).some((name) => name === 'similarity' || name === 'semantics');
  return evaluateSources({
    ...options,
    reference,
    floor,
    floorKind,
    referencePath: heldOut?.path ?? real.path,
    floorPath: real.path,
    sources: synthetic
      ? [
          {
            name: 'synthetic',
            description: `captures of ${synthetic.path}`,
            path: synthetic.path,
            traces: judged,
            refused: synthetic.refused,
            generated: synthetic.generated,
          },
        ]
      : [],
    provenance: {
      ...(firstPackets ? { 'packets a capture': `the first ${firstPackets}` } : {}),
      ...options.provenance,
    },
    notes: [
      ...notes,
      ...cutNotes([real, synthetic, heldOut]),
      ...(oneByOne ? twinNotes('synthetic', judged) : []),
    ],
  });
}
