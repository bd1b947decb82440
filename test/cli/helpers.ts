import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePcap, type Frame } from '../../src/capture';
import { main } from '../../src/cli/main';
import { encodePacket, layer, TcpFlag } from '../../src/packets';

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process, with its streams captured. */
export async function netssm(...argv: string[]): Promise<CommandResult> {
  const result: CommandResult = { code: -1, stdout: '', stderr: '' };
  const [out, err] = [process.stdout.write, process.stderr.write];
  process.stdout.write = ((text: string) => ((result.stdout += text), true)) as typeof out;
  process.stderr.write = ((text: string) => ((result.stderr += text), true)) as typeof err;
  try {
    result.code = await main(argv);
  } finally {
    process.stdout.write = out;
    process.stderr.write = err;
  }
  return result;
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'netssm-test-'));
}

/** A TCP connection: handshake, `data` segments from the client, closing by both sides. */
export function tcpSession(options: { port?: number; data?: number; startMicros?: number } = {}): Frame[] {
  const { port = 40000, data = 3, startMicros = 1_700_000_000_000_000 } = options;
  const frames: Frame[] = [];
  let [client, server] = [1000, 9000];
  const send = (fromClient: boolean, flags: number, payload = 0): void => {
    const bytes = encodePacket(
      [
        layer('ethernet', {
          source: fromClient ? '02:00:00:00:00:01' : '02:00:00:00:00:02',
          destination: fromClient ? '02:00:00:00:00:02' : '02:00:00:00:00:01',
        }),
        layer('ipv4', {
          source: fromClient ? '10.0.0.1' : '10.0.0.2',
          destination: fromClient ? '10.0.0.2' : '10.0.0.1',
        }),
        layer('tcp', {
          sourcePort: fromClient ? port : 80,
          destinationPort: fromClient ? 80 : port,
          sequenceNumber: fromClient ? client : server,
          acknowledgmentNumber: flags === TcpFlag.SYN ? 0 : fromClient ? server : client,
          flags,
        }),
      ],
      new Uint8Array(payload),
    );
    const step = payload + (flags & (TcpFlag.SYN | TcpFlag.FIN) ? 1 : 0);
    if (fromClient) client += step;
    else server += step;
    frames.push({
      data: bytes,
      wireLen: bytes.length,
      tsMicros: startMicros + frames.length * 1000,
      tsNanos: 0,
      linkType: 1,
      interfaceId: 0,
    });
  };
  send(true, TcpFlag.SYN);
  send(false, TcpFlag.SYN | TcpFlag.ACK);
  send(true, TcpFlag.ACK);
  for (let i = 0; i < data; i++) send(true, TcpFlag.ACK | TcpFlag.PSH, 10);
  send(true, TcpFlag.FIN | TcpFlag.ACK);
  send(false, TcpFlag.FIN | TcpFlag.ACK);
  send(true, TcpFlag.ACK);
  return frames;
}

export { writePcap };
