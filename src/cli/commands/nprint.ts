import { statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { formatDuration, NetssmError } from '../../util';
import { newCommand, runAction, type Register } from '../command';
import { interruptible, type Io } from '../io';
import { positiveWhole, wholeNumber } from '../options';

interface NprintOptions {
  out: string;
  reverse?: boolean;
  index: string;
  payload: number;
  count?: number;
  relativeTime?: boolean;
  absoluteTime?: boolean;
  json?: boolean;
}

/** `netssm nprint`. */
export const registerNprint: Register = (program, finish) => {
  newCommand(program, 'nprint', 'captures as nPrint files (every header bit a column), and back', [
    'netssm nprint capture.pcap --out capture.csv            # as: nprint -4 -6 -t -u -i',
    'netssm nprint captures/ --out nprints --index flow      # one file a capture',
    'netssm nprint --reverse capture.csv --out again.pcap    # the headers, byte for byte',
  ])
    .argument(
      '<files...>',
      'captures, or folders of them; with --reverse nPrint files (also packed with gzip)',
    )
    .requiredOption('--out <path>', 'file to write; of several captures, or where it is a folder: the folder')
    .option('--reverse', 'from nPrint files to captures')
    .option('--index <name>', 'first column: src_ip, dst_ip, src_prt, dst_prt or flow', 'src_ip')
    .option('--payload <n>', 'bytes of payload behind the headers', wholeNumber, 0)
    .option('--count <n>', 'rows at most, of each capture', positiveWhole)
    .option('--relative-time', 'a column rts: microseconds since the packet before')
    .option('--absolute-time', 'columns tv_sec and tv_usec')
    .action((files: string[], options: NprintOptions) =>
      runAction(options, finish, (io) => interruptible((signal) => nprint(files, options, io, signal))),
    );
};

async function nprint(
  files: readonly string[],
  options: NprintOptions,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const { captureToNprint, nprintToCapture } = await import('../../packets/index.js');
  const { listCaptures } = await import('../../capture/index.js');
  const inputs = options.reverse ? [...files] : files.flatMap((file) => listCaptures(file));
  const outputs = outputPaths(inputs, options);
  const results: object[] = [];
  const progress = io.progress('nprint');
  const started = Date.now();
  let rows = 0;
  for (const [i, input] of inputs.entries()) {
    const out = outputs[i];
    const shared = {
      signal,
      onProgress: (update: { done: number; unit: string }) =>
        progress.report({ ...update, done: rows + update.done, detail: basename(input) }),
    };
    const report = options.reverse
      ? await nprintToCapture(input, out, shared)
      : await captureToNprint(input, out, {
          index: options.index as 'src_ip',
          payloadBytes: options.payload,
          relativeTime: options.relativeTime,
          absoluteTime: options.absoluteTime,
          count: options.count,
          ...shared,
        });
    rows += report.rows;
    results.push({ input, out, ...report });
    io.print(`${input} -> ${out}: ${describe(report)}`);
  }
  if (inputs.length > 1)
    io.print(
      `${inputs.length} files, ${rows.toLocaleString('en')} rows in ${formatDuration((Date.now() - started) / 1000)}`,
    );
  io.result({ files: results });
}

/** What came of a file, with what was left out. */
function describe(report: {
  rows: number;
  packets: number;
  leftOut?: Partial<Record<string, number>>;
  emptyRows?: number;
  problems?: Record<string, number>;
}): string {
  const notes = [
    ...Object.entries(report.leftOut ?? {}).map(([code, n]) => `${n} left out (${code})`),
    ...(report.emptyRows ? [`${report.emptyRows} rows of -1 are no packets`] : []),
    ...Object.entries(report.problems ?? {}).map(([code, n]) => `${n} x ${code}`),
  ];
  const counts = `${report.packets.toLocaleString('en')} packets, ${report.rows.toLocaleString('en')} rows`;
  return [counts, ...notes].join('; ');
}

/** One output for each input: the path itself, or in a folder by the input's name. */
function outputPaths(inputs: readonly string[], { out, reverse }: NprintOptions): string[] {
  const ending = reverse ? '.pcap' : '.csv';
  const isFolder = statSync(out, { throwIfNoEntry: false })?.isDirectory() === true;
  if (inputs.length === 1 && !isFolder) return [out];
  if (!isFolder && extname(out) !== '') {
    throw new NetssmError('out_unusable', `${inputs.length} files cannot all be written to ${out}`, {
      hint: 'Give a folder with --out; each file is written there under its own name.',
      exitCode: 2,
    });
  }
  const names = inputs.map((input) =>
    basename(input).replace(/(\.(pcapng|pcap|cap|csv|npt|nprint))?(\.(gz|zst))?$/i, ''),
  );
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new NetssmError('out_unusable', `two of the files would be written as ${twice}${ending}`, {
      hint: 'Convert them one by one, or into different folders.',
      exitCode: 2,
    });
  }
  return names.map((name) => join(out, `${name}${ending}`));
}
