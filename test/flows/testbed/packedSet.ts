/** A small packed set, made by the testbed's own writer; its frames are Zstandard of stored blocks (RFC 8878). */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFlows } from '../../../data/testbed/src/capture/flows';
import { pcapngSection, type Packet } from '../../../data/testbed/src/capture/pcap';
import type { TrafficClass } from '../../../data/testbed/src/classes/types';
import type { SessionId, SessionTruth } from '../../../data/testbed/src/session';
import { pack } from '../../../data/testbed/src/store/pack';
import { encodePacket, layer, TcpFlag } from '../../../src/packets';

const CLIENT = '192.168.0.2';
const SERVER = '203.0.113.7';
const BEGAN = 1_700_000_000;
const { SYN, ACK, FIN, PSH } = TcpFlag;

/** Classes of the set with their service. */
export const CLASSES: Readonly<Record<string, string>> = {
  dash: 'streaming',
  hls: 'streaming',
  sip: 'conferencing',
};
export const TRAIN = 4;
export const TEST = 2;

/** Handshake, `answers` answers of 1,000 bytes to a request of 100 each, and FINs from both sides. */
function packetsOf(answers: number, port: number): Packet[] {
  const packets: Packet[] = [];
  let [up, down] = [100, 900];
  const send = (fromClient: boolean, flags: number, payload = 0): void => {
    const [source, destination] = fromClient ? [CLIENT, SERVER] : [SERVER, CLIENT];
    const bytes = encodePacket(
      [
        layer('ethernet', { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' }),
        layer('ipv4', { source, destination }),
        layer('tcp', {
          sourcePort: fromClient ? port : 443,
          destinationPort: fromClient ? 443 : port,
          sequenceNumber: fromClient ? up : down,
          acknowledgmentNumber: flags === SYN ? 0 : fromClient ? down : up,
          flags,
        }),
      ],
      new Uint8Array(payload),
    );
    const step = payload + (flags & (SYN | FIN) ? 1 : 0);
    if (fromClient) up += step;
    else down += step;
    const tsMicros = BEGAN * 1e6 + packets.length * 2500;
    packets.push({ tsMicros, wireLen: bytes.length, bytes: Buffer.from(bytes) });
  };
  send(true, SYN);
  send(false, SYN | ACK);
  send(true, ACK);
  for (let i = 0; i < answers; i++) {
    send(true, PSH | ACK, 100);
    send(false, PSH | ACK, 1000);
  }
  send(true, FIN | ACK);
  send(false, FIN | ACK);
  send(true, ACK);
  return packets;
}

/** One Zstandard frame: its size in the header, then blocks as they are. */
export function storedZstd(content: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(0xfd2fb528, 0);
  head[4] = 0xa0; // content size in 4 bytes, single segment
  head.writeUInt32LE(content.length, 5);
  const parts = [head];
  for (let at = 0; ; at += 100_000) {
    const block = content.subarray(at, at + 100_000);
    const last = at + 100_000 >= content.length;
    const size = Buffer.alloc(3);
    size.writeUIntLE((block.length << 3) | (last ? 1 : 0), 0, 3);
    parts.push(size, block);
    if (last) return Buffer.concat(parts);
  }
}

/** Writes a set of three classes with four training and two test sessions each; returns its folder. */
export function makePackedSet(): string {
  const folder = mkdtempSync(join(tmpdir(), 'netssm-packed-'));
  const work = join(folder, 'work');
  const out = join(folder, 'set');
  const list: SessionId[] = [];
  for (const label of Object.keys(CLASSES))
    for (const [split, count] of [
      ['train', TRAIN],
      ['test', TEST],
    ] as const)
      // prettier-ignore
      for (let n = 1; n <= count; n++)
        list.push({ id: `${label}-${split}-00${n}`, label, split, seed: `7/${split}/${label}/${n}`, long: false });
  for (const [i, id] of list.entries()) {
    const packets = packetsOf(3 + i, 40_000 + i);
    const section = pcapngSection(packets, id.id);
    const frame = storedZstd(section);
    const truth = {
      id: id.id,
      application: id.label,
      service: CLASSES[id.label],
      split: id.split,
      seed: id.seed,
      began: BEGAN,
      seconds: (packets.length - 1) * 0.0025,
      packets: packets.length,
      conditions: { client: CLIENT, servers: [SERVER], mtu: 1500 },
      script: {},
      objects: [{ at: 0.0075, seconds: 0.0025, kind: 'video', name: '/1', bytes: 1000, server: SERVER, clientPort: 40_000 + i }],
      flows: findFlows(packets, CLIENT),
      wire: { kind: 'relay' },
      checksums: { ipv4: packets.length, ipv4Right: packets.length, tcp: packets.length, tcpRight: packets.length, udp: 0, udpRight: 0 },
    } as unknown as SessionTruth; // prettier-ignore
    mkdirSync(join(work, id.id), { recursive: true });
    writeFileSync(join(work, id.id, 'packets.pcapng.zst'), frame);
    const frameSha256 = createHash('sha256').update(frame).digest('hex');
    const file = { ...truth, frameSha256, sectionBytes: section.length };
    writeFileSync(join(work, id.id, 'session.json'), JSON.stringify(file));
  }
  const classes = Object.entries(CLASSES).map(([name, service]) => ({
    name,
    service,
    description: `${name} of a test`,
  }));
  const { missing } = pack(out, work, classes as unknown as TrafficClass[], list, {
    command: 'a test',
    seed: '7',
  });
  if (missing > 0) throw new Error(`${missing} sessions are missing`);
  return out;
}
