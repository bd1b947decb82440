import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

const folder = temporaryFolder();
const capture = join(folder, 'x.pcap');
writePcap(capture, tcpSession());

describe('netssm explain', () => {
  test('help has options and examples', async () => {
    const { code, stdout } = await netssm('explain', '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: netssm explain \[options\] <capture>/);
    for (const option of ['--model', '--packet', '--label', '--context', '--html', '--json'])
      expect(stdout).toContain(option);
    expect(stdout).toMatch(/\nExamples:\n {2}\$ netssm explain /);
    expect((await netssm('--help')).stdout).toMatch(/^ {2}explain\b/m);
  });

  test('a packet: a table, JSON with the same numbers, and a page', async () => {
    const page = join(folder, 'packet.html');
    const argv = ['explain', capture, '--packet', '2', '--label', 'web'];
    const shown = await netssm(...argv, '--html', page);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^Explanation of packet 2, web, by demo: \d+ tokens, /);
    expect(shown.stdout).toContain('Flags [S.]');
    expect(shown.stdout).toMatch(/\n *\d+ +flags +tcp\.flags +18 /);
    expect(existsSync(page)).toBe(true);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>.*<svg.*<\/html>\n$/s);
    const { code, stdout } = await netssm(...argv, '--json', '--top', '2');
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as Record<string, unknown> & {
      tokens: { expected: unknown[] }[];
      bits: number;
    };
    expect(result).toMatchObject({
      format: 'netssm-explanation',
      packet: 1,
      packetNumber: 2,
      capture,
      label: 'web',
    });
    expect(result.tokens.every(({ expected }) => expected.length === 2)).toBe(true);
    expect(shown.stdout).toContain(`${result.bits.toFixed(1)} bits`);
  });

  test('a capture as a whole: field by field', async () => {
    const { code, stdout } = await netssm('explain', capture, '--label', 'web');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Explanation of 9 packets, web, by demo: /);
    expect(stdout).toMatch(/\nfield +Wireshark +tokens +bits +expected +law +free +broken\n/);
  });

  test.each([
    [['--packet', '10'], /x\.pcap has no packet 10, it holds 9/],
    [['--packet', '0'], /whole number of at least 1/],
    [['--context', '3'], /--context needs --packet/],
    [['--packet', '1', '--label', 'none'], /unknown label "none"/],
    [['--packet', '1', '--model', '/nonexistent'], /there is no model in \/nonexistent/],
  ])('%j: exit 2 and a message', async (argv, message) => {
    const { code, stdout, stderr } = await netssm('explain', capture, ...argv);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, '']);
  });
});
