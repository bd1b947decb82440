import { NetssmError } from '../util';

/** What some files that are not captures begin with, and what to do about them. */
const LOOK_ALIKES: readonly (readonly [what: string, start: string | readonly number[], hint: string])[] = [
  ['a gzip file inside another', [0x1f, 0x8b], 'Unpack it once: gunzip FILE.'],
  ['a Zstandard file inside another', [0x28, 0xb5, 0x2f, 0xfd], 'Unpack it once: zstd -d FILE.'],
  ['an xz file', [0xfd, 0x37, 0x7a, 0x58, 0x5a], 'Unpack it first: xz -d FILE.'],
  ['a bzip2 file', 'BZh', 'Unpack it first: bunzip2 FILE.'],
  ['an LZ4 file', [0x04, 0x22, 0x4d, 0x18], 'Unpack it first: lz4 -d FILE.'],
  ['a zip archive', 'PK\x03\x04', 'Unpack it first and give the captures in it.'],
  ['a 7-Zip archive', '7z\xbc\xaf', 'Unpack it first and give the captures in it.'],
  ['a RAR archive', 'Rar!', 'Unpack it first and give the captures in it.'],
  ['a Snoop capture', 'snoop\0', 'Convert it: editcap -F pcap IN OUT.pcap.'],
  ['a Bluetooth (btsnoop) capture', 'btsnoop\0', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['a NetMon capture', 'GMBU', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['a NetMon capture', 'RTSS', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['a Sniffer capture', 'TRSNIFF', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['a Sniffer capture', 'XCP\0', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['an OmniPeek capture', '\x7fver', 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
  ['an IXIA capture', [0xac, 0x01, 0x00, 0x1c], 'Convert it: editcap -F pcap IN OUT.pcap.'],
  ['an IXIA capture', [0xab, 0x01, 0x00, 0x1c], 'Convert it: editcap -F pcap IN OUT.pcap.'],
  [
    'an old capture of libpcap (Navtel)',
    [0xcd, 0x34, 0xb2, 0xa1],
    'Convert it: editcap -F pcap IN OUT.pcap.',
  ],
  ['JSON', '{', 'Captures are binary files; tshark -T json writes what can only be looked at.'],
  ['JSON', '[', 'Captures are binary files; tshark -T json writes what can only be looked at.'],
  ['a PDF', '%PDF', 'Give the capture itself.'],
];

/** The error for a file that is no capture, saying what it is instead where its first bytes tell. */
export function notACapture(name: string, start: Uint8Array): NetssmError {
  const context = { file: name, firstBytes: hex(start.subarray(0, 16)) };
  if (start.length === 0) {
    return new NetssmError('capture_empty', `${name} is empty (0 bytes)`, {
      context,
      hint: 'Was the capture stopped before it began, or the download interrupted? Get the file again.',
    });
  }
  for (const [what, bytes, hint] of LOOK_ALIKES) {
    const wanted = typeof bytes === 'string' ? [...Buffer.from(bytes, 'latin1')] : bytes;
    if (wanted.every((byte, i) => start[i] === byte)) {
      return new NetssmError('capture_not_recognised', `${name} is ${what}, not a pcap or pcapng file`, {
        context,
        hint,
      });
    }
  }
  const text = Buffer.from(start.subarray(0, 200)).toString('latin1').trimStart();
  if (/^(<!doctype|<html|<\?xml|<head|<body)/i.test(text)) {
    return new NetssmError('capture_not_recognised', `${name} is a web page, not a pcap or pcapng file`, {
      context,
      hint: 'A download that needs a login or moved away gives a page instead of the file. Open it in a browser to see.',
    });
  }
  if (text.startsWith('version https://git-lfs')) {
    return new NetssmError('capture_not_recognised', `${name} is a Git LFS pointer, not the capture itself`, {
      context,
      hint: 'Run git lfs pull in the repository it comes from.',
    });
  }
  if (start.length >= 262 && Buffer.from(start.subarray(257, 262)).toString('latin1') === 'ustar') {
    return new NetssmError('capture_not_recognised', `${name} is a tar archive, not a pcap or pcapng file`, {
      context,
      hint: 'Unpack it first and give the captures in it: tar xf FILE.',
    });
  }
  if (/^0{4,8}\s+([0-9a-f]{2}\s){4}/i.test(text)) {
    return new NetssmError('capture_not_recognised', `${name} is a hex dump, not a pcap or pcapng file`, {
      context,
      hint: 'Convert it: text2pcap IN OUT.pcap.',
    });
  }
  return new NetssmError(
    'capture_not_recognised',
    `${name} is not a pcap or pcapng file: it begins with ${context.firstBytes}`,
    { context, hint: 'Captures of other kinds can often be converted: editcap -F pcapng IN OUT.pcapng.' },
  );
}

/** The error for a capture that ends inside its own header. */
export function headerCut(name: string, bytes: number, needed: number): NetssmError {
  return new NetssmError(
    'capture_header_cut',
    `${name} ends inside its file header: ${bytes} bytes of at least ${needed}`,
    { context: { file: name, bytes }, hint: 'Get the file again: nothing of it can be read.' },
  );
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
