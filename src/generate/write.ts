import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LinkType, writePcap } from '../capture';
import { NetssmError, readJson, writeFileAtomic } from '../util';
import { firstTryRate } from './trace';
import type { GeneratedTrace, PromptSource, TraceReport } from './trace';

/** One capture in generation.json. */
export interface GeneratedFile {
  file: string;
  label: string;
  seed: number;
  index: number;
  /** Packets in the file; the first `promptPackets` of them are the prompt's. */
  packets: number;
  promptPackets: number;
  /** The capture that the prompt is the beginning of, where it was said; `netssm evaluate` compares the two. */
  prompt?: PromptSource;
  report: TraceReport;
}

/** generation.json: how the captures beside it came about. */
export interface GenerationReport {
  format: 'netssm-generation';
  version: 1;
  /** What the caller wanted noted: model, seed, sampling ... */
  request: Record<string, unknown>;
  totals: {
    files: number;
    packets: number;
    promptPackets: number;
    tries: number;
    /** Share of the packets that decoded at first try; null where none was drawn. */
    firstTryRate: number | null;
    skipped: number;
    refused: Record<string, number>;
  };
  files: GeneratedFile[];
}

/**
 * Writes each trace as `<label>-000.pcap` ... and generation.json beside them. Files that an earlier call wrote for the
 * same label are replaced, those of other labels stay. Returns the paths in the order of the traces.
 *
 * @throws NetssmError `file_unwritable`, `generation_invalid` where generation.json is not ours.
 */
export function writeTraces(
  dir: string,
  traces: readonly GeneratedTrace[],
  request: Record<string, unknown> = {},
): string[] {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, 'generation.json');
  const labels = new Set(traces.map((t) => t.label));
  const before = existsSync(path) ? readReport(path) : undefined;
  const kept = before?.files.filter((f) => !labels.has(f.label)) ?? [];
  for (const { label, file } of before?.files ?? []) {
    if (labels.has(label)) rmSync(join(dir, file), { force: true });
  }
  const width = Math.max(3, ...traces.map((t) => String(t.index).length));
  const files = traces.map((trace): GeneratedFile => {
    const { label, seed, index, frames, promptPackets, promptSource, report } = trace;
    const file = `${label}-${String(index).padStart(width, '0')}.pcap`;
    writePcap(join(dir, file), frames, { linkType: frames[0]?.linkType ?? LinkType.ETHERNET });
    const prompt = promptSource && promptPackets > 0 ? { prompt: promptSource } : {};
    return { file, label, seed, index, packets: frames.length, promptPackets, ...prompt, report };
  });
  saveReport(path, request, [...kept, ...files]);
  return files.map((f) => join(dir, f.file));
}

function saveReport(path: string, request: Record<string, unknown>, files: GeneratedFile[]): void {
  const refused: Record<string, number> = {};
  for (const { report } of files)
    for (const [code, n] of Object.entries(report.refused)) refused[code] = (refused[code] ?? 0) + n;
  const sum = (of: (f: GeneratedFile) => number) => files.reduce((n, f) => n + of(f), 0);
  const report: GenerationReport = {
    format: 'netssm-generation',
    version: 1,
    request,
    totals: {
      files: files.length,
      packets: sum((f) => f.report.packets),
      promptPackets: sum((f) => f.promptPackets),
      tries: sum((f) => f.report.tries),
      firstTryRate: firstTryRate(...files.map((f) => f.report)) ?? null,
      skipped: sum((f) => f.report.skipped),
      refused,
    },
    files,
  };
  writeFileAtomic(path, `${JSON.stringify(report, null, 1)}\n`);
}

function readReport(path: string): GenerationReport {
  const report = readJson<Partial<GenerationReport>>(path);
  const safe = report.files?.every((f) => typeof f.file === 'string' && !/[\\/]/.test(f.file));
  if (report.format !== 'netssm-generation' || !safe) {
    throw new NetssmError('generation_invalid', `${path} was not written by netssm`, {
      hint: 'Give another output folder.',
      exitCode: 2,
    });
  }
  return report as GenerationReport;
}
