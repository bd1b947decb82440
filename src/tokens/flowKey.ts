import type { HeaderRanges } from '../packets/locate';

/**
 * The bidirectional five-tuple of located headers as a string: the same for both directions. Undefined where the
 * ports were not captured.
 */
export function flowKey(bytes: Uint8Array, at: HeaderRanges): string | undefined {
  if (at.captured < at.ipEnd + 4) return undefined;
  const [source, length] = at.ipVersion === 4 ? [at.linkEnd + 12, 4] : [at.linkEnd + 8, 16];
  const a = endpoint(bytes, source, length, at.ipEnd);
  const b = endpoint(bytes, source + length, length, at.ipEnd + 2);
  return `${at.transport} ${a < b ? `${a} ${b}` : `${b} ${a}`}`;
}

function endpoint(bytes: Uint8Array, address: number, length: number, port: number): string {
  let text = '';
  for (let i = address; i < address + length; i++) text += String.fromCharCode(bytes[i]);
  return text + String.fromCharCode((bytes[port] << 8) | bytes[port + 1]);
}
