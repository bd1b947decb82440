import type { AttributeRow } from './attributes';
import type { BetweenLabels } from './betweenLabels';
import type { FieldName } from './fields';
import type { HeaderDefinitionRow } from './headerDefinitions';
import type { SimilarityRow } from './similarity';
import type { ComplianceResult } from './suites/compliance';
import type { MemorisationResult } from './suites/memorisation';
import type { SemanticsResult } from './suites/semanticsRows';
import type { UtilityResult } from './suites/utility';
import type { ValidityRow } from './validity';

/** What can be measured. */
export const SUITES = [
  'similarity',
  'validity',
  'compliance',
  'semantics',
  'memorisation',
  'utility',
] as const;
export type Suite = (typeof SUITES)[number];

/**
 * - `synthetic`: the traces that are judged.
 * - `floor`: real captures of the same labels against the reference: what perfect traffic of another day scores.
 * - `baseline`: a trivial generator fitted on the captures of the floor.
 * - `yardstick`: not traffic of the label: the other end of the scale, and what sampling alone would give.
 */
export type SourceRole = 'synthetic' | 'floor' | 'baseline' | 'yardstick';

/** One thing that was compared with the reference. */
export interface EvaluatedSource {
  /** Unique; the `source` of the rows. */
  name: string;
  role: SourceRole;
  description: string;
  /** Folder, where it was read from one. */
  path?: string;
  perLabel: Record<string, LabelSize>;
  /** Packets that were to be, and could not be made, by label and code. Empty where nothing was generated. */
  refused: Record<string, Record<string, number>>;
  /** Packets divided by attempts (packets and refused), where something was generated; null elsewhere. */
  decodeRate: number | null;
  /** Prompt packets at the start of generated captures; they are real and never counted. */
  promptPackets: number;
}

export interface LabelSize {
  captures: number;
  packets: number;
  tcp: number;
  udp: number;
}

/** Where the reference and the floor come from. */
export type FloorKind =
  'held-out folder' | 'manifest split' | 'halves of the captures' | 'halves in time' | 'given traces';

/** The result of one evaluation: metrics.json. docs/evaluation.md describes it field by field. */
export interface Evaluation {
  format: 'netssm-evaluation';
  version: 2;
  /** ISO 8601, UTC. */
  date: string;
  seed: number;
  suites: Suite[];
  /** Versions, engine, command: whatever the caller knows of how this came about. */
  provenance: Record<string, string>;
  /** What everything is compared with: real captures that nothing was fitted on. */
  reference: { path: string; floorKind: FloorKind; perLabel: Record<string, LabelSize> };
  sources: EvaluatedSource[];
  similarity: SimilarityRow[];
  /** Table 2's attribute level by several definitions, and its header level by several; part of `similarity`. */
  attributes: AttributeRow[];
  headerDefinitions: HeaderDefinitionRow[];
  /** Real labels against each other; null with one label, or where `similarity` was not asked for. */
  betweenLabels: BetweenLabels | null;
  validity: ValidityRow[];
  /** Null where the suite was not asked for or could not run (a note says why). */
  compliance: ComplianceResult | null;
  semantics: SemanticsResult | null;
  memorisation: MemorisationResult | null;
  utility: UtilityResult | null;
  /** Sentences about what limits these numbers: missing labels, small samples, packets left out. */
  notes: string[];
  figures: EvaluationFigures;
}

/** Data for the figures, of all labels together. */
export interface EvaluationFigures {
  /** Share of packets with a 1 in each of 1,024 nPrint columns, among the packets that have the section; by source. */
  bitsOne: Record<string, number[]>;
  /** Share of packets by value, by field and source; values in order of the reference's frequency. */
  histograms: Partial<Record<FieldName, Record<string, [value: string | number, share: number][]>>>;
  /** The first packets of one real and one judged trace of the same label. */
  lanes: PacketLane[];
  /** Empirical distributions by source, all labels: 101 quantiles (0, 1, ... 100 %), from which a curve is drawn. */
  quantiles: { wireLen: Record<string, number[]>; gapSeconds: Record<string, number[]> };
}

export interface PacketLane {
  source: string;
  label: string;
  file: string;
  /** Wire length in bytes, negative from server to client; flow of the trace, from 0. */
  packets: { size: number; flow: number }[];
}
