import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listCaptures, readCapture, type Frame } from '../../src/capture';
import { fiveTuple, FlowIndex, flowRecord, scanCapture, TcpTracker, type FlowRecord } from '../../src/flows';
import {
  decodeFrame,
  encodePacket,
  findTransport,
  Fragment,
  HeaderBatch,
  layer,
  payloadLength,
  TcpFlag,
  type EncodeLayer,
  type TcpFields,
} from '../../src/packets';
import { NetssmError, projectRoot, Rng } from '../../src/util';

const data = join(projectRoot, '..', 'shared', 'data');
const absent = !existsSync(data);

function frame(layers: EncodeLayer[], payload: Uint8Array = new Uint8Array(0), tsMicros = 0): Frame {
  const bytes = encodePacket(layers, payload);
  return { data: bytes, wireLen: bytes.length, tsMicros, tsNanos: 0, linkType: 101, interfaceId: 0 };
}

const udp = (a: number, b: number, source = '10.0.0.1', destination = '10.0.0.2', tsMicros = 0) =>
  frame(
    [layer('ipv4', { source, destination }), layer('udp', { sourcePort: a, destinationPort: b })],
    new Uint8Array(4),
    tsMicros,
  );

/** Flows by the plain way: decoded packets, text keys, a Map. */
function referenceFlows(frames: readonly Frame[]): number[] {
  const open = new Map<string, { id: number; client: string; tracker?: TcpTracker }>();
  let opened = 0;
  return frames.map((each) => {
    const packet = decodeFrame(each);
    const tuple = fiveTuple(packet);
    if (!tuple) return -1;
    const end = ({ address, port }: { address: string; port: number }) => `${address} ${port}`;
    const [source, destination] = [end(tuple.source), end(tuple.destination)];
    const tcp = tuple.protocol === 'tcp' ? (findTransport(packet)!.fields as TcpFields) : undefined;
    const segment = tcp && {
      flags: tcp.flags,
      sequenceNumber: tcp.sequenceNumber,
      acknowledgmentNumber: tcp.acknowledgmentNumber,
      length: payloadLength(packet),
    };
    let flow = open.get(tuple.key);
    if (flow?.tracker && segment && flow.tracker.isNewConnection(segment, source === flow.client))
      flow = undefined;
    if (!flow) {
      const answers = tcp && (tcp.flags & 0x12) === 0x12;
      flow = { id: opened++, client: answers ? destination : source, tracker: tcp && new TcpTracker() };
      open.set(tuple.key, flow);
    }
    if (segment) flow.tracker!.add(segment, source === flow.client);
    return flow.id;
  });
}

function indexedFlows(frames: readonly Frame[]): { flows: number[]; later: boolean[] } {
  const batch = new HeaderBatch(frames.length);
  const index = new FlowIndex();
  for (const each of frames) index.add(batch, batch.add(each));
  const later = [...batch.fragment].map((kind) => kind === Fragment.LATER);
  return { flows: [...batch.flow], later };
}

describe('HeaderBatch', () => {
  it('reads the fields of a TCP segment over Ethernet with a VLAN tag', () => {
    const bytes = encodePacket(
      [
        layer('ethernet', {}),
        layer('vlan', { identifier: 7 }),
        layer('ipv4', {
          source: '192.0.2.1',
          destination: '198.51.100.2',
          timeToLive: 61,
          identification: 4711,
        }),
        layer('tcp', {
          sourcePort: 51000,
          destinationPort: 443,
          sequenceNumber: 0xfedcba98,
          acknowledgmentNumber: 3,
          flags: TcpFlag.ACK | TcpFlag.PSH,
          window: 512,
        }),
      ],
      new Uint8Array(11),
    );
    const batch = new HeaderBatch(2);
    const row = batch.add({
      data: bytes,
      wireLen: 90,
      tsMicros: 12,
      tsNanos: 0,
      linkType: 1,
      interfaceId: 0,
    });
    const fields = {
      row,
      ts: batch.tsMicros[row],
      wire: batch.wireLen[row],
      cap: batch.capLen[row],
      version: batch.ipVersion[row],
      protocol: batch.protocol[row],
      source: [...batch.source.subarray(0, 4)],
      destination: [...batch.destination.subarray(0, 4)],
      ports: [batch.sourcePort[row], batch.destinationPort[row]],
      ttl: batch.ttl[row],
      id: batch.identification[row],
      flags: batch.tcpFlags[row],
      seq: batch.sequenceNumber[row],
      ack: batch.acknowledgmentNumber[row],
      window: batch.window[row],
      payload: batch.payloadLength[row],
    };
    expect(fields).toEqual({
      row: 0,
      ts: 12,
      wire: 90,
      cap: 18 + 20 + 20 + 11,
      version: 4,
      protocol: 6,
      source: [0xc0000201, 0, 0, 0],
      destination: [0xc6336402, 0, 0, 0],
      ports: [51000, 443],
      ttl: 61,
      id: 4711,
      flags: 0x18,
      seq: 0xfedcba98,
      ack: 3,
      window: 512,
      payload: 11,
    });
  });

  it('reuses rows without leaving anything of the packet before', () => {
    const batch = new HeaderBatch(1);
    batch.add(
      frame([layer('ipv6', { source: '2001:db8::1' }), layer('tcp', { flags: 0x12, sequenceNumber: 9 })]),
    );
    batch.clear();
    const row = batch.add(udp(1, 2));
    expect([...batch.source, batch.tcpFlags[row], batch.sequenceNumber[row]]).toEqual([
      0x0a000001, 0, 0, 0, 0, 0,
    ]);
    batch.clear();
    batch.add({ ...udp(1, 2), data: new Uint8Array(3) });
    expect([batch.ipVersion[0], batch.protocol[0], batch.hasPorts[0], batch.source[0]]).toEqual([0, 0, 0, 0]);
  });

  it('reads the ordinary way what decoding gives, for real headers with bytes changed (seed 7)', () => {
    const rng = new Rng(7);
    const whole = [
      frame([layer('ipv4', { source: '10.1.2.3' }), layer('tcp', { sourcePort: 5 })], new Uint8Array(9)),
      frame([layer('ipv6', { source: '2001:db8::7' }), layer('udp', { sourcePort: 5 })], new Uint8Array(9)),
    ];
    let compared = 0;
    for (let i = 0; i < 20_000; i++) {
      const base = whole[i % 2];
      const bytes = base.data.slice(0, 1 + rng.int(base.data.length));
      bytes[rng.int(bytes.length)] = rng.int(256);
      const changed = { ...base, data: bytes, wireLen: base.wireLen };
      const batch = new HeaderBatch(1);
      batch.add(changed);
      const tuple = fiveTuple(decodeFrame(changed));
      expect(batch.hasPorts[0] === 1).toBe(tuple !== undefined);
      if (tuple) {
        compared++;
        expect([batch.sourcePort[0], batch.destinationPort[0]]).toEqual([
          tuple.source.port,
          tuple.destination.port,
        ]);
      }
    }
    expect(compared).toBeGreaterThan(3000);
  });
});

describe('FlowIndex', () => {
  it('counts packets, bytes, flags and retransmissions by direction', () => {
    const records: FlowRecord[] = [];
    const index: FlowIndex = new FlowIndex({}, (slot) => records.push(flowRecord(index, slot)));
    const batch = new HeaderBatch(8);
    const segment = (up: boolean, flags: number, seq: number, ack: number, payload = 0, at = 0) => {
      const [c, s] = [
        { address: '10.0.0.1', port: 5000 },
        { address: '10.0.0.2', port: 80 },
      ];
      const [from, to] = up ? [c, s] : [s, c];
      index.add(
        batch,
        batch.add(
          frame(
            [
              layer('ipv4', { source: from.address, destination: to.address }),
              layer('tcp', {
                sourcePort: from.port,
                destinationPort: to.port,
                sequenceNumber: seq,
                acknowledgmentNumber: ack,
                flags,
              }),
            ],
            new Uint8Array(payload),
            at,
          ),
        ),
      );
    };
    segment(true, TcpFlag.SYN, 0xffffffff, 0, 0, 1e6);
    segment(false, TcpFlag.SYN | TcpFlag.ACK, 100, 0);
    segment(true, TcpFlag.ACK, 0, 101);
    segment(true, TcpFlag.ACK | TcpFlag.PSH, 0, 101, 10);
    segment(true, TcpFlag.ACK | TcpFlag.PSH, 0, 101, 10);
    segment(false, TcpFlag.RST, 101, 0, 0, 3.5e6);
    index.finish();
    expect(records).toEqual([
      {
        id: 0,
        key: 'tcp 10.0.0.1 5000 10.0.0.2 80',
        protocol: 'tcp',
        client: { address: '10.0.0.1', port: 5000 },
        server: { address: '10.0.0.2', port: 80 },
        startMicros: 1e6,
        durationSeconds: 2.5,
        packetsToServer: 4,
        packetsToClient: 2,
        bytesToServer: 4 * 40 + 20,
        bytesToClient: 80,
        payloadBytesToServer: 20,
        payloadBytesToClient: 0,
        flagsToServer: TcpFlag.SYN | TcpFlag.ACK | TcpFlag.PSH,
        flagsToClient: TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST,
        handshake: true,
        closed: 'rst',
        retransmissions: 1,
      },
    ]);
    expect([...batch.fromClient.subarray(0, 6)]).toEqual([1, 0, 1, 1, 1, 0]);
  });

  it('keeps 40,000 flows apart while they open, close, time out and come again (seed 3)', () => {
    const rng = new Rng(3);
    const closed: number[] = [];
    const index = new FlowIndex({ idleTimeoutSeconds: 5, maxFlows: 3000 }, (slot) =>
      closed.push(index.ids[slot]),
    );
    const expected = new Map<string, { id: number; at: number }>();
    const batch = new HeaderBatch(1);
    let wrong = 0;
    for (let i = 0; i < 40_000; i++) {
      const now = i * 2000;
      const a = rng.int(4000);
      const host = `10.0.${a >> 8}.${a & 255}`;
      const up = rng.int(2) === 0;
      batch.clear();
      index.add(
        batch,
        batch.add(up ? udp(1000, 53, host, '9.9.9.9', now) : udp(53, 1000, '9.9.9.9', host, now)),
      );
      const known = expected.get(host);
      const isNew = !known || now - known.at > 5e6 || closed.includes(known.id);
      expected.set(host, { id: isNew ? index.opened - 1 : known.id, at: now });
      if (batch.flow[0] !== expected.get(host)!.id) wrong++;
      if (closed.length > 2000) closed.splice(0, 500);
    }
    expect(wrong).toBe(0);
    expect(index.timedOut + index.evicted).toBeGreaterThan(10_000);
    expect(index.size).toBeLessThanOrEqual(3000);
    const before = index.opened - index.timedOut - index.evicted;
    expect(index.size).toBe(before);
    index.finish();
    expect(index.size).toBe(0);
  });

  it('gives fragments to the flow of the first, before and after it', () => {
    const whole = udp(7, 9);
    const part = (offset: number, more: boolean, bytes: Uint8Array, tsMicros: number) =>
      frame(
        [
          layer('ipv4', {
            source: '10.0.0.1',
            destination: '10.0.0.2',
            protocol: 17,
            identification: 77,
            fragmentOffset: offset,
            flags: more ? 1 : 0,
          }),
        ],
        bytes,
        tsMicros,
      );
    const first = part(0, true, whole.data.subarray(20, 32), 10);
    const second = part(2, false, new Uint8Array(100), 20);
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const records: FlowRecord[] = [];
      const index: FlowIndex = new FlowIndex({}, (slot) => records.push(flowRecord(index, slot)));
      const batch = new HeaderBatch(2);
      for (const each of order) index.add(batch, batch.add(each));
      index.finish();
      expect(records).toHaveLength(1);
      expect(records[0].packetsToServer).toBe(2);
      expect(records[0].bytesToServer).toBe(first.wireLen + second.wireLen);
      expect(index.withoutTuple).toBe(0);
    }
  });
});

describe('a transport header spread over fragments', () => {
  it('is put together, and all fragments count', () => {
    const whole = frame(
      [
        layer('ipv4', { source: '10.0.0.1', destination: '10.0.0.2' }),
        layer('tcp', { sourcePort: 7, destinationPort: 80, flags: TcpFlag.SYN, sequenceNumber: 5 }),
      ],
      new Uint8Array(4),
    ).data.subarray(20);
    const part = (offset: number, more: boolean, bytes: Uint8Array) =>
      frame(
        [
          layer('ipv4', {
            source: '10.0.0.1',
            destination: '10.0.0.2',
            protocol: 6,
            identification: 9,
            fragmentOffset: offset,
            flags: more ? 1 : 0,
          }),
        ],
        bytes,
      );
    const parts = [
      part(0, true, whole.subarray(0, 8)),
      part(1, true, whole.subarray(8, 16)),
      part(2, false, whole.subarray(16)),
    ];
    const records: FlowRecord[] = [];
    const index: FlowIndex = new FlowIndex({}, (slot) => records.push(flowRecord(index, slot)));
    const batch = new HeaderBatch(3);
    for (const each of parts) index.addFrame(batch, each);
    index.finish();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ key: 'tcp 10.0.0.1 7 10.0.0.2 80', flagsToServer: TcpFlag.SYN });
    expect([records[0].packetsToServer, records[0].bytesToServer]).toEqual([3, 28 + 28 + 28]);
    expect(index.withoutTuple).toBe(0);
  });
});

describe('scanCapture', () => {
  it('names an unusable filter or time before it opens the file', async () => {
    const refused = async (options: Parameters<typeof scanCapture>[1]) =>
      scanCapture('/nonexistent.pcap', options).then(
        () => 'opened',
        (error: NetssmError) => `${error.code} ${error.exitCode}`,
      );
    expect(await refused({ from: 'yesterday' })).toBe('slice_option 2');
    expect(await refused({ filter: 'tcp prot 80' })).toMatch(/^filter\S* 2$/);
    expect(await refused({})).toMatch(/^file_unreadable/);
  });
});

describe.skipIf(absent)('flows of all shared captures (skipped where ../shared/data is absent)', () => {
  const files = absent
    ? []
    : [
        ...listCaptures(join(data, 'pcaps')),
        ...['valid', 'malformed'].flatMap((kind) => {
          const folder = join(data, 'robustness', kind);
          return readdirSync(folder).map((name) => join(folder, name));
        }),
      ];

  it('are those of decoded packets sorted by text keys', async () => {
    const different: string[] = [];
    let packets = 0;
    for (const file of files) {
      const capture = await readCapture(file).catch((error: unknown) => {
        if (error instanceof NetssmError) return undefined;
        throw error;
      });
      if (!capture) continue;
      const wanted = referenceFlows(capture.frames);
      const { flows, later } = indexedFlows(capture.frames);
      packets += flows.length;
      const at = flows.findIndex((flow, i) => flow !== wanted[i] && !later[i]);
      if (at >= 0) different.push(`${file} packet ${at + 1}: flow ${flows[at]}, not ${wanted[at]}`);
    }
    expect(different).toEqual([]);
    expect(packets).toBeGreaterThan(200_000);
  });
});
