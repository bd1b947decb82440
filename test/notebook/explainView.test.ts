/** Row 30 of the checklist in docs/notebooks.md: a packet explains itself, in a notebook and in a terminal. */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { readCapture, type Frame } from '../../src/capture';
import { loadModel, type LoadedModel } from '../../src/generate';
import {
  describeLine,
  explain,
  explainCapture,
  richBundle,
  stepSlider,
  stepThrough,
} from '../../src/notebook';
import { projectRoot } from '../../src/util';

const html = (value: unknown) => String(richBundle(value)?.['text/html']);
const text = (value: unknown) => String(richBundle(value)?.['text/plain']);
let demo: LoadedModel;
let frames: Frame[];

beforeAll(async () => {
  demo = await loadModel('demo', { engine: 'loops' });
  ({ frames } = await readCapture(join(projectRoot, 'data', 'captures', 'web', 'web-16.pcap')));
});

describe('explain', () => {
  test('a packet: tokens, fields, Delta and state norm as a picture and as a table; a line in a terminal', async () => {
    const explanation = await explain(demo, frames, { packet: 2, label: 'web' });
    expect(html(explanation)).toMatch(/<svg[^>]*aria-label="What the model expected: packet 2 of web/);
    expect(html(explanation)).toContain('Delta, layer 3');
    expect(html(explanation)).toContain('<details><summary>Bits by header field</summary>');
    const lines = text(explanation).split('\n');
    expect(lines[2]).toBe('label web; 2 packets (51 tokens) read before');
    const table = lines.slice(4, 6 + explanation.tokens.length);
    const columns = table[0];
    for (const name of [
      'at',
      'field',
      'Wireshark',
      'came',
      'expected',
      'surprise',
      'entropy',
      'Delta',
      '|h|',
    ])
      expect(columns).toContain(name);
    // Aligned: the columns of numbers end at the same place in every line.
    const end = columns.indexOf('surprise') + 'surprise'.length;
    for (const line of table.slice(2)) expect(line.slice(end - 4, end)).toMatch(/^[ \d.]+\d$/);
    expect(table.some((line) => /flags +tcp\.flags +2 +=/.test(line))).toBe(true);
    expect(inspect(explanation)).toBe(describeLine(explanation));
  });

  test('a capture: bits by field, dearest first', async () => {
    const explanation = await explainCapture(demo, frames, { label: 'web', packets: 3 });
    const bits = explanation.fields.map((row) => row.bits);
    expect(bits).toEqual([...bits].sort((a, b) => b - a));
    expect(html(explanation)).toContain('What the model did not know');
    expect(inspect(explanation)).toMatch(
      /^Explanation of 3 packets, web, by demo: \d+ tokens, [\d.]+ bits each/,
    );
  });

  test('generation, draw by draw, with a slider that needs no kernel', async () => {
    const through = await stepThrough(demo, { label: 'dns', packets: 1, seed: 1 });
    expect(html(through).match(/<details/g)).toHaveLength(through.steps.length);
    expect(html(through)).toContain('◀ drawn');
    // Two of them in one page have elements of their own.
    const id = (markup: string) => /<div id="([^"]+)"/.exec(markup)![1];
    expect(id(html(through))).not.toBe(id(html(through)));
    expect(text(through).split('\n')).toHaveLength(3 + through.steps.length);
    const save = mkdtempSync(join(tmpdir(), 'netssm-steps-'));
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    stepSlider('draws', through, { save });
    log.mockRestore();
    expect(existsSync(join(save, 'draws.html'))).toBe(true);
    expect(JSON.parse(readFileSync(join(save, 'draws.json'), 'utf8'))).toHaveLength(through.steps.length);
  });
});
