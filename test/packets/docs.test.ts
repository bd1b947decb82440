import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import * as packets from '../../src/packets';
import { BUILT_IN } from '../../src/packets/builtIn';
import { projectRoot } from '../../src/util';
import { protocolSamples } from './protocolSamples';

it('docs/adding-a-protocol.md: the example runs and gives what it says', () => {
  const page = readFileSync(join(projectRoot, 'docs', 'adding-a-protocol.md'), 'utf8');
  const [, code] = /```ts\n([\s\S]*?)```/.exec(page)!;
  const lines = code.trimEnd().split('\n');
  const [, expression, promised] = /^(.*); \/\/ (\[.*\])$/.exec(lines[lines.length - 1])!;
  const source = [...lines.slice(0, -1), `export const result = ${expression};`].join('\n');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.CommonJS } });
  const exported: { result?: string[] } = {};
  const load = (name: string) => (name === 'netssm/packets' ? packets : undefined);
  new Function('require', 'exports', outputText)(load, exported);
  expect(exported.result).toEqual(JSON.parse(promised.replace(/'/g, '"')));
});

it('docs/protocols.md: a row for every protocol, with every field of the samples', () => {
  const page = readFileSync(join(projectRoot, 'docs', 'protocols.md'), 'utf8').split('\n');
  const rowOf = (name: string) => page.find((line) => line.startsWith(`| \`${name}\` | `)) ?? '';
  expect(BUILT_IN.map(({ name }) => name).filter((name) => rowOf(name) === '')).toEqual([]);
  const missing = protocolSamples.flatMap(({ linkType, layers, payload }) =>
    packets
      .decodePacket(packets.encodePacket(layers, payload), linkType)
      .layers.flatMap(({ protocol, fields }) =>
        Object.keys(fields as object)
          .filter((field) => !rowOf(protocol).includes(`\`${field}\``))
          .map((field) => `${protocol}.${field}`),
      ),
  );
  expect([...new Set(missing)]).toEqual([]);
});
