/** nginx over TLS, with a log of what it really served. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ObjectRecord } from '../programs/client';
import type { Session } from '../session';

export interface NginxOptions {
  http2: boolean;
  /** Size of TLS records. */
  sslBuffer?: string;
  /** Small files of this session: path -> bytes, or how many filler bytes. */
  files?: Record<string, Buffer | number>;
  /** Folder served under /media/. */
  media?: string;
  /** Answers to POST have no body and this status. */
  more?: string;
}

/** Starts nginx in the server's namespace on port 443. */
export async function startNginx(session: Session, options: NginxOptions): Promise<void> {
  const { folder, certificate } = session;
  const root = join(folder, 'site');
  mkdirSync(root, { recursive: true });
  for (const [path, body] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof body === 'number' ? session.filler(body) : body);
  }
  const listen = ['443 ssl', options.http2 ? 'http2' : ''];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const log =
    '{"at":$msec,"seconds":$request_time,"name":"$request_uri","bytes":$body_bytes_sent,' +
    '"server":"$server_addr","clientPort":$remote_port,"status":$status,"host":"$host"}';
  const lines = [
    'user root; worker_processes 1; daemon off; error_log stderr error;',
    `pid ${folder}/nginx.pid; events { worker_connections 128; }`,
    'http { types { text/html html; text/css css; application/javascript js; image/jpeg jpg; font/woff2 woff2; }',
    `  default_type application/octet-stream; log_format objects escape=json '${log}';`,
    `  access_log ${folder}/access.log objects; sendfile on; tcp_nopush on; keepalive_timeout 65;`,
    ...temporary.map((name) => `  ${name}_temp_path ${folder}/nginx-${name};`),
    `  server { listen ${listen.filter(Boolean).join(' ')};`,
    `    ssl_certificate ${certificate.chain}; ssl_certificate_key ${certificate.key};`,
    `    ssl_buffer_size ${options.sslBuffer ?? '16k'}; root ${root}; client_max_body_size 20m;`,
    options.media ? `    location /media/ { alias ${options.media}/; }` : '',
    options.more ?? '',
    '  } }',
  ];
  writeFileSync(join(folder, 'nginx.conf'), `${lines.join('\n')}\n`);
  session.serve(['nginx', '-p', folder, '-c', join(folder, 'nginx.conf')]);
  await session.listening(443);
}

/** What nginx served, for clients that keep no log of their own: times are the server's. */
export function servedObjects(folder: string, kindOf: (name: string) => string): ObjectRecord[] {
  const path = join(folder, 'access.log');
  if (!existsSync(path)) return [];
  type Line = ObjectRecord & { status: number };
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
    .filter(({ status }) => status !== 400)
    .map(({ at, seconds, name, bytes, server, clientPort, status }) => ({
      at: Number((at - seconds).toFixed(3)),
      seconds, kind: kindOf(name), name, bytes, server, clientPort,
      ...(status === 499 && { ended: 'aborted' as const }),
    })); // prettier-ignore
}
