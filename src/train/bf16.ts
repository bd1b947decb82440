import type { Weights } from '../model';
import { writeFileAtomic } from '../util';

/** The upper half of a float32, rounded to nearest, ties to even. */
export function toBf16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return Uint16Array.from(bits, (x) => (x + 0x7fff + ((x >>> 16) & 1)) >>> 16);
}

/** Writes a safetensors file with every tensor as BF16 (half the size of F32), names sorted. */
export function saveBf16(path: string, weights: Weights, metadata: Record<string, string> = {}): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Buffer[] = [];
  let end = 0;
  for (const name of Object.keys(weights).sort()) {
    const { shape, data } = weights[name];
    const bytes = Buffer.alloc(2 * data.length);
    toBf16(data).forEach((x, i) => bytes.writeUInt16LE(x, 2 * i));
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8), 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileAtomic(path, Buffer.concat([length, json, ...parts]));
}
