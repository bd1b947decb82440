/** One HTTP/2 connection (Node's, which is nghttp2) that records what it fetches. */
import http2 from 'node:http2';
import tls from 'node:tls';
import dns from 'node:dns/promises';
import { epoch, objectLog, type Got, type Task } from './client';

/** A fetch that can be given up: its stream is reset, the connection stays. */
export type Fetch = Promise<Got> & { abort(): void };

export class Http2Connection {
  private constructor(
    private readonly session: http2.ClientHttp2Session,
    private readonly task: Task<unknown>,
    private readonly headers: Record<string, string>,
    readonly server: string,
    readonly clientPort: number,
  ) {}

  static async open(
    host: string,
    task: Task<unknown>,
    headers: Record<string, string>,
    options: http2.SecureClientSessionOptions,
    connectionWindow = 4 << 20,
  ): Promise<Http2Connection> {
    const { address } = await dns.lookup(host, { family: 4 });
    const socket = tls.connect({ host: address, port: 443, servername: host, ca: options.ca, ALPNProtocols: ['h2'] });
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const clientPort = socket.localPort!;
    const session = http2.connect(`https://${host}`, { ...options, createConnection: () => socket });
    session.on('error', () => {}); // every stream reports it
    session.once('connect', () => session.setLocalWindowSize(connectionWindow));
    return new Http2Connection(session, task, headers, address, clientPort);
  }

  get(path: string, kind: string, more: Record<string, string> = {}, kbit?: number): Fetch {
    return this.send({ ':path': path, ...more }, kind, undefined, kbit);
  }

  /** Sends a request with a body. */
  post(path: string, kind: string, body: Buffer, more: Record<string, string> = {}): Fetch {
    return this.send({ ':path': path, ':method': 'POST', ...more }, kind, body);
  }

  private send(headers: http2.OutgoingHttpHeaders, kind: string, body?: Buffer, kbit?: number): Fetch {
    const at = epoch();
    const began = performance.now();
    const stream = this.session.request({ ...this.headers, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    let [bytes, aborted, status] = [0, false, 0];
    const chunks: Buffer[] = [];
    const done = new Promise<Got>((resolve, reject) => {
      stream.on('response', (fields) => (status = Number(fields[':status'])));
      stream.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes < 200_000) chunks.push(chunk);
      });
      stream.on('error', reject);
      stream.on('close', () => {
        const seconds = (performance.now() - began) / 1000;
        const failed = !aborted && (stream.rstCode !== 0 || status === 0 || status >= 400);
        objectLog(this.task.log)({
          at, seconds: Number(seconds.toFixed(4)), kind, name: String(headers[':path']),
          bytes: body && kind === 'upload' ? body.length : bytes,
          server: this.server, clientPort: this.clientPort, kbit,
          ended: aborted ? 'aborted' : failed ? 'failed' : undefined,
        }); // prettier-ignore
        if (failed) reject(new Error(`${headers[':path']}: HTTP ${status}, code ${stream.rstCode}`));
        else resolve({ bytes, seconds, body: Buffer.concat(chunks), status });
      });
    });
    return Object.assign(done, {
      abort: () => {
        aborted = true;
        stream.close(http2.constants.NGHTTP2_CANCEL);
      },
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.session.close(() => resolve()));
  }
}
