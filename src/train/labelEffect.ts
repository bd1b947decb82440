import type { MambaConfig, Params } from '../model';
import type { Engine } from '../tensor';
import { PKT, type SequenceMeta, type Split, type TokenDataset } from '../tokens';
import { NetssmError } from '../util';
import { evaluateLoss, type EvaluateLossOptions } from './evaluateLoss';

export interface LabelEffectOptions extends Pick<
  EvaluateLossOptions,
  'batch' | 'chunkLen' | 'idMap' | 'onProgress' | 'signal'
> {
  /** First packets of each session that are looked at. Default 60. */
  packets?: number;
}

/** How much a model's predictions depend on the label that a session begins with. */
export interface LabelEffect {
  /**
   * Mean over the labels of (loss under a wrong label - loss under the right one), in nats a predicted token; every
   * wrong label counts the same. 0: the label does nothing.
   */
  nats: number;
  /** lossNats[right][shown]: mean loss of the sessions of label `right` with the label `shown` in its place. */
  lossNats: Record<string, Record<string, number>>;
  /** Predicted tokens of each label's sessions, once. */
  tokens: Record<string, number>;
}

/**
 * Measures what the label is worth: the beginnings of a split's sessions, each once with every label of the data set.
 * @throws NetssmError `labels_too_few` with fewer than two labels in the data set; `split_empty`.
 */
export async function labelEffect(
  engine: Engine,
  config: MambaConfig,
  params: Params,
  dataset: TokenDataset,
  split: Split,
  options: LabelEffectOptions = {},
): Promise<LabelEffect> {
  const { packets = 60, ...rest } = options;
  const { labels } = dataset.vocabulary;
  if (labels.length < 2) {
    throw new NetssmError(
      'labels_too_few',
      `${dataset.dir} has one label (${labels.join()}): there is no wrong one`,
      { exitCode: 2 },
    );
  }
  const view = relabelled(dataset, split, packets);
  const { perLabel } = await evaluateLoss(engine, config, params, view, split, rest);
  const lossNats: LabelEffect['lossNats'] = {};
  const tokens: LabelEffect['tokens'] = {};
  for (const [key, loss] of Object.entries(perLabel)) {
    const [right, shown] = key.split('/');
    (lossNats[right] ??= {})[shown] = loss.lossNats;
    tokens[right] = loss.tokens;
  }
  const differences = Object.entries(lossNats).map(([right, by]) => {
    const wrong = Object.keys(by).filter((shown) => shown !== right);
    return wrong.reduce((sum, shown) => sum + by[shown] - by[right], 0) / wrong.length;
  });
  const nats = differences.reduce((a, b) => a + b, 0) / differences.length;
  return { nats, lossNats, tokens };
}

/** The first packets of each session under each label in turn; their labels are called `right/shown`. */
function relabelled(dataset: TokenDataset, split: Split, packets: number): TokenDataset {
  const { vocabulary } = dataset;
  const sequences: SequenceMeta[] = [];
  const all: Uint16Array[] = [];
  dataset.sequences.forEach((sequence, i) => {
    if (sequence.split !== split || sequence.length < 2) return;
    const tokens = firstPackets(dataset, i, packets);
    for (const shown of vocabulary.labels) {
      sequences.push({ ...sequence, label: `${sequence.label}/${shown}`, start: 0, length: tokens.length });
      const changed = tokens.slice();
      changed[0] = vocabulary.labelId(shown);
      all.push(changed);
    }
  });
  return {
    dir: dataset.dir,
    meta: dataset.meta,
    vocabulary,
    layout: dataset.layout,
    sequences,
    tokens: (i, from, to) => all[i].subarray(from, to),
    close: () => undefined,
  };
}

function firstPackets(dataset: TokenDataset, sequence: number, packets: number): Uint16Array {
  const { length } = dataset.sequences[sequence];
  const most = Math.min(length, 2 + packets * (dataset.layout.maxBytes + 1));
  const tokens = dataset.tokens(sequence, 0, most);
  let end = 0;
  for (let n = 0; n < packets; n++) {
    const next = tokens.indexOf(PKT, end);
    if (next < 0) return tokens;
    end = next + 1;
  }
  return tokens.slice(0, end);
}
