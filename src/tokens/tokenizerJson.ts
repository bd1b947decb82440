import { NetssmError, readJson, writeFileAtomic } from '../util';
import { edgeOfText } from './times';
import { FIRST_LABEL, SPECIAL_TOKENS, Vocabulary } from './vocabulary';

/** One special token as Hugging Face `tokenizers` writes it. */
export interface AddedToken {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

/** The parts of tokenizer.json that we write and read. */
export interface TokenizerJson {
  version: string;
  truncation: null;
  padding: null;
  added_tokens: AddedToken[];
  normalizer: null;
  pre_tokenizer: { type: string };
  post_processor: null;
  decoder: null;
  model: { type: string; vocab: Record<string, number>; unk_token: string };
}

/**
 * A vocabulary as tokenizer.json of Hugging Face `tokenizers`: WordLevel over whitespace-separated decimal bytes.
 * Unlike the reference's (pre-tokenizer `Whitespace`, which splits `<|name|>` at its punctuation) the specials and
 * labels are added tokens and words are split at whitespace only, so an unknown label is one `<|unk|>`, not five. Time
 * tokens tell the shortest gap of their bin.
 */
export function toTokenizerJson(vocabulary: Vocabulary): TokenizerJson {
  const vocab: Record<string, number> = {};
  for (let id = 0; id < vocabulary.size; id++) vocab[vocabulary.text(id)] = id;
  const added_tokens: AddedToken[] = [];
  for (let id = 256; id < vocabulary.size; id++) {
    added_tokens.push({
      id,
      content: vocabulary.text(id),
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    });
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: SPECIAL_TOKENS[0] },
  };
}

/**
 * The vocabulary of a tokenizer.json. Its ids rule; ours only fit if bytes and specials have the ids that never move.
 * @throws NetssmError `tokenizer_unusable` saying what differs, `file_unreadable`, `json_invalid`.
 */
export function fromTokenizerJson(json: unknown, place = 'tokenizer.json'): Vocabulary {
  const model = (json as Partial<TokenizerJson> | null)?.model;
  if (model?.type !== 'WordLevel' || typeof model.vocab !== 'object' || model.vocab === null) {
    throw unusable(place, `its model is ${JSON.stringify(model?.type ?? null)}, not "WordLevel"`);
  }
  const texts = new Map<number, string>();
  const entries = [
    ...Object.entries(model.vocab),
    ...((json as Partial<TokenizerJson>).added_tokens ?? []).map((t) => [t.content, t.id] as const),
  ];
  for (const [text, id] of entries) {
    const there = texts.get(id);
    if (!Number.isInteger(id) || id < 0 || (there !== undefined && there !== text)) {
      throw unusable(place, `id ${String(id)} stands for "${there ?? '?'}" and for "${text}"`);
    }
    texts.set(id, text);
  }
  const labels: string[] = [];
  const edgesMicros: number[] = [];
  let first = 0;
  for (let id = 0; id < texts.size; id++) {
    const text = texts.get(id);
    if (text === undefined) throw unusable(place, `id ${id} is missing`);
    if (id < FIRST_LABEL) {
      const expected = id < 256 ? String(id) : SPECIAL_TOKENS[id - 256];
      if (text !== expected) throw unusable(place, `id ${id} is "${text}", not "${expected}"`);
      continue;
    }
    const edge = edgeOfText(text);
    if (edge !== undefined) {
      if (edgesMicros.length === 0) first = id;
      if (id !== first + edgesMicros.length)
        throw unusable(place, `its time tokens are not in one block: ${text}`);
      edgesMicros.push(edge);
      continue;
    }
    const label = /^<\|(.*)\|>$/.exec(text)?.[1];
    if (label === undefined) throw unusable(place, `id ${id}, "${text}", is not of the form <|label|>`);
    labels.push(label);
  }
  if (texts.size < FIRST_LABEL)
    throw unusable(place, `it has ${texts.size} ids, at least ${FIRST_LABEL} needed`);
  return new Vocabulary(labels, edgesMicros.length > 0 ? { edgesMicros, first } : undefined);
}

/** Writes tokenizer.json. */
export function saveVocabulary(path: string, vocabulary: Vocabulary): void {
  writeFileAtomic(path, `${JSON.stringify(toTokenizerJson(vocabulary), null, 1)}\n`);
}

/** @throws NetssmError as {@link fromTokenizerJson}. */
export function loadVocabulary(path: string): Vocabulary {
  return fromTokenizerJson(readJson<unknown>(path), path);
}

function unusable(place: string, why: string): NetssmError {
  return new NetssmError('tokenizer_unusable', `${place}: ${why}`, {
    hint: 'Use the tokenizer.json that was saved beside the dataset or the model.',
  });
}
