import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCapture, pcapOptionsOf, readCapture, writePcap } from '../../src/capture';
import { NetssmError, projectRoot } from '../../src/util';

const data = join(projectRoot, '..', 'shared', 'data');

/** The lines of a TSV file as objects. */
function readTsv(path: string): Record<string, string>[] {
  const [head, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
  const names = head.split('\t');
  return lines.map((line) =>
    Object.fromEntries(line.split('\t').map((cell, i) => [names[i], cell] as const)),
  );
}

/** Frames read and problems named, or the error's code. */
const MALFORMED: Record<string, string> = {
  'malformed/derived-bad-magic.pcap': 'capture_not_recognised',
  'malformed/derived-caplen-4GB.pcap': '0 pcap_record_too_long',
  'malformed/derived-global-header-cut.pcap': 'capture_header_cut',
  'malformed/derived-header-only-no-packets.pcap': '0',
  'malformed/derived-html-error-page-named.pcap': 'capture_not_recognised',
  'malformed/derived-ipv4-ihl-beyond-packet.pcap': '1',
  'malformed/derived-ipv4-total-length-beyond-packet.pcap': '1',
  'malformed/derived-origlen-less-than-caplen.pcap': '9 pcap_wire_length_short',
  'malformed/derived-packet-data-cut.pcap': '1 pcap_cut',
  'malformed/derived-pcapng-bad-byte-order-magic.pcapng': 'capture_not_recognised',
  'malformed/derived-pcapng-block-length-2GB.pcapng': '0 pcapng_block_too_long',
  'malformed/derived-pcapng-block-length-7.pcapng': '0 pcapng_block_length',
  'malformed/derived-pcapng-cut-mid-block.pcapng': '1 pcapng_cut',
  'malformed/derived-record-header-cut.pcap': '1 pcap_cut',
  'malformed/derived-tcp-data-offset-4-bytes.pcap': '1',
  'malformed/derived-tcp-data-offset-beyond-packet.pcap': '1',
  'malformed/derived-unknown-linktype-9999.pcap': '1',
  'malformed/derived-zero-caplen-record.pcap': '2',
  'malformed/derived-zero-length-file.pcap': 'capture_empty',
  'malformed/markofu-trailing-bytes.pcap': '25 pcap_cut',
  'malformed/ndpi-badpackets.pcap': '93',
  'malformed/ndpi-fuzz-2006-06-26-2594.pcap': '691',
  'malformed/ndpi-fuzz-2021-06-07.pcap': '1 pcap_timestamp_fraction',
  'malformed/ndpi-fuzz-2021-10-13.pcap': '1 pcap_timestamp_fraction pcap_cut',
  'malformed/ndpi-ip_fragmented_garbage.pcap': '1252',
  'malformed/ndpi-malformed_dns.pcap': '6',
  'malformed/ndpi-malformed_icmp.pcap': '1',
  'malformed/suricata-file-cut-mid-packet.pcap': '6 pcap_record_too_long',
  // Wireshark finds one packet more by guessing at 24-byte record headers in the garbage.
  'malformed/suricata-fuzz-truncated-file.pcap': '1 pcap_record_too_long',
  'malformed/tcpdump-extract_read2_asan.pcap': '1',
  'malformed/tcpdump-gre-heapoverflow-1.pcap': '2',
  'malformed/tcpdump-ipv6-next-header-oobr-1.pcap': '1',
  'malformed/tcpdump-ppp-huge-snaplen.pcap': '1',
  'malformed/tcpdump-timestamp_invalid_nano.pcap': '3 pcap_timestamp_fraction',
  'malformed/zeek-ip-bogus-header-len.pcap': '1',
  'malformed/zeek-ip4-trunc.pcap': '1',
  'malformed/zeek-ip6-ext-trunc.pcap': '1',
  'malformed/zeek-ip6-trunc.pcap': '1',
  'malformed/zeek-ipv4-truncated-broken-header.pcap': '1',
  'malformed/zeek-tcp-syn-bad.pcap': '1',
};

describe.skipIf(!existsSync(data))('real captures (skipped where ../shared/data is absent)', () => {
  it('gives the packet count, link type and snaplen of every file of the manifest', async () => {
    const rows = readTsv(join(data, 'MANIFEST.tsv'));
    const differences: string[] = [];
    let packets = 0;
    for (const row of rows) {
      const reader = await openCapture(join(data, row.file));
      let count = 0;
      for await (const batch of reader.batches()) count += batch.length;
      const format = `${reader.info.format}${reader.info.byteOrder === 'big' ? '-be' : ''}`;
      const seen = [count, format, reader.info.linkTypes.join()].join(' ');
      const wanted = [row.packets, row.format, row.linktype].join(' ');
      if (seen !== wanted) differences.push(`${row.file}: ${seen}, not ${wanted}`);
      packets += count;
    }
    expect(differences).toEqual([]);
    expect(rows.length).toBe(228);
    expect(packets).toBe(202677);
  });

  it('reads every valid odd file to its end', async () => {
    const rows = readTsv(join(data, 'robustness', 'EXPECTED.tsv')).filter((r) => r.file.startsWith('valid/'));
    const differences: string[] = [];
    for (const row of rows) {
      const { frames } = await readCapture(join(data, 'robustness', row.file));
      if (frames.length !== Number(row.packets))
        differences.push(`${row.file}: ${frames.length}, not ${row.packets}`);
    }
    expect(differences).toEqual([]);
    expect(rows.length).toBe(70);
  });

  it('writes every fifth pcap file again byte for byte', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netssm-again-'));
    const rows = readTsv(join(data, 'MANIFEST.tsv')).filter(
      (row) => row.format.startsWith('pcap') && row.format !== 'pcapng',
    );
    const differences: string[] = [];
    for (const row of rows.filter((_, i) => i % 5 === 0 || rows[i].format === 'pcap-be')) {
      const { info, frames, problems } = await readCapture(join(data, row.file));
      const again = join(folder, 'again.pcap');
      writePcap(again, frames, pcapOptionsOf(info));
      const same = Buffer.compare(readFileSync(again), readFileSync(join(data, row.file))) === 0;
      if (!same) differences.push(`${row.file} ${problems.map((p) => p.code).join()}`);
    }
    rmSync(folder, { recursive: true });
    expect(differences).toEqual([]);
  });

  it('refuses malformed files by name or reads them up to the damage, with a problem', async () => {
    const rows = readTsv(join(data, 'robustness', 'EXPECTED.tsv'));
    const malformed = rows.filter((r) => r.file.startsWith('malformed/'));
    const seen: Record<string, string> = {};
    for (const row of malformed) {
      const path = join(data, 'robustness', row.file);
      try {
        const { frames, problems } = await readCapture(path);
        seen[row.file] = [frames.length, ...new Set(problems.map((p) => p.code))].join(' ');
      } catch (error) {
        expect(error).toBeInstanceOf(NetssmError);
        const { code, message, hint } = error as NetssmError;
        expect(message).toContain(path);
        expect(hint!.length).toBeGreaterThan(20);
        seen[row.file] = code;
      }
    }
    expect(Object.keys(seen).length).toBe(readdirSync(join(data, 'robustness', 'malformed')).length);
    expect(seen).toEqual(MALFORMED);
  });
});
