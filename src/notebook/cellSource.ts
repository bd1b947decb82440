import { createRequire } from 'node:module';
import type * as typescript from 'typescript';

/**
 * Writes `{ a: a }` for `{ a }` throughout a cell. They mean the same, but tslab 1.0.22 finds variables of earlier
 * cells in the first form only ("ReferenceError: a is not defined" in the second). Lines stay where they are.
 */
export function expandShorthandProperties(source: string): string {
  const ts = createRequire(__filename)('@tslab/typescript-for-tslab') as typeof typescript;
  const file = ts.createSourceFile('cell.ts', source, ts.ScriptTarget.ES2022, false);
  const places: { at: number; name: string }[] = [];
  const visit = (node: typescript.Node): void => {
    if (ts.isShorthandPropertyAssignment(node))
      places.push({ at: node.name.getStart(file), name: node.name.text });
    ts.forEachChild(node, visit);
  };
  visit(file);
  let result = source;
  for (const { at, name } of places.sort((a, b) => b.at - a.at))
    result = `${result.slice(0, at)}${name}: ${result.slice(at)}`;
  return result;
}
