import { NetssmError } from '../util';

/** What some files that are not captures begin with, and what to do about them. */
const LOOK_ALIKES: readonly (readonly [what: string, starts: readonly number[], hint: string])[] = [
  ['a Zstandard file', [0x28, 0xb5, 0x2f, 0xfd], 'Unpack it first: zstd -d FILE.'],
  ['an xz file', [0xfd, 0x37, 0x7a, 0x58, 0x5a], 'Unpack it first: xz -d FILE.'],
  ['a bzip2 file', [0x42, 0x5a, 0x68], 'Unpack it first: bunzip2 FILE.'],
  ['an LZ4 file', [0x04, 0x22, 0x4d, 0x18], 'Unpack it first: lz4 -d FILE.'],
  ['a zip archive', [0x50, 0x4b, 0x03, 0x04], 'Unpack it first and give the captures in it.'],
  ['a Snoop capture', [0x73, 0x6e, 0x6f, 0x6f, 0x70], 'Convert it: editcap -F pcap IN OUT.pcap.'],
  ['a NetMon capture', [0x47, 0x4d, 0x42, 0x55], 'Convert it: editcap -F pcapng IN OUT.pcapng.'],
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
    if (bytes.every((byte, i) => start[i] === byte)) {
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
