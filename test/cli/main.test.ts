import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

const root = join(__dirname, '..', '..');
const built = existsSync(join(root, 'dist', 'cli', 'main.js'));
const COMMANDS = [
  'demo',
  'inspect',
  'export',
  'data import',
  'data unpack',
  'data fetch',
  'data list',
  'tokenize',
  'train',
  'generate',
  'evaluate',
  'nprint',
  'kernel install',
  'notebook',
  'run-notebook',
  'doctor',
];

describe('help', () => {
  test('lists every command', async () => {
    const { code, stdout } = await netssm('--help');
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name.split(' ')[0]}\\b`, 'm'));
  });

  test.each(COMMANDS)('%s: options and examples', async (command) => {
    const { code, stdout } = await netssm(...command.split(' '), '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: netssm ${command} `));
    expect(stdout).toContain('--json');
    expect(stdout).toMatch(/\nExamples:\n {2}\$ netssm /);
    expect(stdout).toMatchSnapshot();
  });

  test('--version is that of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect((await netssm('--version')).stdout).toBe(`${version}\n`);
  });
});

describe('unusable arguments end with 2, a message on stderr and nothing on stdout', () => {
  const cases: [string, string[], RegExp][] = [
    ['unknown command', ['bogus'], /unknown command 'bogus'/],
    ['unknown option', ['inspect', '--nope', 'x'], /unknown option '--nope'/],
    ['missing argument', ['inspect'], /missing required argument 'captures'/],
    ['missing option', ['train', '--data', 'x'], /'--out <dir>' not specified/],
    ['not a number', ['train', '--data', 'x', '--out', 'y', '--steps', 'ten'], /whole number of at least 1/],
    ['not a choice', ['tokenize', 'x', '--out', 'y', '--layout', 'zip'], /Allowed choices are compact/],
    ['share above 1', ['tokenize', 'x', '--out', 'y', '--test-share', '1.5'], /number from 0 to 1/],
    [
      'conflicting options',
      ['tokenize', 'x', '--out', 'y', '--label', 'a', '--labels', 'b'],
      /cannot be used with/,
    ],
    ['missing input', ['inspect', '/nonexistent/x.pcap'], /cannot read \/nonexistent\/x\.pcap/],
    ['missing dataset', ['train', '--data', '/nonexistent', '--out', '/tmp/never'], /\/nonexistent/],
    ['missing notebook', ['run-notebook', '/nonexistent.ipynb'], /nonexistent\.ipynb does not exist/],
    ['bad setting', ['run-notebook', 'x.ipynb', '--set', 'steps'], /expected name=value/],
    ['no command', [], /Usage: netssm/],
  ];
  test.each(cases)('%s', async (_name, argv, message) => {
    const { code, stdout, stderr } = await netssm(...argv);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  test('errors have a hint, and no stack', async () => {
    const { stderr } = await netssm('inspect', '/nonexistent/x.pcap');
    expect(stderr).toMatch(/\nHint: /);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('with --json the error is JSON on stdout', async () => {
    const { stdout, code } = await netssm('run-notebook', '/nonexistent.ipynb', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'notebook_missing' } });
  });
});

describe('inspect', () => {
  let folder: string;
  let capture: string;
  const frames = [...tcpSession(), ...tcpSession({ port: 40001, startMicros: 1_700_000_001_000_000 })];

  beforeAll(() => {
    folder = temporaryFolder();
    capture = join(folder, 'two-sessions.pcap');
    writePcap(capture, frames);
  });

  test('--json: counts of a capture', async () => {
    const { code, stdout } = await netssm('inspect', capture, '--json');
    expect(code).toBe(0);
    const { files } = JSON.parse(stdout) as { files: Record<string, unknown>[] };
    expect(files).toHaveLength(1);
    expect(files[0]).toMatchObject({
      file: capture,
      packets: 18,
      // 2 sessions of 9 packets: 54 bytes of headers each, 3 x 10 bytes of payload a session
      bytes: 18 * 54 + 60,
      linkTypes: [1],
      flows: 2,
      problems: {},
      tcp: { flows: 2, handshakes: 2, closed: 2 },
    });
  });

  test('a table for people', async () => {
    const { stdout, code } = await netssm('inspect', capture);
    expect(code).toBe(0);
    expect(stdout).toContain('18 packets, 1.03 kB on the wire');
    expect(stdout).toContain('2 flows, 2 with a handshake, 2 closed');
  });

  test('a damaged file beside a good one: a named problem and exit 0', async () => {
    const bad = join(folder, 'bad.pcap');
    writeFileSync(bad, 'this is not a capture');
    const { stdout, stderr, code } = await netssm('inspect', '--json', bad, capture);
    expect(code).toBe(0);
    const { files } = JSON.parse(stdout) as { files: { packets: number; error?: { code: string } }[] };
    expect(files.map((file) => file.packets)).toEqual([0, 18]);
    expect(files[0].error?.code).toBe('capture_not_recognised');
    expect(stderr).toContain('bad.pcap');
  });

  test('no packet at all: exit 1', async () => {
    const empty = join(folder, 'empty.pcap');
    writePcap(empty, []);
    const { stdout, code } = await netssm('inspect', '--json', empty);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ files: [{ packets: 0, flows: 0, linkTypes: [1] }] });
  });

  test.skipIf(!built)('does not load tfjs (needs dist/)', () => {
    const script = `require(${JSON.stringify(join(root, 'dist', 'cli', 'main.js'))}).main(['inspect', '--json', ${JSON.stringify(capture)}])
      .then((code) => console.log(code, Object.keys(require.cache).filter((f) => f.includes('@tensorflow') || f.includes('tslab')).length))`;
    const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(output.trim().split('\n').pop()).toBe('0 0');
  });
});

describe('tokenize', () => {
  test('--json: the dataset that was written', async () => {
    const folder = temporaryFolder();
    const captures = join(folder, 'captures');
    for (const label of ['mail', 'web']) {
      mkdirSync(join(captures, label), { recursive: true });
      for (let i = 0; i < 4; i++) {
        writePcap(join(captures, label, `${i}.pcap`), tcpSession({ port: 40000 + i, data: i + 1 }));
      }
    }
    const out = join(folder, 'tokens');
    const { code, stdout } = await netssm('tokenize', captures, '--out', out, '--json');
    expect(code).toBe(0);
    // 4 captures a label of 6 + (1..4) packets
    expect(JSON.parse(stdout)).toMatchObject({
      out,
      layout: 'compact-rel',
      labels: ['mail', 'web'],
      totals: { sources: 8, sequences: 8, packets: 2 * (4 * 6 + 10) },
      refusals: {},
    });
    for (const file of ['tokens.bin', 'meta.json', 'tokenizer.json'])
      expect(existsSync(join(out, file))).toBe(true);
  });
});

describe('kernel install', () => {
  test('writes a kernelspec with absolute paths', async () => {
    const prefix = temporaryFolder();
    const { code, stdout } = await netssm('kernel', 'install', '--prefix', prefix, '--json');
    expect(code).toBe(0);
    const { folder } = JSON.parse(stdout) as { folder: string };
    expect(folder).toBe(join(prefix, 'share', 'jupyter', 'kernels', 'netssm-ts'));
    const spec = JSON.parse(readFileSync(join(folder, 'kernel.json'), 'utf8')) as Record<string, unknown>;
    expect(spec).toMatchObject({ display_name: 'NetSSM (TypeScript)', language: 'typescript' });
    const argv = spec.argv as string[];
    expect(argv[0]).toBe(process.execPath);
    expect(argv.slice(-3)).toEqual([join(root, 'bin', 'kernel.cjs'), '--config-path', '{connection_file}']);
    expect(existsSync(argv[2])).toBe(true);
  });
});

describe('doctor', () => {
  test('--json: every line has a status, and those that are not OK a remedy', async () => {
    const { code, stdout } = await netssm('doctor', '--json');
    const { checks } = JSON.parse(stdout) as {
      checks: { name: string; status: string; detail: string; remedy?: string }[];
    };
    const names = checks.map((check) => check.name);
    for (const name of [
      'Node.js',
      'npm',
      'build',
      'tslab',
      'kernel',
      'Jupyter',
      'engine wasm',
      'GPU engine',
      'captures',
    ]) {
      expect(names).toContain(name);
    }
    for (const check of checks) {
      expect(['OK', 'WARN', 'FAIL']).toContain(check.status);
      if (check.status !== 'OK') expect(check.remedy).toMatch(/\w/);
    }
    expect(checks.find((check) => check.name === 'Node.js')?.status).toBe('OK');
    expect(checks.find((check) => check.name === 'engine wasm')?.detail).toMatch(/GFLOP\/s/);
    expect(code).toBe(checks.some((check) => check.status === 'FAIL') ? 1 : 0);
  });
});
