import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCapture } from '../../src/capture';
import { flowTable, toSession, type Session } from '../../src/flows';
import { projectRoot } from '../../src/util';
import {
  connectionPackets,
  cumulative,
  distributions,
  flowLanes,
  groupedBars,
  ladderDiagram,
  timeSequence,
  type ConnectionPacket,
} from '../../src/viz';
import { staticSvg } from '../../src/notebook';

const lossy = join(projectRoot, 'data', 'captures', 'ssh', 'ssh-07.pcap');
let session: Session;
let packets: ConnectionPacket[];
beforeAll(async () => {
  session = toSession('ssh-07', (await readCapture(lossy)).frames);
  packets = connectionPackets(session, session.flows[5]);
});

describe('a connection', () => {
  test('numbers count from each side’s beginning', () => {
    const [syn, synAck, ack] = packets;
    expect(syn).toMatchObject({
      sequenceNumber: 0,
      acknowledgmentNumber: undefined,
      seconds: 0,
      phase: 'handshake',
    });
    expect(synAck).toMatchObject({ fromClient: false, sequenceNumber: 0, acknowledgmentNumber: 1 });
    expect(ack).toMatchObject({ fromClient: true, sequenceNumber: 1, acknowledgmentNumber: 1, length: 0 });
  });

  test('the first data of each side continues its SYN, and acknowledgements never pass what was sent', () => {
    for (const fromClient of [true, false]) {
      const first = packets.find((p) => p.fromClient === fromClient && p.length > 0)!;
      expect(first.sequenceNumber).toBe(1);
      const end = Math.max(
        ...packets.filter((p) => p.fromClient === fromClient).map((p) => p.sequenceNumber + p.length + 1),
      );
      const acks = packets.filter((p) => p.fromClient !== fromClient).map((p) => p.acknowledgmentNumber ?? 0);
      expect(Math.max(...acks)).toBeLessThanOrEqual(end);
    }
  });

  test('retransmissions are those that the flow table counts', async () => {
    const counted = (await flowTable(lossy)).array('retransmissions') as (number | null)[];
    const drawn = session.flows.map(
      (flow) => connectionPackets(session, flow).filter((p) => p.retransmission).length,
    );
    expect(drawn).toEqual([...counted].map((n) => n ?? 0));
    expect(drawn.reduce((a, b) => a + b)).toBe(7);
  });

  test('UDP has none', () => {
    const udp = session.flows.find((flow) => flow.protocol === 'udp')!;
    expect(connectionPackets(session, udp)).toEqual([]);
  });
});

describe('pictures', () => {
  test('a ladder: an arrow a packet, phases named once, the rest counted', () => {
    const svg = ladderDiagram(packets, { limit: 6, client: 'here', server: 'there' });
    expect(svg.match(/<path d="M/g)).toHaveLength(6);
    expect(svg).toContain('>SYN ACK  seq 0  ack 1<');
    expect(svg.match(/>handshake</g)).toHaveLength(1);
    expect(svg).toContain(`… ${packets.length - 6} more packets`);
    const end = ladderDiagram(packets, { limit: 3, atEnd: true });
    expect(end).toContain('packets before these');
    expect(end).toMatch(/FIN/);
  });

  test('lanes: a line a flow, a stroke a packet', () => {
    const figure = flowLanes(session);
    const [spans, ...phases] = figure.data as { x: (number | null)[]; name: string }[];
    expect(spans.x.filter((x) => x === null)).toHaveLength(session.flows.length);
    const strokes = phases.reduce((sum, { x }) => sum + x.filter((v) => v === null).length, 0);
    expect(strokes).toBe(session.flows.reduce((sum, flow) => sum + flow.frames.length, 0));
    expect(phases.map(({ name }) => name)).toEqual(['UDP', 'handshake', 'data', 'teardown']);
  });

  test('time-sequence: strokes of the sender only, repetitions apart, acknowledgements as steps', () => {
    const figure = timeSequence(packets);
    const [acks, segments, again] = figure.data as { name: string; x: number[]; y: (number | null)[] }[];
    const sent = packets.filter((p) => !p.fromClient && p.length > 0);
    expect(segments.y.filter((y) => y === null).length).toBe(sent.length - 7);
    expect(again.name).toBe('sent again (7)');
    expect(again.y.slice(0, 2)).toEqual([108814, 108814 + 1460]);
    for (let i = 1; i < acks.x.length; i++) expect(acks.x[i]).toBeGreaterThanOrEqual(acks.x[i - 1]);
    const part = timeSequence(packets, { seconds: [0.86, 0.87] }).data as { x: (number | null)[] }[];
    expect(part.flatMap(({ x }) => x).every((x) => x === null || (x >= 0.86 && x <= 0.87))).toBe(true);
  });

  test('distribution functions rise from 0 to 1 in steps of the data', () => {
    expect(cumulative([3, 1, 1, 2])).toEqual({ x: [1, 1, 2, 2, 3, 3], y: [0, 0.5, 0.5, 0.75, 0.75, 1] });
    const many = cumulative(Array.from({ length: 5000 }, (_, i) => i));
    expect(many.y.length).toBeLessThanOrEqual(804);
    expect(many.y.at(-1)).toBe(1);
    const log = distributions({ a: [0, 0.1, 10] }, { title: 't', axis: 's', log: true });
    expect(log.data[0].name).toBe('a (2)');
    expect(log.layout.xaxis).toMatchObject({ type: 'log' });
  });

  test('bars: one of each series in each category', () => {
    const figure = groupedBars(['x', 'y'], { a: [1, 0], b: [250, 2.345] }, { title: 't', axis: 'n' });
    expect(figure.data.map((trace) => trace.text)).toEqual([
      ['1.0', '0'],
      ['250', '2.3'],
    ]);
  });

  test('without plotly the same is drawn: gaps break lines, axes may be logarithmic or named', () => {
    const gaps = staticSvg({ data: [{ type: 'scatter', x: [0, 1, null, 2, 3], y: [0, 1, null, 1, 0] }] })!;
    expect(gaps.match(/<polyline/g)).toHaveLength(2);
    const log = staticSvg(distributions({ a: [0.001, 1] }, { title: 't', axis: 's', log: true }))!;
    expect(log).toContain('>0.001<');
    expect(log).toContain('>0.1<');
    const lanes = staticSvg(flowLanes(session))!;
    expect(lanes).toMatch(/>tcp \d+ → 22</);
  });
});
