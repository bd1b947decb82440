import { readFileSync } from 'node:fs';
import { NetssmError, writeFileAtomic } from '../util';
import type { Weights } from './params';

/*
 * The safetensors file: 8 bytes little-endian length n of the header, n bytes of JSON
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ..., "__metadata__": {string: string}}, then the data.
 * Offsets count from the end of the header; the tensors must cover the data exactly, without overlap or gap.
 */

/** A header may not be larger: the format's own limit. */
const MAX_HEADER = 100_000_000;
const DTYPE_BYTES: Record<string, number> = { F32: 4, F16: 2, BF16: 2 };

/** What a safetensors file holds. */
export interface SafetensorsFile {
  weights: Weights;
  metadata: Record<string, string>;
}

/** Writes weights as F32, atomically, names sorted, data aligned to 8 bytes. */
export function saveSafetensors(path: string, weights: Weights, metadata: Record<string, string> = {}): void {
  writeFileAtomic(path, encodeSafetensors(weights, metadata));
}

/** @throws NetssmError `safetensors_invalid` or `file_unreadable`, naming the file and what is wrong. */
export function loadSafetensors(path: string): SafetensorsFile {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new NetssmError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return decodeSafetensors(bytes, path);
}

/** The bytes of a safetensors file. */
export function encodeSafetensors(weights: Weights, metadata: Record<string, string> = {}): Uint8Array {
  const names = Object.keys(weights).sort();
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let end = 0;
  for (const name of names) {
    const { shape, data } = weights[name];
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + 4 * data.length] };
    end += 4 * data.length;
  }
  let json = Buffer.from(JSON.stringify(header), 'utf8');
  json = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const file = Buffer.alloc(8 + json.length + end);
  file.writeBigUInt64LE(BigInt(json.length), 0);
  json.copy(file, 8);
  let at = 8 + json.length;
  for (const name of names) {
    for (const value of weights[name].data) at = file.writeFloatLE(value, at);
  }
  return file;
}

/** Reads F32, F16 and BF16 tensors, all as float32. `where` names the source in errors. */
export function decodeSafetensors(bytes: Uint8Array, where = 'safetensors'): SafetensorsFile {
  const fail = (message: string): never => {
    throw new NetssmError('safetensors_invalid', `${where}: ${message}`, {
      hint: 'The file is damaged or not in the safetensors format.',
    });
  };
  if (bytes.length < 8) fail(`${bytes.length} bytes are too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLen = Number(view.getBigUint64(0, true));
  if (headerLen > MAX_HEADER || 8 + headerLen > bytes.length) {
    fail(`header of ${headerLen} bytes in a file of ${bytes.length}`);
  }
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + headerLen));
    if (!text.startsWith('{')) fail('the header does not begin with {');
    header = JSON.parse(text);
  } catch (error) {
    if (error instanceof NetssmError) throw error;
    fail(`the header is not JSON (${(error as Error).message})`);
  }
  const { __metadata__: metadata = {}, ...entries } = header as Record<string, unknown>;
  const dataLen = bytes.length - 8 - headerLen;
  const weights: Weights = {};
  const spans: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets } = (entry ?? {}) as Record<string, unknown>;
    const size = DTYPE_BYTES[String(dtype)];
    if (!size) fail(`tensor ${name} has dtype ${JSON.stringify(dtype)}; F32, F16 and BF16 are read`);
    const whole = (values: unknown): values is number[] =>
      Array.isArray(values) && values.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!whole(shape)) return fail(`tensor ${name} has shape ${JSON.stringify(shape)}`);
    if (!whole(data_offsets) || data_offsets.length !== 2) {
      return fail(`tensor ${name} has offsets ${JSON.stringify(data_offsets)}`);
    }
    const [begin, end] = data_offsets;
    const count = shape.reduce((a, b) => a * b, 1);
    if (end < begin || end > dataLen) fail(`tensor ${name} lies at ${begin}..${end} of ${dataLen} bytes`);
    if (end - begin !== count * size) {
      fail(
        `tensor ${name} of shape [${shape}] and dtype ${dtype as string} has ${end - begin} bytes, not ${count * size}`,
      );
    }
    spans.push({ name, begin, end });
    weights[name] = { shape, data: readValues(view, 8 + headerLen + begin, count, dtype as string) };
  }
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of spans) {
    if (begin !== covered) fail(`tensor ${name} begins at ${begin} where ${covered} is expected`);
    covered = end;
  }
  if (covered !== dataLen) fail(`${dataLen - covered} bytes after the last tensor`);
  return { weights, metadata: metadata as Record<string, string> };
}

function readValues(view: DataView, offset: number, count: number, dtype: string): Float32Array {
  const out = new Float32Array(count);
  if (dtype === 'F32') {
    for (let i = 0; i < count; i++) out[i] = view.getFloat32(offset + 4 * i, true);
  } else if (dtype === 'BF16') {
    const bits = new Uint32Array(out.buffer); // bfloat16 is the upper half of a float32
    for (let i = 0; i < count; i++) bits[i] = view.getUint16(offset + 2 * i, true) << 16;
  } else {
    for (let i = 0; i < count; i++) out[i] = halfToNumber(view.getUint16(offset + 2 * i, true));
  }
  return out;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
