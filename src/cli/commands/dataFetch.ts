import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { PublicFile, PublicSet } from '../../flows';
import { formatBytes, NetssmError } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';

interface FetchCommandOptions {
  out?: string;
  from?: string;
  sha256?: string;
  sets?: string;
  json?: boolean;
}

/** `netssm data fetch` and `netssm data list`. */
export const registerDataFetch = (data: Command, finish: Parameters<Register>[1]): void => {
  const sets = (): Option => new Option('--sets <file>', 'another list than data/public.json, in its form');
  newCommand(data, 'list', 'the data sets that are here, and public ones with source, size and licence', [
    'netssm data list',
  ])
    .addOption(sets())
    .action((options: { sets?: string; json?: boolean }) =>
      runAction(options, finish, (io) => listSets(options.sets, io)),
    );
  newCommand(data, 'fetch', 'a public data set, downloaded and checked', [
    'netssm data fetch youtube-requet',
    'netssm data fetch netflix --from https://mirror.example.org/netflix.tar --sha256 HEX --out /data/netflix',
  ])
    .argument('<name>', 'one of those that netssm data list tells')
    .option('--out <dir>', 'folder to store it in (default: out/public/NAME)')
    .option('--from <url>', 'fetch this file: a mirror of your own')
    .option('--sha256 <hex>', 'what the file of --from must have', sha256)
    .addOption(sets())
    .addHelpText(
      'after',
      '\nA broken download is continued by the same command. Sources that only a browser can open are named, with what\nto do; the exit code is then 1.',
    )
    .action((name: string, options: FetchCommandOptions) =>
      runAction(options, finish, (io) => fetchSet(name, options, io)),
    );
};

function sha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('Expected 64 hexadecimal digits.');
}

async function listSets(list: string | undefined, io: Io): Promise<number> {
  const { loadDataset, readPublicSets, TESTBED_SET } = await import('../../flows/index.js');
  const sets = readPublicSets(list);
  const here = existsSync(join(TESTBED_SET, 'manifest.json'));
  io.print('Here:');
  io.print(
    '  captures                 data/captures: the small set of the demo and the notebooks; CC-BY-4.0',
  );
  io.print(
    here
      ? `  testbed                  data/testbed/set: ${String(loadDataset('testbed'))}; CC-BY-4.0`
      : '  testbed                  absent: data/testbed/make.mjs makes it',
  );
  io.print('Public, by other people:');
  for (const set of sets) {
    io.print(`  ${set.name.padEnd(24)} ${set.title}: ${facts(set)}`);
    io.print(`  ${''.padEnd(24)} ${set.source}${set.files ? '' : ' (by hand: netssm data fetch says how)'}`);
    if (set.citation) io.print(`  ${''.padEnd(24)} ${set.citation}`);
  }
  io.result({ testbed: here, datasets: sets });
  return 0;
}

function facts(set: PublicSet): string {
  const size = set.size ?? (set.bytes ? formatBytes(set.bytes) : 'size not known');
  const captures = set.captures ? `${set.captures.toLocaleString('en')} captures, ` : '';
  return `${captures}${size}, licence: ${set.licence ?? set.licenceNote ?? 'not known, ask its authors'}`;
}

async function fetchSet(name: string, options: FetchCommandOptions, io: Io): Promise<number> {
  const { fetchByHand, findPublicSet, publicFileName, readPublicSets } = await import('../../flows/index.js');
  if (name === 'testbed' || name === 'captures') {
    throw new NetssmError(
      'set_here',
      `${name} is part of the project: data/${name === 'testbed' ? 'testbed/set' : name}`,
      {
        exitCode: 2,
        hint: 'netssm tokenize takes the folder as it is; netssm data unpack testbed writes captures, one file each.',
      },
    );
  }
  if (options.sha256 !== undefined && options.from === undefined) {
    throw new NetssmError('argument_unused', '--sha256 is of use with --from only', { exitCode: 2 });
  }
  if (options.from !== undefined && !/^https?:\/\/./.test(options.from)) {
    throw new NetssmError('argument_invalid', `--from "${options.from}" is no http or https URL`, {
      exitCode: 2,
    });
  }
  const set = findPublicSet(readPublicSets(options.sets), name);
  const out = options.out ?? join('out', 'public', name);
  // On stderr: with --json it must be read before the download, too.
  io.note(`${set.title}: ${facts(set)}`);
  if (set.citation) io.note(`Please cite: ${set.citation}`);
  io.note(`Source: ${options.from ?? set.source}`);
  const files: PublicFile[] = options.from
    ? [{ url: options.from, sha256: options.sha256 }]
    : (set.files ?? []);
  if (files.length === 0) {
    throw new NetssmError('fetch_by_hand', `${name} cannot be fetched by a program`, {
      context: { source: set.source },
      hint: `${fetchByHand(set, out).join('\n')}\nA copy that a server of yours has: --from URL.`,
    });
  }
  const fetched = [];
  for (const file of files) {
    const path = join(out, publicFileName(file));
    fetched.push({ url: file.url, ...(await fetchFile(file, path, io)) });
  }
  io.print(
    `Unpack what is packed, so that captures lie in ${out}/LABEL/; then: netssm tokenize ${out} --out out/tokens`,
  );
  io.result({ name, out, files: fetched });
  return 0;
}

async function fetchFile(file: PublicFile, path: string, io: Io) {
  const { download } = await import('../../util/index.js');
  const progress = io.progress('fetch');
  const { url, bytes, sha256 } = file;
  const result = await interruptible((signal) =>
    download(url, path, { bytes, sha256, signal, onProgress: progress.report }),
  );
  progress.finish();
  const { kept, resumedFrom, verified } = result;
  const how = kept
    ? 'was there already'
    : resumedFrom > 0
      ? `continued at ${formatBytes(resumedFrom)}`
      : 'fetched';
  io.print(
    `${path}: ${formatBytes(result.bytes)}, ${how}, sha256 ${result.sha256} ${verified ? '(as it must be)' : '(nothing to compare it with)'}`,
  );
  return result;
}
