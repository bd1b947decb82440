import { describe, expect, it } from 'vitest';
import { fromTokenizerJson, toTokenizerJson, Vocabulary } from '../../src/tokens';

const json = toTokenizerJson(new Vocabulary(['mqtt', 'web']));

describe('tokenizer.json', () => {
  // Loaded by Hugging Face tokenizers 0.23.1: "<|web|> 0 255 <|pkt|> <|nope|> 300 <|endoftext|>" encodes to
  // 261 0 255 259 256 256 257, and the vocabulary has 262 entries.
  it('is what Hugging Face tokenizers reads', () => {
    const { vocab, ...model } = json.model;
    expect(Object.keys(vocab)).toHaveLength(262);
    expect(Object.entries(vocab).slice(254)).toMatchInlineSnapshot(`
      [
        [
          "254",
          254,
        ],
        [
          "255",
          255,
        ],
        [
          "<|unk|>",
          256,
        ],
        [
          "<|endoftext|>",
          257,
        ],
        [
          "<|padding|>",
          258,
        ],
        [
          "<|pkt|>",
          259,
        ],
        [
          "<|mqtt|>",
          260,
        ],
        [
          "<|web|>",
          261,
        ],
      ]
    `);
    expect({ ...json, model, added_tokens: json.added_tokens.slice(-1) }).toMatchInlineSnapshot(`
      {
        "added_tokens": [
          {
            "content": "<|web|>",
            "id": 261,
            "lstrip": false,
            "normalized": false,
            "rstrip": false,
            "single_word": false,
            "special": true,
          },
        ],
        "decoder": null,
        "model": {
          "type": "WordLevel",
          "unk_token": "<|unk|>",
        },
        "normalizer": null,
        "padding": null,
        "post_processor": null,
        "pre_tokenizer": {
          "type": "WhitespaceSplit",
        },
        "truncation": null,
        "version": "1.0",
      }
    `);
    expect(json.added_tokens.map((t) => [t.id, t.content])).toEqual([
      [256, '<|unk|>'],
      [257, '<|endoftext|>'],
      [258, '<|padding|>'],
      [259, '<|pkt|>'],
      [260, '<|mqtt|>'],
      [261, '<|web|>'],
    ]);
  });

  it('gives the vocabulary back', () => {
    const back = fromTokenizerJson(JSON.parse(JSON.stringify(json)));
    expect(back.labels).toEqual(['mqtt', 'web']);
    expect(back.size).toBe(262);
    expect(back.text(261)).toBe('<|web|>');
  });

  it('says what does not fit', () => {
    const change = (f: (j: typeof json) => void) => {
      const copy = structuredClone(json);
      f(copy);
      return () => fromTokenizerJson(copy, 'x/tokenizer.json');
    };
    expect(change((j) => (j.model.type = 'BPE'))).toThrow(
      'x/tokenizer.json: its model is "BPE", not "WordLevel"',
    );
    expect(change((j) => delete j.model.vocab['7'])).toThrow('id 7 is missing');
    expect(change((j) => (j.model.vocab['7'] = 8))).toThrow('id 8 stands for "7" and for "8"');
    expect(
      change((j) => {
        delete j.model.vocab['<|unk|>'];
        j.model.vocab['[UNK]'] = 256;
      }),
    ).toThrow('id 256 stands for "[UNK]" and for "<|unk|>"');
    expect(() => fromTokenizerJson(null)).toThrow('its model is null');
  });
});
