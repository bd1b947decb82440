/** Captures a session at the client's interface. */
import { sleep, start, waitFor } from '../lib/process';

export interface Capture {
  /** Waits for the last packets and ends the capture; a packet the kernel dropped is an error. */
  stop(): Promise<void>;
}

/** Starts tcpdump on the client's interface, TCP and UDP only (no ARP, no ICMP). */
export async function startCapture(netns: string, path: string): Promise<Capture> {
  const tcpdump = start(
    // Immediate: packets that wait in a block of the ring would be lost at the end.
    ['tcpdump', '-i', 'eth0', '-n', '--immediate-mode', '-B', '32768', '-s', '2000', '-Z', 'root', '-w', path, 'tcp or udp'],
    { netns },
  );
  await waitFor(() => tcpdump.errors().includes('listening on'), 10, 'tcpdump');
  return {
    async stop() {
      await sleep(0.5); // the last FIN and ACK are still on the way
      tcpdump.kill('SIGINT');
      const { stderr } = await tcpdump.done;
      const dropped = Number(/(\d+) packets? dropped by kernel/.exec(stderr)?.[1] ?? 0);
      if (dropped > 0) throw new Error(`tcpdump dropped ${dropped} packets`);
    },
  };
}
