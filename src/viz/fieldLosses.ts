/** What each token of a data set's sequences says, by name: for losses by header field. */
import type { TokenFieldNames } from '../train';
import { decodeTokens, END_OF_TEXT, PKT, type TokenDataset } from '../tokens';
import { annotateTokens } from './tokenFields';

/** Sequences whose names are kept: the same ones are asked for at every evaluation. */
const KEPT = 2000;

/**
 * For `fit` and `evaluateLoss`: names by header field (`flags`, `window`, `source port` ...), `time` for time tokens,
 * `<|pkt|>` and `<|endoftext|>`. Tokens of runs that are no packet have none. Names of a sequence are made once.
 */
export function tokenFieldsOf(): TokenFieldNames {
  const known = new Map<TokenDataset, Map<number, (string | undefined)[]>>();
  return (dataset, sequence) => {
    let own = known.get(dataset);
    if (!own) known.set(dataset, (own = new Map()));
    let names = own.get(sequence);
    if (!names) {
      names = namesOf(dataset, sequence);
      if (own.size < KEPT) own.set(sequence, names);
    }
    return names;
  };
}

function namesOf(dataset: TokenDataset, sequence: number): (string | undefined)[] {
  const { layout, vocabulary } = dataset;
  const tokens = dataset.tokens(sequence);
  const names = new Array<string | undefined>(tokens.length).fill(undefined);
  const linkType = dataset.sequences[sequence].linkType;
  const packets = annotateTokens(decodeTokens(tokens, vocabulary, layout, { linkType }).packets, layout);
  let next = 0;
  for (let at = 1; at < tokens.length;) {
    if (tokens[at] >= 256) {
      if (tokens[at] === PKT || tokens[at] === END_OF_TEXT) names[at] = vocabulary.text(tokens[at]);
      else if (vocabulary.timeBin(tokens[at]) !== undefined) names[at] = 'time';
      at++;
      continue;
    }
    let end = at;
    while (end < tokens.length && tokens[end] < 256) end++;
    const packet = packets[next];
    // A run that is no packet has no fields; the next packet is still to come.
    if (packet?.tokens.length === end - at && packet.tokens.every((token, k) => token === tokens[at + k])) {
      for (const { name, from, to } of packet.fields) names.fill(name, at + from, at + to);
      next++;
    }
    at = end;
  }
  return names;
}
