import type { Rewriter } from './rewriter';

// RFC 1035, section 4: header, then questions and records, whose names may point back to earlier ones (4.1.4).

const HEADER_BYTES = 12;
const MAX_RECORDS = 512;
const MAX_LABELS = 128;

/** Where names stand in the data of record types that hold some: bytes before the first name, and how many. */
const NAMES_IN: Readonly<Record<number, readonly [before: number, names: number]>> = {
  2: [0, 1], // NS
  5: [0, 1], // CNAME
  6: [0, 2], // SOA, followed by five numbers
  7: [0, 1], // MB
  8: [0, 1], // MG
  9: [0, 1], // MR
  12: [0, 1], // PTR
  14: [0, 2], // MINFO
  15: [2, 1], // MX
  17: [0, 2], // RP
  18: [2, 1], // AFSDB
  21: [2, 1], // RT
  33: [6, 1], // SRV
  36: [2, 1], // KX
  39: [0, 1], // DNAME
};
const A = 1;
const SOA = 6;
const AAAA = 28;
const OPT = 41;

/**
 * Rewrites a DNS, mDNS or LLMNR message in place: names label by label, addresses of A and AAAA records, the content of
 * all other records cleared. Lengths and pointers stay. What cannot be read is cleared from there on.
 */
export function rewriteDns(r: Rewriter, start: number, end: number): void {
  const message = new DnsMessage(r, start, Math.min(end, r.end));
  const readTo = message.rewrite();
  r.clear(readTo, end);
  r.understood(end);
}

class DnsMessage {
  /** Offsets of labels that have been rewritten: names share their ends. */
  private readonly done = new Set<number>();

  constructor(
    private readonly r: Rewriter,
    private readonly start: number,
    private readonly end: number,
  ) {}

  /** One past the last byte that could be read. */
  rewrite(): number {
    const { r, start, end } = this;
    if (end - start < HEADER_BYTES) return start;
    const questions = r.u16(start + 4);
    const records = r.u16(start + 6) + r.u16(start + 8) + r.u16(start + 10);
    let at = start + HEADER_BYTES;
    for (let i = 0; i < Math.min(questions, MAX_RECORDS); i++) {
      const next = this.name(at);
      if (next === undefined) return at;
      if (next + 4 > end) return next;
      at = next + 4;
    }
    for (let i = 0; i < Math.min(records, MAX_RECORDS); i++) {
      const next = this.name(at);
      if (next === undefined) return at;
      if (next + 10 > end) return next;
      const dataEnd = next + 10 + r.u16(next + 8);
      this.data(r.u16(next), next + 10, Math.min(dataEnd, end));
      if (dataEnd > end) return end;
      at = dataEnd;
    }
    return at;
  }

  private data(type: number, at: number, end: number): void {
    const { r } = this;
    if (type === A && end - at === 4) return r.ipv4(at);
    if (type === AAAA && end - at === 16) return r.ipv6(at);
    if (type === OPT) return this.options(at, end);
    const form = NAMES_IN[type];
    if (!form) return r.clear(at, end);
    let next: number | undefined = at + form[0];
    for (let i = 0; i < form[1] && next !== undefined; i++) next = this.name(next, end);
    // SOA's serial and times say nothing of anybody; anything else behind names is not known.
    if (next === undefined || next > end) r.clear(at + form[0], end);
    else if (type !== SOA) r.clear(next, end);
  }

  /** EDNS options (RFC 6891): code and length stay; the data may be the client's subnet or a cookie. */
  private options(at: number, end: number): void {
    let i = at;
    while (i + 4 <= end) {
      const to = i + 4 + this.r.u16(i + 2);
      this.r.clear(i + 4, Math.min(to, end));
      i = to;
    }
    this.r.clear(Math.min(i, end), end);
  }

  /** Rewrites the name at `at`; returns where it ends in its place, or undefined if it cannot be read. */
  private name(at: number, limit = this.end): number | undefined {
    const { r, start } = this;
    const labels: { at: number; length: number }[] = [];
    let next: number | undefined;
    let i = at;
    for (;;) {
      if (i >= (next === undefined ? limit : this.end)) return undefined;
      const length = r.src[i];
      if (length === 0) {
        next ??= i + 1;
        break;
      }
      if (length >= 0xc0) {
        if (i + 2 > this.end) return undefined;
        const target = start + (r.u16(i) & 0x3fff);
        next ??= i + 2;
        // Pointers lead back, or nowhere.
        if (target >= i || target < start + HEADER_BYTES) return undefined;
        i = target;
        continue;
      }
      if (length > 63 || i + 1 + length > this.end || labels.length === MAX_LABELS) return undefined;
      labels.push({ at: i + 1, length });
      i += 1 + length;
    }
    this.rewriteLabels(labels);
    return next;
  }

  private rewriteLabels(labels: readonly { at: number; length: number }[]): void {
    const { r, done } = this;
    const texts = labels.map(({ at, length }) =>
      Buffer.from(r.src.subarray(at, at + length)).toString('latin1'),
    );
    const reverse = reverseImage(texts, r);
    labels.forEach(({ at, length }, i) => {
      if (done.has(at)) return;
      done.add(at);
      const image = reverse?.[i] ?? r.maps.labels.map(r.src.subarray(at, at + length));
      r.out.set(image, at);
    });
  }
}

/**
 * The labels of a name in in-addr.arpa or ip6.arpa that stands for (the beginning of) an address: those of its image.
 * A decimal number needs as many digits as the label has; where the image's does not fit, its last digits are taken, for
 * lengths must stay.
 */
function reverseImage(labels: readonly string[], r: Rewriter): (Uint8Array | undefined)[] | undefined {
  const zone = labels.slice(-2).join('.').toLowerCase();
  const parts = labels.slice(0, -2).reverse();
  if (zone === 'in-addr.arpa') {
    const octets = leading(parts, /^\d{1,3}$/, 4).map(Number);
    if (octets.length === 0 || octets.some((octet) => octet > 255)) return undefined;
    const image = r.maps.ipv4.image(Uint8Array.from({ length: 4 }, (_, i) => octets[i] ?? 0));
    return placed(labels.length, octets.length, (i) =>
      String(image[i]).padStart(parts[i].length, '0').slice(-parts[i].length),
    );
  }
  if (zone === 'ip6.arpa') {
    const nibbles = leading(parts, /^[0-9a-f]$/i, 32).map((part) => parseInt(part, 16));
    if (nibbles.length === 0) return undefined;
    const address = Uint8Array.from(
      { length: 16 },
      (_, i) => ((nibbles[2 * i] ?? 0) << 4) | (nibbles[2 * i + 1] ?? 0),
    );
    const image = r.maps.ipv6.image(address);
    return placed(labels.length, nibbles.length, (i) =>
      ((image[i >> 1] >> (i % 2 === 0 ? 4 : 0)) & 15).toString(16),
    );
  }
  return undefined;
}

function leading(parts: readonly string[], form: RegExp, limit: number): string[] {
  const end = parts.findIndex((part) => !form.test(part));
  return parts.slice(0, Math.min(limit, end < 0 ? parts.length : end));
}

/** `count` texts as labels, the first next to the zone's two; undefined where the name has others. */
function placed(labels: number, count: number, text: (i: number) => string): (Uint8Array | undefined)[] {
  const out = new Array<Uint8Array | undefined>(labels);
  for (let i = 0; i < count; i++) out[labels - 3 - i] = Buffer.from(text(i), 'latin1');
  return out;
}
