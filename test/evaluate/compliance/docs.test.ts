import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PAPER_METRICS, RULES, rulesMarkdown, SEGMENT_KINDS } from '../../../src/evaluate/compliance';
import { projectRoot } from '../../../src/util';

const file = join(projectRoot, 'docs', 'compliance.md');
const [BEGIN, END] = [
  '<!-- rules: written by test/evaluate/compliance/docs.test.ts -->',
  '<!-- end of rules -->',
];

test('docs/compliance.md holds the table of the rules (NETSSM_UPDATE_DOCS=1 writes it)', () => {
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  const updated = `${text.slice(0, from)}\n\n${rulesMarkdown()}\n\n${text.slice(to)}`;
  if (process.env.NETSSM_UPDATE_DOCS === '1') writeFileSync(file, updated);
  expect(readFileSync(file, 'utf8')).toBe(updated);
  for (const { id } of RULES) expect(text).toContain(`| \`${id}\` |`);
});

test('the definitions name every metric and kind of segment', () => {
  const text = readFileSync(file, 'utf8');
  for (const { name } of PAPER_METRICS) expect(text).toContain(`\`${name}\``);
  for (const kind of SEGMENT_KINDS) expect(text).toContain(`\`${kind}\``);
});
