/** What processors may look at besides the logits. */
export interface SamplingContext {
  /** By id: 1 for the tokens that have occurred, prompt included. */
  seen: Uint8Array;
  /** Index of the token to be drawn, prompt included. */
  position: number;
}

/** Changes the logits of the next token in place. -Infinity means "never". Lists of them run in order. */
export type LogitsProcessor = (logits: Float32Array, context: SamplingContext) => void;

/** Never the given ids. */
export function maskIds(ids: Iterable<number>): LogitsProcessor {
  const list = [...ids];
  return (logits) => {
    for (const id of list) logits[id] = -Infinity;
  };
}

/** logits / t. */
export function temperature(t: number): LogitsProcessor {
  return (logits) => {
    for (let i = 0; i < logits.length; i++) logits[i] /= t;
  };
}

/** The k largest stay (more where the k-th is tied). */
export function topK(k: number): LogitsProcessor {
  return (logits) => {
    if (k >= logits.length) return;
    const sorted = logits.slice().sort();
    below(logits, sorted[sorted.length - k]);
  };
}

/**
 * Nucleus sampling (Holtzman et al. 2020): the smallest set of likeliest tokens whose probabilities sum to at least p
 * (more where the last is tied); always at least one.
 */
export function topP(p: number): LogitsProcessor {
  return (logits) => {
    const sorted = logits.slice().sort();
    const max = sorted[sorted.length - 1];
    if (!(max > -Infinity)) return;
    let total = 0;
    for (const logit of sorted) total += Math.exp(logit - max);
    let sum = 0;
    for (let i = sorted.length - 1; i >= 0; i--) {
      sum += Math.exp(sorted[i] - max) / total;
      if (sum >= p) {
        below(logits, sorted[i]);
        return;
      }
    }
  };
}

/** Tokens with at least p times the largest *probability* stay: logit >= max + ln p. */
export function minP(p: number): LogitsProcessor {
  const offset = Math.log(p);
  return (logits) => {
    let max = -Infinity;
    for (let i = 0; i < logits.length; i++) if (logits[i] > max) max = logits[i];
    // Compared as float64: a threshold rounded to float32 could exclude the tie at exactly p.
    for (let i = 0; i < logits.length; i++) if (logits[i] < max + offset) logits[i] = -Infinity;
  };
}

/** CTRL (Keskar et al. 2019): logits of tokens that have occurred are divided by p where positive, else multiplied. */
export function repetitionPenalty(p: number): LogitsProcessor {
  return (logits, { seen }) => {
    for (let i = 0; i < logits.length; i++) {
      if (seen[i] === 1) logits[i] = logits[i] > 0 ? logits[i] / p : logits[i] * p;
    }
  };
}

function below(logits: Float32Array, threshold: number): void {
  for (let i = 0; i < logits.length; i++) if (logits[i] < threshold) logits[i] = -Infinity;
}
