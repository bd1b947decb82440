import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../src/capture';
import { decodeFrame, encodePacket, type Layer, type Packet } from '../../src/packets';
import { protocolSamples } from './protocolSamples';
import { TSHARK_BY_TYPE, TSHARK_FIELDS } from './tsharkFields';

const golden = join(__dirname, '..', 'golden', 'tshark');
const linkTypes = readdirSync(golden)
  .map((name) => /^linktype-(\d+)\.pcap$/.exec(name)?.[1])
  .filter((text) => text !== undefined)
  .map(Number)
  .sort((a, b) => a - b);

type Json = { [name: string]: Json | Json[] | string | string[] };

/** All values of a field in tshark's tree, from the outside in. */
function valuesOf(tree: Json, name: string): string[] {
  const out: string[] = [];
  const walk = (value: Json | Json[] | string | string[]): void => {
    if (typeof value === 'string') return;
    if (Array.isArray(value)) return value.forEach(walk);
    for (const [key, inner] of Object.entries(value)) {
      if (key === name) out.push(...([inner].flat() as string[]));
      else walk(inner);
    }
  };
  walk(tree);
  return out;
}

/** A value as tshark and we would both write it: numbers in decimal, bytes as plain digits, text in lower case. */
function plain(value: unknown, like: unknown): string {
  if (like instanceof Uint8Array) {
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value).replace(/:/g, '');
  }
  if (typeof like === 'number') return String(Number(value));
  const text = String(value).toLowerCase();
  return /^([0-9a-f]{2}:)*[0-9a-f]{2}$/.test(text) ? text.replace(/:/g, '') : text;
}

/** Every mapped field of every layer beside tshark's value for it. */
function compare(packet: Packet, tree: Json, compared: Map<string, number>): string[] {
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  for (const { protocol, fields } of packet.layers as readonly Layer<string, Record<string, unknown>>[]) {
    const names = { ...TSHARK_FIELDS[protocol], ...TSHARK_BY_TYPE[protocol]?.[fields.type as number] };
    for (const [field, tshark] of Object.entries(names)) {
      const [name, convert] = typeof tshark === 'string' ? [tshark, undefined] : tshark;
      if (fields[field] === undefined) continue;
      const ours = [convert ? convert(fields[field] as never) : fields[field]].flat();
      const theirs = valuesOf(tree, name);
      const first = seen.get(name) ?? 0;
      seen.set(name, first + ours.length);
      // Flags that mean nothing in a message are not in tshark's tree.
      if (theirs.length === 0) continue;
      ours.forEach((value, i) => {
        compared.set(`${protocol}.${field}`, (compared.get(`${protocol}.${field}`) ?? 0) + 1);
        const there = theirs[first + i];
        const here = plain(value, value);
        if (there === undefined || plain(there, value) !== here)
          wrong.push(`${protocol}.${field}: ${here}, ${name}: ${there}`);
      });
    }
  }
  return wrong;
}

/** Our checksum verdicts against tshark's: 1 is right, 0 wrong. */
function verdicts(packet: Packet, tree: Json): string[] {
  return ['ip', 'tcp', 'udp', 'icmp', 'icmpv6', 'igmp', 'gre', 'sctp'].flatMap((name) => {
    const statuses = valuesOf(tree, `${name}.checksum.status`);
    return statuses.includes('0') ? [`${name} ${packet.layers.map((l) => l.protocol).join()}`] : [];
  });
}

describe('fields against tshark (test/golden/tshark)', () => {
  const compared = new Map<string, number>();

  it.each(linkTypes)('link type %i', async (linkType) => {
    const { frames } = await readCapture(join(golden, `linktype-${linkType}.pcap`));
    const trees = JSON.parse(readFileSync(join(golden, `linktype-${linkType}.json`), 'utf8')) as Json[];
    const samples = protocolSamples.filter((sample) => sample.linkType === linkType);
    expect(frames.length).toBe(samples.length);
    samples.forEach(({ title, layers, payload }, i) => {
      expect([title, Buffer.from(encodePacket(layers, payload)).toString('hex')]).toEqual([
        title,
        Buffer.from(frames[i].data).toString('hex'),
      ]);
      const packet = decodeFrame(frames[i]);
      expect([title, packet.problems]).toEqual([title, []]);
      expect([title, packet.layers.map((l) => l.protocol)]).toEqual([title, layers.map((l) => l.protocol)]);
      expect([title, compare(packet, trees[i], compared)]).toEqual([title, []]);
      expect([title, verdicts(packet, trees[i])]).toEqual([title, []]);
    });
  });

  it('every field of the table was compared at least once, over 900 values in all', () => {
    const fields = [...Object.entries(TSHARK_FIELDS)].flatMap(([protocol, names]) =>
      Object.keys(names).map((field) => `${protocol}.${field}`),
    );
    expect(fields.filter((field) => !compared.has(field))).toEqual([]);
    expect([...compared.values()].reduce((a, b) => a + b)).toBeGreaterThan(900);
  });
});
