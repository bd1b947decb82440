import { basename } from 'node:path';
import { formatNumber, inspectable, NetssmError, type OnProgress } from '../util';
import type { BaselineGenerator } from './baselines';
import {
  SUITES,
  type Evaluation,
  type EvaluatedSource,
  type FloorKind,
  type SourceRole,
  type Suite,
} from './evaluation';
import { lane, quantileCurves } from './figureData';
import { labelsOf, sizes } from './groups';
import { emptyNotes, labelNotes, lengthNotes } from './notes';
import { decodeRate, runBaseline } from './runBaseline';
import type { SuiteInput } from './sources';
import { complianceSuite } from './suites/compliance';
import { memorisationSuite, type MemorisationSuiteOptions } from './suites/memorisation';
import { semanticsSuite } from './suites/semantics';
import type { SemanticsOptions } from './suites/semanticsRows';
import { similaritySuite } from './suites/similarity';
import { utilitySuite, type UtilityOptions } from './suites/utility';
import { validitySuite } from './suites/validity';
import type { Trace } from './traces';

/** Traces that are to be judged. */
export interface JudgedSource {
  /** Unique; the name in all tables. */
  name: string;
  /** Default `synthetic`. */
  role?: Exclude<SourceRole, 'yardstick'>;
  /** One sentence: what they are. */
  description?: string;
  /** Folder, where they were read from one. */
  path?: string;
  traces: readonly Trace[];
  /** Packets that were to be made and could not, by label and code. */
  refused?: Record<string, Record<string, number>>;
  /** Whether the traces were generated and refusals counted, so that there is a decode rate. Default: whether `refused` is given. */
  generated?: boolean;
}

/** What {@link evaluateSources} and `evaluateTraces` have in common. */
export interface SuiteOptions {
  /** Trivial generators to stand beside; `trivialBaselines()` of `netssm/generators`. */
  baselines?: readonly BaselineGenerator[];
  /** Default: all. A suite that cannot run says so in a note. */
  suites?: readonly string[];
  seed?: number;
  /** Packets a baseline generates a label at most; default 4,000. */
  baselinePackets?: number;
  semantics?: SemanticsOptions;
  memorisation?: MemorisationSuiteOptions;
  utility?: UtilityOptions;
  /** Goes into the result as it is: engine, versions, command. */
  provenance?: Record<string, string>;
  onProgress?: OnProgress;
}

export interface EvaluateSourcesOptions extends SuiteOptions {
  /** Real traces that nothing was fitted on: what everything is compared with. */
  reference: readonly Trace[];
  /** Real traces of the same labels that generators learnt from: they give the floor. May be empty. */
  floor?: readonly Trace[];
  sources?: readonly JudgedSource[];
  /** Where the reference comes from, for the report. */
  referencePath?: string;
  floorPath?: string;
  floorKind?: FloorKind;
  /** Sentences that go before those of the evaluation. */
  notes?: readonly string[];
}

interface Source extends EvaluatedSource {
  traces: readonly Trace[];
}

/**
 * Judges traces in memory. Everything is compared with the reference: the judged traces, the floor, trivial baselines fitted
 * on the floor, and yardsticks. Prompt packets are never counted.
 *
 * @throws NetssmError `suite_unknown`, `labels_disjoint`, `sources_invalid`.
 */
export async function evaluateSources(options: EvaluateSourcesOptions): Promise<Evaluation> {
  const { reference, floor = [], seed = 0, onProgress, baselinePackets = 4000 } = options;
  const suites = checkSuites(options.suites);
  const notes = [...(options.notes ?? []), ...emptyNotes(sizes(reference))];
  const sources = (options.sources ?? []).map(judgedSource);
  for (const { traces } of sources)
    notes.push(...labelNotes(labelsOf(reference), labelsOf(traces)), ...lengthNotes(reference, traces));
  if (floor.length > 0) {
    const description = `real captures of the same labels${options.floorKind ? ` (${options.floorKind})` : ''}`;
    sources.push(source('real', 'floor', description, floor, { path: options.floorPath }));
  }
  const names = sources.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i || name === 'reference');
  if (twice !== undefined)
    throw new NetssmError('sources_invalid', `the name "${twice}" is taken`, {
      hint: 'Every source needs a name of its own; "real" is the floor, "reference" what all are compared with.',
    });
  for (const [i, baseline] of (options.baselines ?? []).entries()) {
    if (floor.length === 0) break;
    const { name, description } = baseline.card;
    onProgress?.({ done: i, total: options.baselines?.length, unit: 'baselines', detail: name });
    const { traces, refused } = await runBaseline(baseline, floor, reference, seed, baselinePackets);
    sources.push(
      source(name, 'baseline', description, traces, { refused, decodeRate: decodeRate(traces, refused) }),
    );
  }
  const evaluation: Evaluation = {
    format: 'netssm-evaluation',
    version: 2,
    date: new Date().toISOString(),
    seed,
    suites,
    provenance: { node: process.version, ...options.provenance },
    reference: {
      path: options.referencePath ?? '',
      floorKind: options.floorKind ?? 'given traces',
      perLabel: sizes(reference),
    },
    sources: [],
    similarity: [],
    attributes: [],
    headerDefinitions: [],
    betweenLabels: null,
    validity: [],
    compliance: null,
    semantics: null,
    memorisation: null,
    utility: null,
    notes,
    figures: { bitsOne: {}, histograms: {}, lanes: [], quantiles: { wireLen: {}, gapSeconds: {} } },
  };
  const input: SuiteInput = {
    reference,
    training: floor,
    sources,
    seed,
    onProgress,
    note: (sentence) => notes.push(sentence),
  };
  if (suites.includes('similarity')) similaritySuite(evaluation, input);
  if (suites.includes('validity')) evaluation.validity = validitySuite(input);
  if (suites.includes('compliance')) evaluation.compliance = complianceSuite(input);
  if (suites.includes('semantics')) evaluation.semantics = semanticsSuite(input, options.semantics);
  if (suites.includes('memorisation'))
    evaluation.memorisation = await memorisationSuite(input, options.memorisation);
  if (suites.includes('utility')) evaluation.utility = await utilitySuite(input, options.utility);
  evaluation.sources.unshift(...sources.map(({ traces: _, ...rest }) => rest));
  const judged = sources.find(({ role }) => role === 'synthetic');
  evaluation.figures.lanes = lanes(reference, judged);
  evaluation.figures.quantiles = quantileCurves(
    new Map([
      ['reference', reference],
      ...sources.map((s): [string, readonly Trace[]] => [s.name, s.traces]),
    ]),
  );
  return inspectable(evaluation, evaluationLine);
}

function judgedSource(judged: JudgedSource): Source {
  const {
    name,
    role = 'synthetic',
    traces,
    path,
    refused = {},
    generated = judged.refused !== undefined,
  } = judged;
  return source(name, role, judged.description ?? name, traces, {
    ...(path === undefined ? {} : { path }),
    refused,
    promptPackets: traces.reduce((sum, t) => sum + t.promptPackets, 0),
    decodeRate: generated ? decodeRate(traces, refused) : null,
  });
}

function source(
  name: string,
  role: SourceRole,
  description: string,
  traces: readonly Trace[],
  { path, ...more }: Partial<Source> = {},
): Source {
  return {
    name,
    role,
    description,
    ...(path === undefined ? {} : { path }),
    traces,
    perLabel: sizes(traces),
    refused: {},
    decodeRate: null,
    promptPackets: 0,
    ...more,
  };
}

function lanes(reference: readonly Trace[], judged: Source | undefined): Evaluation['figures']['lanes'] {
  const longest = (traces: readonly Trace[], label?: string): Trace | undefined =>
    traces
      .filter((t) => label === undefined || t.label === label)
      .reduce<Trace | undefined>(
        (best, t) => (t.packets.length > (best?.packets.length ?? 0) ? t : best),
        undefined,
      );
  const common = (judged?.traces ?? []).filter((t) => reference.some((r) => r.label === t.label));
  const own = longest(common);
  const real = longest(reference, own?.label);
  return [...(real ? [lane('reference', real)] : []), ...(own && judged ? [lane(judged.name, own)] : [])].map(
    (l) => ({ ...l, file: basename(l.file) }),
  );
}

function checkSuites(asked: readonly string[] | undefined): Suite[] {
  for (const name of asked ?? []) {
    if (!SUITES.includes(name as Suite)) {
      throw new NetssmError('suite_unknown', `unknown suite "${name}"`, {
        hint: `Suites: ${SUITES.join(', ')}.`,
        exitCode: 2,
      });
    }
  }
  return SUITES.filter((name) => asked === undefined || asked.includes(name));
}

/** An evaluation in consoles: what was judged, and how far every real or judged source is from the reference. */
function evaluationLine({ suites, sources, similarity, reference, seed }: Evaluation): string {
  const shown = sources.filter(({ role }) => role === 'synthetic' || role === 'floor');
  const distances = shown.map(({ name }) => {
    const own = similarity.filter(({ source, label }) => source === name && label === 'macro');
    const mean = own.find(({ what }) => what === 'mean')?.jsDistance ?? null;
    return mean === null ? name : `${name} ${formatNumber(mean)}`;
  });
  const labels = Object.keys(reference.perLabel).length;
  return `Evaluation ${suites.join(', ')} of ${labels} labels, seed ${seed}; fields' mean distance: ${distances.join(', ') || 'nothing judged'}`;
}
