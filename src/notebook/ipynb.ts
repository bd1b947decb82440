/** The notebook file format (nbformat 4.5), as much of it as running and stripping need. */
import { NetssmError, readJson, writeFileAtomic } from '../util';
import { KERNEL_DISPLAY_NAME, KERNEL_NAME } from './kernelSpec';

/** One output of a code cell. */
export type Output =
  | { output_type: 'stream'; name: 'stdout' | 'stderr'; text: string | string[] }
  | { output_type: 'display_data'; data: Record<string, unknown>; metadata: Record<string, unknown> }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] };

export interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  id?: string;
  metadata: Record<string, unknown>;
  source: string | string[];
  execution_count?: number | null;
  outputs?: Output[];
}

export interface Notebook {
  cells: Cell[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}

/** A cell's text; the format allows a string or a list of lines. */
export function cellSource(cell: Cell): string {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}

/** @throws NetssmError `notebook_invalid` when the file is JSON but no notebook of format 4. */
export function readNotebook(path: string): Notebook {
  const notebook = readJson<Notebook>(path);
  if (!Array.isArray(notebook.cells) || notebook.nbformat !== 4) {
    throw new NetssmError('notebook_invalid', `${path} is not a notebook of format 4`, {
      hint: 'Open it once in Jupyter and save it: that converts older formats.',
    });
  }
  return notebook;
}

/** One space of indentation and a final newline, as Jupyter itself writes, so that diffs stay small. */
export function writeNotebook(path: string, notebook: Notebook): void {
  writeFileAtomic(path, `${JSON.stringify(notebook, null, 1)}\n`);
}

/** A copy as it is committed: no outputs (but of cells tagged `keep-output`), no counts, our kernel's metadata only. */
export function stripNotebook(notebook: Notebook): Notebook {
  const cells = notebook.cells.map((cell, index): Cell => {
    const tags = (cell.metadata.tags as string[] | undefined) ?? [];
    const base: Cell = {
      cell_type: cell.cell_type,
      id: cell.id ?? `cell-${index}`,
      metadata: tags.length > 0 ? { tags } : {},
      source: cellSource(cell).split(/(?<=\n)/),
    };
    if (cell.cell_type !== 'code') return base;
    const outputs = tags.includes('keep-output') ? (cell.outputs ?? []) : [];
    return {
      cell_type: base.cell_type,
      execution_count: null,
      id: base.id,
      metadata: base.metadata,
      outputs,
      source: base.source,
    };
  });
  const metadata = {
    kernelspec: { display_name: KERNEL_DISPLAY_NAME, language: 'typescript', name: KERNEL_NAME },
    language_info: { file_extension: '.ts', mimetype: 'text/typescript', name: 'typescript' },
  };
  return { cells, metadata, nbformat: 4, nbformat_minor: 5 };
}
