/** Captures a session at the client, has tshark verify the whole packets, keeps the headers. */
import { readFileSync } from 'node:fs';
import { run, sleep, start, waitFor } from './process.mjs';
import { countFlows, headersOnly, readPcap } from './pcap.mjs';

/** Starts tcpdump on the client's interface; `stop()` waits for the last packets. */
export async function startCapture(netns, path) {
  const tcpdump = start(
    ['tcpdump', '-i', 'eth0', '-n', '-U', '--immediate-mode', '-B', '8192', '-w', path, 'ip'],
    { netns },
  );
  await waitFor(() => tcpdump.errors().includes('listening on'), 10, 'tcpdump');
  return {
    async stop() {
      await sleep(0.4); // the last FIN and ACK are still on the way
      tcpdump.kill('SIGINT');
      const { stderr } = await tcpdump.done;
      const dropped = Number(/(\d+) packets? dropped by kernel/.exec(stderr)?.[1] ?? 0);
      if (dropped > 0) throw new Error(`tcpdump dropped ${dropped} packets`);
    },
  };
}

/**
 * Verifies a capture of whole packets and cuts it to headers.
 * @returns {{pcap: Buffer, summary: object}} the bytes to keep and the counts for the manifest
 */
export async function verifyCapture(path, mtu) {
  const packets = readPcap(readFileSync(path));
  const tooLong = packets.filter((p) => p.wireLen > mtu + 14).length;
  if (tooLong > 0) throw new Error(`${tooLong} packets above the MTU of ${mtu}: offloads are on`);
  const checksumsVerified = await verifyChecksums(path, packets.length);
  const flows = countFlows(packets);
  const pcap = headersOnly(packets);
  const counts = { packets: packets.length, bytes: pcap.length, seconds: duration(packets) };
  return { pcap, summary: { ...counts, ...flows, checksumsVerified } };
}

/** Seconds from the first packet to the last, to the millisecond. */
export function duration(packets) {
  const [first, last] = [packets[0], packets[packets.length - 1]];
  return Number((last.seconds - first.seconds + (last.micros - first.micros) / 1e6).toFixed(3));
}

/** How many packets have every checksum right, as tshark sees it (status 1 is good). */
async function verifyChecksums(path, packets) {
  const fields = ['ip.checksum.status', 'tcp.checksum.status', 'udp.checksum.status'];
  const on = ['ip', 'tcp', 'udp'].flatMap((p) => ['-o', `${p}.check_checksum:TRUE`]);
  const out = await run(
    ['tshark', '-n', '-r', path, '-T', 'fields', ...on, ...fields.flatMap((f) => ['-e', f])],
  ); // prettier-ignore
  const lines = out.split('\n').filter(Boolean);
  if (lines.length !== packets) throw new Error(`tshark reads ${lines.length} of ${packets} packets`);
  return lines.filter((line) => {
    const [ip, tcp, udp] = line.split('\t');
    return ip === '1' && (tcp || udp) === '1';
  }).length;
}
