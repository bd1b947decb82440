import { existsSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { Option } from 'commander';
import type { ExportFormat } from '../../flows';
import { NetssmError } from '../../util';
import { newCommand, runAction, withPacketSelection, type Register } from '../command';
import type { Io } from '../io';

interface ExportCommandOptions {
  out: string;
  format: ExportFormat;
  what: 'packets' | 'flows';
  filter?: string;
  from?: string;
  to?: string;
  skip?: number;
  count?: number;
  overwrite?: boolean;
  json?: boolean;
}

const ENDINGS: Record<ExportFormat, string> = { csv: '.csv', arrow: '.arrows', jsonl: '.jsonl' };

/** `netssm export`. */
export const registerExport: Register = (program, finish) => {
  withPacketSelection(
    newCommand(program, 'export', 'packets or flows of captures as tables: CSV, Arrow, JSON lines', [
      'netssm export trace.pcap --what flows --out flows.csv',
      'netssm export data/captures --format arrow --out out/tables',
      "netssm export trace.pcap --filter 'tcp port 443' --count 1000 --format jsonl --out tls.jsonl",
    ])
      .argument('<captures...>', 'capture files or folders of them; - for standard input')
      .requiredOption('--out <path>', 'file to write; for several captures a folder, with one file each')
      .addOption(
        new Option('--format <name>', 'csv, Arrow (streaming IPC format), or one JSON object a line')
          .choices(['csv', 'arrow', 'jsonl'])
          .default('csv'),
      )
      .addOption(
        new Option('--what <rows>', 'what a row is (docs/export.md lists the columns)')
          .choices(['packets', 'flows'])
          .default('packets'),
      ),
  )
    .option('--overwrite', 'replace files that are there')
    .action((captures: string[], options: ExportCommandOptions) =>
      runAction(options, finish, (io) => exportAll(captures, options, io)),
    );
};

async function exportAll(captures: string[], options: ExportCommandOptions, io: Io): Promise<number> {
  const { listCaptures } = await import('../../capture/index.js');
  const { exportTable } = await import('../../flows/index.js');
  const { filter, from, to, skip, count, format, what } = options;
  const files = captures.flatMap((path) => listCaptures(path));
  const targets = targetsFor(files, options);
  const progress = io.progress(`export ${what}`);
  const written: { file: string; out: string; rows: number }[] = [];
  const failures: { file: string; code: string; message: string }[] = [];
  let rows = 0;
  for (const [i, file] of files.entries()) {
    const detail = `file ${i + 1} of ${files.length}`;
    const onRows = (n: number): void => progress.report({ done: rows + n, unit: what, detail });
    try {
      const n = await exportTable({
        source: file,
        out: targets[i],
        format,
        what,
        filter,
        from,
        to,
        skip,
        count,
        onRows,
      });
      rows += n;
      written.push({ file, out: targets[i], rows: n });
    } catch (error) {
      // One bad capture among many is no reason to leave the others; alone, or for bad options, it is the result.
      if (!(error instanceof NetssmError) || files.length === 1 || error.exitCode === 2) throw error;
      failures.push({ file, code: error.code, message: error.message });
      io.note(`${error.message}${error.hint ? `\nHint: ${error.hint}` : ''}`);
    }
  }
  progress.finish();
  for (const { out, rows: n } of written) io.print(`${out}: ${n.toLocaleString('en')} ${what}`);
  io.result({ what, format, files: written, failures });
  return written.length > 0 ? 0 : 1;
}

/** Where each capture's table goes; nothing is replaced silently. */
function targetsFor(files: readonly string[], options: ExportCommandOptions): string[] {
  const { out, format, what } = options;
  const isFolder = existsSync(out) ? statSync(out).isDirectory() : files.length > 1 || extname(out) === '';
  if (!isFolder && files.length > 1) {
    throw new NetssmError('export_out_is_file', `${out} is a file; ${files.length} captures need a folder`, {
      exitCode: 2,
      hint: 'Give a folder with --out, or one capture.',
    });
  }
  const used = new Map<string, number>();
  const targets = files.map((file) => {
    if (!isFolder) return out;
    const stem = file === '-' ? 'stdin' : basename(file).replace(/(\.(pcap|pcapng|cap))?(\.(gz|zst))?$/i, '');
    const n = (used.get(stem) ?? 0) + 1;
    used.set(stem, n);
    return join(out, `${stem}${n > 1 ? `-${n}` : ''}.${what}${ENDINGS[format]}`);
  });
  const there = targets.find((target) => existsSync(target));
  if (there !== undefined && !options.overwrite) {
    throw new NetssmError('export_exists', `${there} exists`, {
      exitCode: 2,
      hint: 'Choose another --out, or replace it with --overwrite.',
    });
  }
  return targets;
}
