import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { NetssmError } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { registerDataFetch } from './dataFetch';
import { registerDataUnpack } from './dataUnpack';

interface ImportCommandOptions {
  label?: string;
  labels?: string;
  out: string;
  anonymise?: boolean;
  keyFile?: string;
  macs: 'all' | 'keep-vendor';
  ports?: true | 'ephemeral' | 'all';
  payload: 'cut' | 'zero';
  keepDns?: boolean;
  shiftTime?: boolean;
  overwrite?: boolean;
  json?: boolean;
}

/** `netssm data`: import, unpack, fetch, list. */
export const registerData: Register = (program, finish) => {
  const data = program.command('data').description("sets of captures: your own, the project's, public ones");
  newCommand(
    data,
    'import',
    'labelled captures -> a folder that tokenize understands, anonymised if wanted',
    [
      'netssm data import traces --labels labels.csv --out data/mine',
      'head -c 32 /dev/urandom | base64 > mine.key    # keep it to map later captures the same way',
      'netssm data import traces --labels labels.csv --anonymise --key-file mine.key --ports --shift-time --out data/mine',
      'netssm tokenize data/mine --out out/tokens',
    ],
  )
    .argument('<captures...>', 'capture files or folders of them')
    .addOption(new Option('--label <name>', 'one label for everything').conflicts('labels'))
    .option('--labels <file>', 'CSV with the columns path and label (and, if wanted, split)')
    .requiredOption('--out <dir>', 'folder to write: <label>/<name>.pcap and manifest.json')
    .option('--anonymise', 'replace addresses and names; keep no payload (docs/import.md)')
    .option(
      '--key-file <file>',
      'secret that decides the mapping (default: a random one, forgotten at the end)',
    )
    .addOption(
      new Option('--macs <how>', 'hardware addresses: wholly replaced, or the vendor kept')
        .choices(['all', 'keep-vendor'])
        .default('all'),
    )
    .addOption(
      new Option('--ports [which]', 'replace ports: all, or only those from 1024 on').choices([
        'all',
        'ephemeral',
      ]),
    )
    .addOption(
      new Option('--payload <how>', 'bytes behind the headers: left out, or set to 0')
        .choices(['cut', 'zero'])
        .default('cut'),
    )
    .option('--keep-dns', 'keep DNS messages, with names and addresses replaced')
    .option('--shift-time', 'move all times back by the same secret number of seconds')
    .option('--overwrite', 'begin anew where --out holds an import already')
    .action((captures: string[], options: ImportCommandOptions) =>
      runAction(options, finish, (io) => runImport(captures, options, io)),
    );
  registerDataUnpack(data, finish);
  registerDataFetch(data, finish);
};

async function runImport(captures: string[], options: ImportCommandOptions, io: Io): Promise<number> {
  if (options.keyFile && !options.anonymise) {
    throw new NetssmError('argument_unused', '--key-file is of use with --anonymise only', {
      exitCode: 2,
      hint: 'Add --anonymise, or leave --key-file out.',
    });
  }
  const { collectInputs } = await import('../../tokens/index.js');
  const { describeImport, importCaptures } = await import('../../flows/index.js');
  const inputs = collectInputs(captures, { label: options.label, labelsCsv: options.labels });
  const packed = inputs.find((input) => input.part);
  if (packed) {
    throw new NetssmError(
      'import_packed',
      `${packed.path} belongs to a packed set, which is no folder of captures`,
      {
        exitCode: 2,
        hint: 'Tokenize takes it as it is. To have captures: netssm data unpack FOLDER --out DIR.',
      },
    );
  }
  if (options.labels !== undefined) {
    const { listCaptures } = await import('../../capture/index.js');
    const all = captures.reduce((sum, path) => sum + listCaptures(path).length, 0);
    if (all > inputs.length)
      io.note(`left out: ${all - inputs.length} captures without a line in ${options.labels}`);
  }
  const ports = options.ports === true ? 'all' : (options.ports ?? 'keep');
  const progress = io.progress('import');
  const result = await interruptible((signal) =>
    importCaptures({
      inputs,
      out: options.out,
      overwrite: options.overwrite,
      signal,
      onProgress: progress.report,
      ...(options.anonymise && {
        anonymise: {
          secret: options.keyFile === undefined ? undefined : readKey(options.keyFile),
          macs: options.macs,
          ports,
          payload: options.payload,
          keepDns: options.keepDns ?? false,
          shiftTime: options.shiftTime ?? false,
        },
      }),
    }),
  );
  progress.finish();
  io.print(`${options.out}: ${describeImport(result)}`);
  for (const { message } of result.failures) io.note(`left out: ${message}`);
  const dropped = result.manifest.files.reduce((sum, file) => sum + file.dropped, 0);
  if (dropped > 0) io.note(`left out: ${dropped} packets of link types whose addresses are not known`);
  if (options.anonymise) io.print('File names and labels are as they were: check that they tell nothing.');
  const { manifest, kept, failures } = result;
  io.result({ out: options.out, ...manifest, kept, failures });
  return manifest.files.length > 0 ? 0 : 1;
}

function readKey(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new NetssmError(
      'file_unreadable',
      `cannot read the key file ${path}: ${(cause as Error).message}`,
      {
        cause,
        exitCode: 2,
        hint: 'Make one: head -c 32 /dev/urandom | base64 > anonymise.key',
      },
    );
  }
}
