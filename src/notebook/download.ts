/** Files that a notebook's reader can save: the bytes are in the notebook itself, so that saved copies have them, too. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinkType, writePcap, type Frame } from '../capture';
import { formatBytes } from '../util';
import { escapeHtml, showBundle } from './display';

/** Larger files would make the notebook unwieldy; they get no link. */
export const LARGEST_DOWNLOAD = 8_000_000;
/** The same for the small links below figures. */
const LARGEST_LINK = 200_000;

/** What {@link download} makes a file of: packets (pcap), records (csv), text, or bytes. */
export type Downloadable = readonly Frame[] | readonly Record<string, unknown>[] | string | Uint8Array;

const TYPES: Readonly<Record<string, string>> = {
  pcap: 'application/vnd.tcpdump.pcap',
  csv: 'text/csv',
  svg: 'image/svg+xml',
  json: 'application/json',
  html: 'text/html',
  txt: 'text/plain',
};

/**
 * Shows a link that saves a file, in any front end and in saved copies of the notebook: `download('web.pcap', frames)`,
 * `download('rows.csv', rows)`. Files above 8 MB are not embedded; the cell says so and how to write them.
 */
export function download(name: string, content: Downloadable): void {
  const bytes = toBytes(name, content);
  const size = formatBytes(bytes.length);
  if (bytes.length > LARGEST_DOWNLOAD) {
    const text = `${name}: ${size} are too much to keep inside a notebook. Write the file with writeCapture or fs.writeFileSync.`;
    showBundle({ 'text/html': `<p>${escapeHtml(text)}</p>`, 'text/plain': text });
    return;
  }
  const type = TYPES[name.slice(name.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream';
  showBundle({
    'text/html': `<p>⬇ ${anchor(name, bytes, type)} <small>${size}</small></p>`,
    'text/plain': `${name} (${size}): open the notebook in a browser to save it`,
  });
}

/** A link to save text under a name; undefined where it is too much for a line below a figure. */
export function dataLink(name: string, text: string, type: string): string | undefined {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length > LARGEST_LINK
    ? undefined
    : anchor(name, bytes, type, name.slice(name.lastIndexOf('.') + 1));
}

function anchor(name: string, bytes: Uint8Array, type: string, shown = name): string {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  return `<a download="${escapeHtml(name)}" href="data:${type};base64,${data}">${escapeHtml(shown)}</a>`;
}

function toBytes(name: string, content: Downloadable): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content, 'utf8');
  if (content instanceof Uint8Array) return content;
  const first: object | undefined = content[0];
  if (name.toLowerCase().endsWith('.csv') || (first !== undefined && !isFrame(first)))
    return Buffer.from(toCsv(content as readonly Record<string, unknown>[]), 'utf8');
  return pcapBytes(content as readonly Frame[]);
}

/** A pcap file in memory: the writer knows files only. */
function pcapBytes(frames: readonly Frame[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'netssm-download-'));
  try {
    const path = join(folder, 'capture.pcap');
    writePcap(path, frames, { linkType: frames[0]?.linkType ?? LinkType.ETHERNET });
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isFrame(value: object): boolean {
  return 'data' in value && 'tsMicros' in value && 'wireLen' in value;
}

/** Records as CSV (RFC 4180) with a header line; columns are those of all records, in order of appearance. */
export function toCsv(rows: readonly Record<string, unknown>[], columns?: readonly string[]): string {
  const names = columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown): string => {
    const text =
      value === null || value === undefined
        ? ''
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = rows.map((row) => names.map((name) => cell(row[name])).join(','));
  return `${[names.map(cell).join(','), ...lines].join('\n')}\n`;
}
