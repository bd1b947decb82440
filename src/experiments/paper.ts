/*
 * Published values of NetSSM (arXiv 2503.22663v3, Proc. ACM Netw. 4, CoNEXT1, article 6, 2026), as data: what tables
 * print beside ours. The same quantity is not always the same measure: where the paper leaves a definition open, the
 * note of the table says so.
 */

/** Every figure and table of the paper, in its order. */
export const PAPER_ITEMS = [
  { id: 'fig1', title: 'Figure 1: the pipeline', kind: 'diagram' },
  { id: 'fig2', title: 'Figure 2: accuracy of a random forest by mixing rate', kind: 'figure' },
  { id: 'fig3', title: 'Figure 3: kilobits by slice and flow', kind: 'figure' },
  { id: 'tab1', title: 'Table 1: data sets', kind: 'table' },
  { id: 'tab2', title: 'Table 2: statistical similarity', kind: 'table' },
  { id: 'tab3', title: 'Table 3: segments', kind: 'table' },
  { id: 'tab4', title: 'Table 4: TCP compliance', kind: 'table' },
  { id: 'appFig1', title: 'Appendix Figure 1: mixing rates, all classifiers', kind: 'figure' },
  { id: 'appFig2', title: 'Appendix Figure 2: segments of one pair', kind: 'figure' },
  { id: 'appFig3', title: 'Appendix Figure 3: segment sizes by bit rate', kind: 'figure' },
  { id: 'appFig4', title: 'Appendix Figure 4: kilobits by slice and flow, six pairs', kind: 'figure' },
  { id: 'appTab1', title: 'Appendix Table 1: sampling settings', kind: 'table' },
  { id: 'appTab2', title: 'Appendix Table 2: memorisation', kind: 'table' },
] as const satisfies readonly { id: string; title: string; kind: 'figure' | 'table' | 'diagram' }[];
export type PaperItem = (typeof PAPER_ITEMS)[number]['id'];

export type Panel = 'app_real' | 'service_real' | 'app_syn' | 'service_syn';
export const PANELS: readonly { panel: Panel; title: string }[] = [
  { panel: 'app_real', title: 'application, tested on real' },
  { panel: 'service_real', title: 'service, tested on real' },
  { panel: 'app_syn', title: 'application, tested on synthetic' },
  { panel: 'service_syn', title: 'service, tested on synthetic' },
];
export type Classifier = 'tree' | 'forest' | 'svm';
export const CLASSIFIERS: readonly { classifier: Classifier; title: string }[] = [
  { classifier: 'tree', title: 'decision tree' },
  { classifier: 'forest', title: 'random forest' },
  { classifier: 'svm', title: 'support vector machine' },
];
export type PaperGenerator = 'NetSSM (fine-tuned)' | 'NetSSM (base)' | 'NetDiffusion' | 'NetShare';

/** Table 1: what the paper was trained and judged on. */
export const PAPER_DATA: readonly {
  name: string;
  classes: number;
  gibibytes: number;
  captures: number;
}[] = [
  { name: 'Multimedia: video streaming', classes: 4, gibibytes: 6.36, captures: 273 },
  { name: 'Multimedia: video conferencing', classes: 3, gibibytes: 17.36, captures: 339 },
  { name: 'Multimedia: social media', classes: 3, gibibytes: 5.4, captures: 151 },
  { name: 'Netflix streaming', classes: 1, gibibytes: 216.36, captures: 5882 },
  { name: 'YouTube streaming', classes: 1, gibibytes: 2.06, captures: 619 },
];

/** One row of Table 2; null where the paper has no value. */
export interface PaperSimilarity {
  method: string;
  /** Distance by field: source and destination address, source and destination port, protocol; and their mean. */
  sa: number | null;
  da: number | null;
  sp: number | null;
  dp: number | null;
  pr: number | null;
  average: number | null;
  /** Header level: Jensen-Shannon, total variation, Hellinger. */
  jsd: number | null;
  tvd: number | null;
  hd: number | null;
}

const similarity = (method: string, v: readonly (number | null)[]): PaperSimilarity => {
  const [sa, da, sp, dp, pr, average, jsd, tvd, hd] = v;
  return { method, sa, da, sp, dp, pr, average, jsd, tvd, hd };
};

/** Table 2. Each trace is compared with its real twin, and the base of the logarithm is not given. */
// prettier-ignore
export const PAPER_SIMILARITY: readonly PaperSimilarity[] = [
  similarity('random (flow)', [0.71, 0.71, 0.63, 0.63, 0.47, 0.63, null, null, null]),
  similarity('random (raw)', [null, null, null, null, null, null, 0.82, 0.99, 0.95]),
  similarity('NetShare', [0.14, 0.19, 0.29, 0.25, 0.04, 0.18, null, null, null]),
  similarity('TrafficGPT', [0.13, 0.16, 0.17, 0.23, null, 0.17, null, null, null]),
  similarity('NetDiffusion (fixed)', [0, 0, 0.14, 0.17, 0.06, 0.06, 0.04, 0.04, 0.05]),
  similarity('NetSSM (base)', [0.12, 0.11, 0.1, 0.11, 0, 0.09, 0.02, 0.02, 0.02]),
  similarity('NetSSM (fine-tuned)', [0.06, 0.05, 0.05, 0.06, 0.01, 0.05, 0.02, 0.01, 0.02]),
];

/** What of a trace's segments Table 3 compares. */
export type PaperSegmentEvaluation = 'sizes' | 'meanSizes' | 'counts';

/** One row of Table 3: medians over 100 pairs. Sizes seem to be in kilobytes. */
export interface PaperSegments {
  application: 'Netflix' | 'YouTube';
  model: 'single-flow' | 'multi-flow';
  evaluation: PaperSegmentEvaluation;
  meanDelta: number;
  medianDelta: number;
  sdDelta: number | null;
  ks: number;
  ksP: number;
  ad: number | null;
  adP: number | null;
  kl: number;
  emd: number;
}

// prettier-ignore
const SEGMENTS: readonly (readonly [string, PaperSegmentEvaluation, ...(number | null)[]])[] = [
  ['Netflix SF', 'sizes', 1.87, 1.68, 104.39, 0.31, 0.04, 3.4, 0.03, 2.06, 95.04],
  ['Netflix MF', 'sizes', -1.09, 0, 193.91, 0.21, 0.03, 6.86, 0.01, 1.14, 72.94],
  ['Netflix SF', 'meanSizes', -0.16, -0.3, 38.73, 0.36, 0.55, 0.98, 0.46, 3.87, 57.9],
  ['Netflix MF', 'meanSizes', -2.27, -0.66, 71.73, 0.22, 0.82, 0.29, 0.73, 2.67, 30.75],
  ['Netflix SF', 'counts', 1.69, 2, 1.93, 0.48, 0.19, 3, 0.06, 11.37, 3.95],
  ['Netflix MF', 'counts', -42.24, 0, 6.22, 0.17, 0.95, 0.41, 0.76, 2.97, 8.04],
  ['YouTube SF', 'sizes', 10.89, 431.01, 41.76, 0.57, 0.19, 3.1, 0.02, 12.01, 592.42],
  ['YouTube MF', 'sizes', 1.71, 168.72, 71.47, 0.5, 0.22, 1.99, 0.06, 10.06, 430.13],
  ['YouTube SF', 'meanSizes', -78.43, 483.07, null, 1, 1, null, null, 19.56, 666.35],
  ['YouTube MF', 'meanSizes', -269.59, -6.92, null, 0.5, 0.83, null, null, 18.3, 277.5],
  ['YouTube SF', 'counts', 6.01, 7, null, 1, 0.67, null, null, 24.23, 7.3],
  ['YouTube MF', 'counts', 0.57, 0, null, 0.5, 1, null, null, 11.45, 4.04],
];

/** Table 3. */
export const PAPER_SEGMENTS: readonly PaperSegments[] = SEGMENTS.map(([name, evaluation, ...v]) => ({
  application: name.startsWith('Netflix') ? 'Netflix' : 'YouTube',
  model: name.endsWith('SF') ? 'single-flow' : 'multi-flow',
  evaluation,
  meanDelta: v[0] as number,
  medianDelta: v[1] as number,
  sdDelta: v[2],
  ks: v[3] as number,
  ksP: v[4] as number,
  ad: v[5],
  adP: v[6],
  kl: v[7] as number,
  emd: v[8] as number,
}));

/** Table 4, percent change from real by metric of `PAPER_METRICS` (netssm/evaluate): multi-flow, single-flow, NetDiffusion. */
export const PAPER_COMPLIANCE: Readonly<
  Record<string, { multiFlow: number; singleFlow: number; netDiffusion: number }>
> = {
  finSeen: { multiFlow: 50, singleFlow: 9.4, netDiffusion: 45.7 },
  handshakes: { multiFlow: 0, singleFlow: -5.8, netDiffusion: -70.2 },
  ackProgress: { multiFlow: -1, singleFlow: -6.5, netDiffusion: -69.6 },
  seqProgress: { multiFlow: -1, singleFlow: -8.3, netDiffusion: -68.9 },
  finAck: { multiFlow: -4, singleFlow: 2.6, netDiffusion: -0.5 },
  conflictingFlags: { multiFlow: 57, singleFlow: 0.5, netDiffusion: 34.4 },
  sackWithoutOk: { multiFlow: 44, singleFlow: -1.8, netDiffusion: 15.8 },
  synEstablished: { multiFlow: 6, singleFlow: 0, netDiffusion: 0 },
  mssOutside: { multiFlow: 5, singleFlow: 1.4, netDiffusion: -2 },
  scaleOutside: { multiFlow: 5, singleFlow: 1.4, netDiffusion: -2 },
  rstEstablished: { multiFlow: -16, singleFlow: 0, netDiffusion: -35.7 },
};

/** Section 5.3 beside Figure 3: medians over 100 pairs of multi-flow traces. */
export const PAPER_PATTERNS: Readonly<
  Record<'Netflix' | 'YouTube', { pearson: number; dtwKilobits: number }>
> = {
  Netflix: { pearson: 0.52, dtwKilobits: 121.45 },
  YouTube: { pearson: 0.31, dtwKilobits: 69.86 },
};

/** Appendix Figure 2: one Netflix pair at 1,366 kbit/s. Bandwidths are Scott's, quartiles of raw sizes seem to be in bytes. */
export const PAPER_SEGMENT_PAIR = {
  bandwidths: { meanSizes: { real: 40.62, generated: 39.08 }, logSizes: { real: 1.07, generated: 0.99 } },
  quartiles: {
    sizes: { real: [580, 4344, 41_564], generated: [369.5, 3721, 14_349.5] },
    counts: { real: [7, 10, 12.75], generated: [5.75, 9.5, 11.75] },
  },
} as const;

/** Appendix Table 1: sampling settings of section 5.3. */
export const PAPER_SAMPLING_SETTINGS: Readonly<
  Record<
    'Netflix' | 'YouTube',
    { repetitionPenalty: number; temperature: number; minP: number; topK: number; topP: number }
  >
> = {
  Netflix: { repetitionPenalty: 1.8, temperature: 0.15, minP: 0, topK: 25, topP: 0.9 },
  YouTube: { repetitionPenalty: 1.8, temperature: 0.75, minP: 0, topK: 25, topP: 0.9 },
};

/** Appendix Table 2: distances are normalised Hamming distances, it seems of hexadecimal digits. Shares, not percent. */
export const PAPER_MEMORISATION = {
  identicalPackets: 0.0235,
  differingBytes: 0.2227,
  nearest: { mean: 0.186, median: 0.17, sd: 0.085, min: 0, max: 0.543 },
  within: { '0.05': 0.0383, '0.1': 0.1067, '0.15': 0.4048, '0.2': 0.6682 },
  byPosition: [
    { from: 0, to: 10, mean: 0.128, sd: 0.041 },
    { from: 10, to: 50, mean: 0.175, sd: 0.052 },
    { from: 50, to: 100, mean: 0.223, sd: 0.083 },
  ],
  diversity: { generated: 0.359, training: 0.68, ratio: 0.528 },
  /** Mean size of the difference from the nearest packet, by header field. */
  fieldChanges: {
    'tcp.ack': 835.2e6,
    'tcp.seq': 758.8e6,
    'tcp.chksum': 19_885,
    'tcp.sport': 12_974,
    'tcp.dport': 12_971,
    'ip.id': 12_122,
    'ip.chksum': 11_436,
    'tcp.window': 2543,
    'ip.len': 192,
    'tcp.urgptr': 24.68,
    'ip.ttl': 11.97,
    'ip.tos': 5.54,
  },
} as const;

/**
 * A later generator of multi-flow traces: a compiler owns TCP's state there, so that flows are what it was told to make.
 * Deviation of protocol mix, packets per flow and flow population, in percent.
 */
export const TRACECODEC = {
  name: 'TraceCodec',
  source: 'arXiv 2605.29941',
  percent: 0.03,
  what: 'there a compiler owns the state of TCP, so that flows are what it was told to make',
} as const;

/** Section 5.3: packets of a trace, the prompt's included, and minutes that one took on their GPU. */
export const PAPER_GENERATION = { packetsPerTrace: 10_000, minutesPerTrace: 20, traces: 400 } as const;
