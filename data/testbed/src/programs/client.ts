/** What the client programs share: their script, the log of objects, TLS connections that are kept. */
import { appendFileSync, readFileSync } from 'node:fs';
import dns from 'node:dns/promises';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

export const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, seconds) * 1000));

/** No session is shorter than 5 s from its first packet, which comes a while after the program's start. */
export const LEAST_SECONDS = 6.2;

/** No session is longer than a minute: the user leaves. */
export const secondsLeft = (): number => MOST_SECONDS - performance.now() / 1000;
const MOST_SECONDS = 56;

/** Stays until the session is long enough: nobody leaves at once. */
export const stay = (): Promise<void> => sleep(LEAST_SECONDS - performance.now() / 1000);

/** What every client program is given as its first argument: the path of such a JSON file. */
export interface Task<Script> {
  script: Script;
  /** Where `ObjectRecord`s go, one JSON line each. */
  log: string;
  /** Certificate to trust. */
  ca: string;
}

/** One object really served: a page, an image, a segment, a message. */
export interface ObjectRecord {
  /** When the request left the client, seconds since 1970. */
  at: number;
  /** Seconds until its last byte (or its end) was there. */
  seconds: number;
  kind: string;
  name: string;
  /** Body bytes that arrived at the client, or left it for kind "upload". */
  bytes: number;
  server?: string;
  clientPort?: number;
  /** Bitrate chosen, for adaptive classes. */
  kbit?: number;
  /** Not there: complete. */
  ended?: 'aborted' | 'failed';
}

export function readTask<Script>(): Task<Script> {
  return JSON.parse(readFileSync(process.argv[2], 'utf8')) as Task<Script>;
}

export function objectLog(path: string): (record: ObjectRecord) => void {
  return (record) => appendFileSync(path, `${JSON.stringify(record)}\n`);
}

export const epoch = (): number => Number((Date.now() / 1000).toFixed(4));

const answers = new Map<string, Promise<{ address: string; family: number }[]>>();

/** The C library's resolver, asked once for each name, as browsers do; a random one of the addresses. */
export function lookup(
  host: string,
  options: { all?: boolean },
  callback: (error: Error | null, address?: unknown, family?: number) => void,
): void {
  if (!answers.has(host)) answers.set(host, dns.lookup(host, { family: 4, all: true }));
  answers.get(host)!.then((list) => {
    const [first] = list;
    if (options.all) callback(null, [first]);
    else callback(null, first.address, first.family);
  }, callback);
}

export interface GetOptions {
  headers?: Record<string, string>;
  /** Called with every piece of the body; may pause the response. */
  onData?: (chunk: Buffer, response: IncomingMessage) => void;
  signal?: AbortSignal;
}

export interface Got {
  bytes: number;
  seconds: number;
  body: Buffer;
  status: number;
}

/** One kept TLS connection that carries one HTTP/1.1 request at a time. */
export class Connection {
  private readonly agent: https.Agent;
  server?: string;
  clientPort?: number;

  constructor(
    readonly host: string,
    private readonly task: Task<unknown>,
    private readonly headers: Record<string, string>,
  ) {
    this.agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(task.ca) });
  }

  /** Fetches a path; the record of it goes into the log as `kind`, also when it is aborted. */
  async get(path: string, kind: string, options: GetOptions = {}, kbit?: number): Promise<Got> {
    let at = epoch();
    let began = performance.now();
    let bytes = 0;
    const chunks: Buffer[] = [];
    const record = (ended?: 'aborted' | 'failed'): void => {
      const seconds = Number(((performance.now() - began) / 1000).toFixed(4));
      const { server, clientPort } = this;
      objectLog(this.task.log)({ at, seconds, kind, name: path, bytes, server, clientPort, kbit, ended });
    };
    try {
      const status = await new Promise<number>((resolve, reject) => {
        const request = https.request({
          host: this.host, path, agent: this.agent, lookup: lookup as never, signal: options.signal,
          headers: { ...this.headers, ...options.headers },
        }); // prettier-ignore
        request.on('socket', (socket) => {
          const note = (): void => {
            this.server = socket.remoteAddress ?? this.server;
            this.clientPort = socket.localPort ?? this.clientPort;
          };
          if ((socket as TLSSocket).connecting) {
            socket.once('connect', note);
            // The request leaves when TLS is there.
            socket.once('secureConnect', () => [at, began] = [epoch(), performance.now()]);
          } else note();
        });
        request.on('error', reject);
        request.on('response', (response) => {
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (options.onData) options.onData(chunk, response);
            else chunks.push(chunk);
          });
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', reject);
          response.on('aborted', () => reject(new Error('aborted')));
        });
        request.end();
      });
      if (status >= 400) throw new Error(`${this.host}${path}: HTTP ${status}`);
      record();
      return { bytes, seconds: (performance.now() - began) / 1000, body: Buffer.concat(chunks), status };
    } catch (error) {
      record(options.signal?.aborted ? 'aborted' : 'failed');
      throw error;
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

/** Ends the program with a message that its parent can show. */
export function fail(error: unknown): never {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  process.exit(1);
}
