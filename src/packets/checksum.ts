/**
 * The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of all 16-bit words, an odd
 * last byte counting as the high half of a word. A range that includes its own right checksum gives 0.
 *
 * @param initial a sum to start from, as {@link sumWords} gives it: that of the pseudo-header.
 */
export function internetChecksum(data: Uint8Array, start = 0, end = data.length, initial = 0): number {
  return ~fold(sumWords(data, start, end, initial)) & 0xffff;
}

/** The plain sum of the 16-bit words of a range of at most 2^20 bytes, not yet folded. */
export function sumWords(data: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial;
  const even = start + ((end - start) & ~1);
  for (let i = start; i < even; i += 2) sum += (data[i] << 8) | data[i + 1];
  if (even < end) sum += data[even] << 8;
  return sum;
}

function fold(sum: number): number {
  let s = sum;
  // Sums stay far below 2^53 and may pass 2^32, where bit operations would cut them.
  while (s > 0xffff) s = (s % 0x10000) + Math.floor(s / 0x10000);
  return s;
}
