/** Bytes of capture files, put together by hand for the tests. */
export function bytesOf(...parts: (number[] | Uint8Array)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

export function u16(value: number, little = true): number[] {
  const bytes = [value & 0xff, (value >>> 8) & 0xff];
  return little ? bytes : bytes.reverse();
}

export function u32(value: number, little = true): number[] {
  const bytes = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return little ? bytes : bytes.reverse();
}

/** A pcap file header. */
export function pcapHeader(magic: number, little = true, linkType = 1, snapLen = 65535): number[] {
  return [
    ...u32(magic, little),
    ...u16(2, little),
    ...u16(4, little),
    ...u32(0),
    ...u32(0),
    ...u32(snapLen, little),
    ...u32(linkType, little),
  ];
}

/** A pcap record. */
export function pcapRecord(
  seconds: number,
  fraction: number,
  data: number[],
  wireLen = data.length,
  little = true,
): number[] {
  return [...[seconds, fraction, data.length, wireLen].flatMap((word) => u32(word, little)), ...data];
}

/** A pcapng block around a body, padded. */
export function block(type: number, body: number[], little = true): number[] {
  const padded = [...body];
  while (padded.length % 4 !== 0) padded.push(0);
  const length = u32(padded.length + 12, little);
  return [...u32(type, little), ...length, ...padded, ...length];
}

export function sectionHeader(little = true): number[] {
  return block(
    0x0a0d0d0a,
    [...u32(0x1a2b3c4d, little), ...u16(1, little), ...u16(0, little), ...new Array<number>(8).fill(0xff)],
    little,
  );
}

/** An option: code, length, value, padding. */
export function option(code: number, value: number[], little = true): number[] {
  const padded = [...value];
  while (padded.length % 4 !== 0) padded.push(0);
  return [...u16(code, little), ...u16(value.length, little), ...padded];
}

export function interfaceDescription(
  linkType: number,
  snapLen: number,
  options: number[] = [],
  little = true,
): number[] {
  return block(1, [...u16(linkType, little), ...u16(0), ...u32(snapLen, little), ...options], little);
}

export function enhancedPacket(
  interfaceId: number,
  time: bigint,
  data: number[],
  wireLen = data.length,
  little = true,
): number[] {
  const words = [
    interfaceId,
    Number(BigInt.asUintN(32, time >> 32n)),
    Number(BigInt.asUintN(32, time)),
    data.length,
    wireLen,
  ];
  return block(6, [...words.flatMap((word) => u32(word, little)), ...data], little);
}
