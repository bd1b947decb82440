import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromArrow, fromCSV, op, type ColumnTable } from 'arquero';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture';
import { exportTable, flowTable, FLOW_COLUMNS, packetTable, PACKET_COLUMNS } from '../../src/flows';
import { projectRoot } from '../../src/util';
import { netssm, tcpSession, temporaryFolder, writePcap } from './helpers';

const docs = join(projectRoot, 'docs', 'export.md');
const bundled = join(projectRoot, 'data', 'captures', 'dns', 'dns-01.pcap');

/** The rows as plain objects; int64 columns of Arrow come as numbers. */
const rowsOf = (table: ColumnTable) => table.objects() as Record<string, unknown>[];

describe('tables', () => {
  let folder: string;
  let capture: string;

  beforeAll(() => {
    folder = temporaryFolder();
    capture = join(folder, 'x.pcap');
    writePcap(capture, [
      ...tcpSession(),
      ...tcpSession({ port: 40_001, startMicros: 1_700_000_010_000_000 }),
    ]);
  });

  test('packetTable: the header fields of each packet', async () => {
    const table = await packetTable(capture, { from: 5 });
    expect(table.columnNames()).toEqual(PACKET_COLUMNS.map(({ name }) => name));
    expect(table.numRows()).toBe(9);
    expect(rowsOf(table)[3]).toEqual({
      packet: 13,
      tsMicros: 1_700_000_010_003_000,
      wireLen: 64,
      capturedLen: 64,
      ipVersion: 4,
      protocol: 6,
      source: '10.0.0.1',
      sourcePort: 40_001,
      destination: '10.0.0.2',
      destinationPort: 80,
      ttl: 64,
      identification: 0,
      laterFragment: false,
      tcpFlags: 0x18,
      sequenceNumber: 1001,
      acknowledgmentNumber: 9001,
      window: 65_535,
      payloadLength: 10,
      flow: 0,
      fromClient: true,
    });
    const bytes = table
      .groupby('fromClient')
      .rollup({ bytes: (d: { wireLen: number }) => op.sum(d.wireLen) });
    expect(rowsOf(bytes)).toEqual([
      { fromClient: true, bytes: 7 * 54 + 30 },
      { fromClient: false, bytes: 2 * 54 },
    ]);
  });

  test('flowTable: what was counted of each flow', async () => {
    const table = await flowTable(capture);
    expect(table.columnNames().sort()).toEqual(FLOW_COLUMNS.map(({ name }) => name).sort());
    expect(rowsOf(table)).toHaveLength(2);
    expect(rowsOf(table)[1]).toMatchObject({
      flow: 1,
      key: 'tcp 10.0.0.1 40001 10.0.0.2 80',
      protocol: 'tcp',
      client: '10.0.0.1',
      clientPort: 40_001,
      durationSeconds: 0.008,
      packetsToServer: 7,
      packetsToClient: 2,
      bytesToServer: 7 * 54 + 30,
      payloadBytesToServer: 30,
      handshake: true,
      closed: 'fin',
      retransmissions: 0,
    });
  });

  test.each(['packets', 'flows'] as const)(
    'CSV, Arrow and JSON lines of %s hold the same rows',
    async (what) => {
      const table = await (what === 'packets' ? packetTable : flowTable)(bundled);
      const wanted = rowsOf(table);
      const out = (ending: string) => join(folder, `${what}.${ending}`);
      for (const format of ['csv', 'arrow', 'jsonl'] as const)
        expect(await exportTable({ source: bundled, out: out(format), format, what })).toBe(wanted.length);
      const inOrder = (rows: Record<string, unknown>[]) =>
        what === 'packets' ? rows : rows.sort((a, b) => (a.flow as number) - (b.flow as number));
      expect(inOrder(rowsOf(fromArrow(readFileSync(out('arrow')))))).toEqual(wanted);
      const lines = readFileSync(out('jsonl'), 'utf8').trimEnd().split('\n');
      expect(inOrder(lines.map((line) => JSON.parse(line) as Record<string, unknown>))).toEqual(wanted);
      const csv = fromCSV(readFileSync(out('csv'), 'utf8')) as ColumnTable;
      expect(inOrder(rowsOf(csv))).toEqual(wanted);
    },
  );

  test('Arrow streams of several batches are one table', async () => {
    const { frames } = await readCapture(bundled);
    const many = join(folder, 'many.pcap');
    const copies = Array.from({ length: 50 }, (_, i) =>
      frames.map((frame) => ({ ...frame, tsMicros: frame.tsMicros + i * 60e6 })),
    ).flat();
    writePcap(many, copies);
    const out = join(folder, 'many.arrows');
    expect(await exportTable({ source: many, out, format: 'arrow', what: 'packets' })).toBe(copies.length);
    const table = fromArrow(readFileSync(out));
    expect(table.numRows()).toBe(copies.length);
    expect(copies.length).toBeGreaterThan(2 * 4096);
    expect(table.get('packet', copies.length - 1)).toBe(copies.length);
    expect(table.get('tsMicros', copies.length - 1)).toBe(copies[copies.length - 1].tsMicros);
  });

  test('a selection without packets gives a table without rows, with all columns', async () => {
    for (const format of ['csv', 'arrow'] as const) {
      const out = join(folder, `none.${format}`);
      expect(await exportTable({ source: capture, out, format, what: 'packets', filter: 'udp' })).toBe(0);
      const names =
        format === 'csv'
          ? readFileSync(out, 'utf8').trim().split(',')
          : fromArrow(readFileSync(out)).columnNames();
      expect(names).toEqual(PACKET_COLUMNS.map(({ name }) => name));
    }
  });

  test('docs/export.md lists every column with its type', () => {
    const text = readFileSync(docs, 'utf8');
    const missing = [...PACKET_COLUMNS, ...FLOW_COLUMNS].filter(
      ({ name, type }) => !text.includes(`| \`${name}\` | ${type} |`),
    );
    expect(missing).toEqual([]);
  });
});

describe('netssm export', () => {
  test('one file, a folder of files, and no silent overwriting', async () => {
    const folder = temporaryFolder();
    const captures = join(folder, 'captures');
    mkdirSync(captures);
    for (const name of ['a', 'b']) writePcap(join(captures, `${name}.pcap`), tcpSession());
    const one = join(folder, 'flows.csv');
    const argv = ['export', join(captures, 'a.pcap'), '--what', 'flows', '--out', one];
    const { code, stdout } = await netssm(...argv, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      what: 'flows',
      format: 'csv',
      files: [{ out: one, rows: 1 }],
    });
    const again = await netssm(...argv);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/exists\nHint: .*--overwrite/)]);
    expect((await netssm(...argv, '--overwrite')).code).toBe(0);
    const tables = join(folder, 'tables');
    expect((await netssm('export', captures, '--format', 'arrow', '--out', tables)).stdout).toContain(
      '9 packets',
    );
    for (const name of ['a', 'b']) expect(existsSync(join(tables, `${name}.packets.arrows`))).toBe(true);
    const bad = await netssm('export', captures, '--out', one, '--overwrite');
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('2 captures need a folder')]);
    const filter = await netssm('export', captures, '--out', join(folder, 'f'), '--filter', 'tcp prt 1');
    expect([filter.code, existsSync(join(folder, 'f'))]).toEqual([2, false]);
  });
});
