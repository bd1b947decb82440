import { NetssmError } from '../util';

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
const DECIMAL = Array.from({ length: 256 }, (_, i) => String(i));

/** Six bytes as `00:1b:44:11:3a:b7`. */
export function formatMac(data: Uint8Array, at: number): string {
  return `${HEX[data[at]]}:${HEX[data[at + 1]]}:${HEX[data[at + 2]]}:${HEX[data[at + 3]]}:${HEX[data[at + 4]]}:${HEX[data[at + 5]]}`;
}

/** Four bytes as `192.0.2.1`. */
export function formatIpv4(data: Uint8Array, at: number): string {
  return `${DECIMAL[data[at]]}.${DECIMAL[data[at + 1]]}.${DECIMAL[data[at + 2]]}.${DECIMAL[data[at + 3]]}`;
}

/** Sixteen bytes as RFC 5952 writes them: lower case, the longest run of zeros (of two at least) as `::`. */
export function formatIpv6(data: Uint8Array, at: number): string {
  let bestStart = -1;
  let bestLength = 1;
  let run = 0;
  const words = new Array<number>(8);
  for (let i = 0; i < 8; i++) {
    words[i] = (data[at + 2 * i] << 8) | data[at + 2 * i + 1];
    run = words[i] === 0 ? run + 1 : 0;
    if (run > bestLength) {
      bestLength = run;
      bestStart = i - run + 1;
    }
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === bestStart) {
      text += '::';
      i += bestLength - 1;
    } else {
      if (text !== '' && !text.endsWith(':')) text += ':';
      text += words[i].toString(16);
    }
  }
  return text;
}

/** @throws NetssmError `address_invalid`. */
export function parseMac(text: string): Uint8Array {
  const parts = text.split(/[:-]/);
  const bytes = parts.map((part) => (/^[0-9a-f]{1,2}$/i.test(part) ? parseInt(part, 16) : NaN));
  if (bytes.length !== 6 || bytes.some(Number.isNaN)) throw invalid('MAC', text, '00:1b:44:11:3a:b7');
  return Uint8Array.from(bytes);
}

/** @throws NetssmError `address_invalid`. */
export function parseIpv4(text: string): Uint8Array {
  const bytes = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : NaN));
  if (bytes.length !== 4 || bytes.some((byte) => !(byte <= 255))) throw invalid('IPv4', text, '192.0.2.1');
  return Uint8Array.from(bytes);
}

/** Any form of RFC 4291, a dotted end included. @throws NetssmError `address_invalid`. */
export function parseIpv6(text: string): Uint8Array {
  let words = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const [a, b, c, d] = parseIpv4(dotted[2]);
    words = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = words.split('::');
  const left = halves[0] === '' ? [] : halves[0].split(':');
  const right = halves.length < 2 || halves[1] === '' ? [] : halves[1].split(':');
  const missing = 8 - left.length - right.length;
  const fits = halves.length === 2 ? missing >= 1 : halves.length === 1 && missing === 0;
  const all = [...left, ...new Array<string>(Math.max(0, missing)).fill('0'), ...right];
  if (!fits || !all.every((word) => /^[0-9a-f]{1,4}$/i.test(word)))
    throw invalid('IPv6', text, '2001:db8::1');
  const bytes = new Uint8Array(16);
  all.forEach((word, i) => {
    const value = parseInt(word, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}

function invalid(kind: string, text: string, example: string): NetssmError {
  return new NetssmError('address_invalid', `"${text}" is not an ${kind} address`, {
    exitCode: 2,
    hint: `Write it as ${example}.`,
  });
}
