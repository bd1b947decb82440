/** Verifies whole packets before they are cut: lengths, and every checksum by tshark. */
import { run } from '../lib/process';
import { ETHERNET, type Packet } from './pcap';

export interface Checksums {
  /** IPv4 packets, and those whose header checksum is right. */
  ipv4: number;
  ipv4Right: number;
  tcp: number;
  tcpRight: number;
  udp: number;
  udpRight: number;
}

/** A packet above the MTU would mean that an interface joins or splits segments. */
export function checkLengths(packets: Packet[], mtu: number): void {
  const tooLong = packets.filter((p) => p.wireLen > mtu + ETHERNET).length;
  if (tooLong > 0) throw new Error(`${tooLong} packets above the MTU of ${mtu}: offloads are on`);
  const cut = packets.filter((p) => p.bytes.length < p.wireLen).length;
  if (cut > 0) throw new Error(`${cut} packets were not captured whole`);
}

/** Counts the right checksums of a capture of whole packets, as tshark sees them (status 1 is good). */
export async function verifyChecksums(path: string, packets: number): Promise<Checksums> {
  const fields = ['ip.checksum.status', 'tcp.checksum.status', 'udp.checksum.status'];
  const out = await run([
    'tshark', '-n', '-r', path, '-T', 'fields',
    // What is inside needs no reading.
    ...['tls', 'http', 'http2', 'dns', 'rtp', 'rtcp', 'stun', 'dtls', 'sip', 'ssh', 'mqtt', 'ntp'].flatMap((p) => ['--disable-protocol', p]),
    ...['ip', 'tcp', 'udp'].flatMap((p) => ['-o', `${p}.check_checksum:TRUE`]),
    '-E', 'occurrence=f', ...fields.flatMap((field) => ['-e', field]),
  ]); // prettier-ignore
  const lines = out.split('\n').filter(Boolean);
  if (lines.length !== packets) throw new Error(`tshark reads ${lines.length} of ${packets} packets`);
  const sums: Checksums = { ipv4: 0, ipv4Right: 0, tcp: 0, tcpRight: 0, udp: 0, udpRight: 0 };
  for (const line of lines) {
    const [ip, tcp, udp] = line.split('\t');
    for (const [name, status] of [['ipv4', ip], ['tcp', tcp], ['udp', udp]] as const) // prettier-ignore
      if (status) {
        sums[name]++;
        if (status === '1') sums[`${name}Right`]++;
      }
  }
  return sums;
}
