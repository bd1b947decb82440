/** Rules about the shape of the source tree, checked on the sources themselves. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const root = resolve(__dirname, '..');
const src = join(root, 'src');

/** A folder imports from those to its left only. */
const ORDER = [
  'util',
  'stats',
  'capture',
  'packets',
  'flows',
  'tokens',
  'tensor',
  'model',
  'train',
  'generate',
  'lecture',
  'generators',
  'evaluate',
  'rl',
  'experiments',
  'viz',
  'notebook',
  'cli',
];
/** Neighbours in ORDER that are peers: neither imports the other. */
const PEERS = [['generators', 'evaluate']];
/** The only folders whose code loads tfjs when it runs. */
const MAY_LOAD_TFJS = ['tensor', 'model', 'train', 'generate', 'lecture', 'generators', 'rl'];

function filesBelow(folder: string, extension = '.ts'): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path, extension);
    return entry.name.endsWith(extension) ? [path] : [];
  });
}

interface Import {
  from: string;
  specifier: string;
  typeOnly: boolean;
}

/** Static, dynamic, re-exporting and `import("x")`-type imports, and every `something('x')` call with one string. */
function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier && ts.isStringLiteralLike(specifier))
      found.push({ from: file, specifier: specifier.text, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const onlyTypes =
        !!clause &&
        !clause.name &&
        !!named &&
        ts.isNamedImports(named) &&
        named.elements.length > 0 &&
        named.elements.every((element) => element.isTypeOnly);
      add(node.moduleSpecifier, clause?.isTypeOnly === true || onlyTypes);
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node)) {
      if (ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    } else if (ts.isCallExpression(node) && node.arguments.length === 1) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `tokens` for src/tokens/x.ts, '' for src/index.ts. */
function folderOf(path: string): string {
  const parts = relative(src, path).split(sep);
  return parts.length > 1 ? parts[0] : '';
}

/** The src folder that a relative import points into; undefined for packages. */
function targetOf(each: Import): string | undefined {
  if (!each.specifier.startsWith('.')) return undefined;
  const target = resolve(dirname(each.from), each.specifier);
  if (target !== src && !target.startsWith(src + sep)) return undefined;
  const first = relative(src, target).split(sep)[0];
  return ORDER.includes(first) ? first : '';
}

function isBackwards(each: Import): boolean {
  const [from, to] = [folderOf(each.from), targetOf(each)];
  if (to === undefined || to === '' || from === to) return false;
  if (PEERS.some((pair) => pair.includes(from) && pair.includes(to))) return true;
  return from === '' || ORDER.indexOf(to) > ORDER.indexOf(from);
}

/** Examples in docstrings may print. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

const place = (file: string): string => relative(root, file).split(sep).join('/');
const sources = filesBelow(src);
const imports = sources.flatMap(importsOf);

describe('imports', () => {
  test('every folder of src/ has its place in the order', () => {
    const folders = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).filter((name) => !ORDER.includes(name))).toEqual([]);
  });

  test('go one way: util < stats < capture < ... < notebook < cli', () => {
    const wrong = imports.filter(isBackwards).map((each) => `${place(each.from)} imports ${each.specifier}`);
    expect(wrong).toEqual([]);
    // The check itself sees imports: without any, it would pass too.
    expect(imports.filter((each) => targetOf(each) !== undefined).length).toBeGreaterThan(50);
    const imagined = (from: string, specifier: string): Import => ({
      from: join(src, from),
      specifier,
      typeOnly: true,
    });
    expect(isBackwards(imagined('util/x.ts', '../train'))).toBe(true);
    expect(isBackwards(imagined('evaluate/x.ts', '../generators/cards'))).toBe(true);
    expect(isBackwards(imagined('train/x.ts', '../util/rng'))).toBe(false);
  });

  test('only the tensor side loads tfjs when it runs', () => {
    const wrong = imports
      .filter((each) => each.specifier.startsWith('@tensorflow/') && !each.typeOnly)
      .filter((each) => !each.specifier.endsWith('/package.json'))
      .filter((each) => !MAY_LOAD_TFJS.includes(folderOf(each.from)))
      .map((each) => `${place(each.from)} loads ${each.specifier}`);
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  test('stay below 400 lines, or say at their top why not', () => {
    const long = sources.filter((file) => {
      const lines = readFileSync(file, 'utf8').split('\n');
      return lines.length > 401 && !/long because/i.test(lines.slice(0, 20).join('\n'));
    });
    expect(long.map(place)).toEqual([]);
  });

  test('every folder has an index.ts that only re-exports', () => {
    const wrong = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && filesBelow(join(src, entry.name)).length > 0)
      .flatMap((entry) => {
        const file = join(src, entry.name, 'index.ts');
        if (!existsSync(file)) return [`src/${entry.name} has no index.ts`];
        const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
        const others = source.statements.filter(
          (node) => !ts.isExportDeclaration(node) || !node.moduleSpecifier,
        );
        return others.length > 0 ? [`src/${entry.name}/index.ts does more than re-export`] : [];
      });
    expect(wrong).toEqual([]);
  });

  test('only cli/ and notebook/ print', () => {
    const wrong = sources
      .filter((file) => !['cli', 'notebook'].includes(folderOf(file)))
      .filter((file) =>
        /\bconsole\s*\.\s*(log|error|warn|info)\s*\(/.test(withoutComments(readFileSync(file, 'utf8'))),
      );
    expect(wrong.map(place)).toEqual([]);
  });

  test('no test is switched off or empty', () => {
    const banned = [/\b(?:it|test|describe)\.(?:only|skip|todo)\b/, /expect\(true\)/, /\.toBeDefined\(\)/];
    const wrong = filesBelow(__dirname)
      .filter((file) => file !== __filename)
      .filter((file) => banned.some((pattern) => pattern.test(readFileSync(file, 'utf8'))));
    expect(wrong.map(place)).toEqual([]);
  });
});

/*
 * Notebooks are compiled by the TypeScript that tslab brings (5.0), with old-style resolution. What it cannot read
 * in our declarations it silently takes as `any`; what it cannot name in a cell's inferred types it refuses.
 */
describe.skipIf(!existsSync(join(root, 'dist', 'index.d.ts')))(
  'declarations in dist/ (npm run build)',
  () => {
    const kernelTs = createRequire(__filename)('@tslab/typescript-for-tslab') as typeof ts;
    const entries = ORDER.filter((name) => existsSync(join(root, 'dist', name, 'index.d.ts')));
    const options: ts.CompilerOptions = {
      target: kernelTs.ScriptTarget.ES2022,
      module: kernelTs.ModuleKind.ESNext,
      moduleResolution: 2 as ts.ModuleResolutionKind, // node10
      lib: ['lib.es2022.d.ts'],
      types: ['node'],
      esModuleInterop: true,
      declaration: true,
      skipLibCheck: false,
      noEmit: false,
    };

    function compile(text: string): ts.Program {
      const file = join(root, '__probe__.ts');
      const host = kernelTs.createCompilerHost(options);
      const { fileExists, readFile, getSourceFile } = host;
      host.fileExists = (path) => path === file || fileExists(path);
      host.readFile = (path) => (path === file ? text : readFile(path));
      host.getSourceFile = (path, version) =>
        path === file
          ? kernelTs.createSourceFile(path, text, version as ts.ScriptTarget)
          : getSourceFile(path, version);
      return kernelTs.createProgram([file], options, host);
    }

    const describeProblem = (d: ts.Diagnostic): string => {
      const message = kernelTs.flattenDiagnosticMessageText(d.messageText, ' ');
      if (!d.file || d.start === undefined) return message;
      const line = d.file.getLineAndCharacterOfPosition(d.start).line + 1;
      return `${place(d.file.fileName)}:${line} ${message}`;
    };

    test('are read by the TypeScript of the notebooks', () => {
      const program = compile(entries.map((name) => `export * as ${name} from 'netssm/${name}';`).join('\n'));
      const dist = join(root, 'dist').split(sep).join('/');
      const problems = program
        .getSourceFiles()
        .filter((file) => file.fileName.startsWith(dist) || file.fileName.endsWith('__probe__.ts'))
        .flatMap((file) => [
          ...program.getSyntacticDiagnostics(file),
          ...program.getSemanticDiagnostics(file),
        ])
        .map(describeProblem);
      expect(problems).toEqual([]);
      expect(program.getSourceFiles().some((file) => file.fileName.startsWith(dist))).toBe(true);
    });

    test('name every type that a cell can come to hold', () => {
      const listing = compile(
        entries.map((name) => `import * as ${name} from 'netssm/${name}'; ${name};`).join('\n'),
      );
      const checker = listing.getTypeChecker();
      const probe = listing.getSourceFile(join(root, '__probe__.ts'))!;
      const lines: string[] = [];
      for (const statement of probe.statements) {
        if (!kernelTs.isImportDeclaration(statement)) continue;
        const name = (statement.moduleSpecifier as ts.StringLiteral).text;
        const alias = name.slice('netssm/'.length);
        lines.push(`import * as ${alias} from '${name}';`);
        const symbol = checker.getSymbolAtLocation(statement.moduleSpecifier)!;
        for (const exported of checker.getExportsOfModule(symbol)) {
          const target =
            exported.flags & kernelTs.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
          if (target.flags & kernelTs.SymbolFlags.Function)
            lines.push(
              `export const ${alias}_${exported.name} = await ${alias}.${exported.name}(...({} as any));`,
            );
        }
      }
      expect(lines.length).toBeGreaterThan(entries.length);
      const program = compile(lines.join('\n'));
      const file = program.getSourceFile(join(root, '__probe__.ts'))!;
      expect(program.getDeclarationDiagnostics(file).map(describeProblem)).toEqual([]);
    });
  },
);
