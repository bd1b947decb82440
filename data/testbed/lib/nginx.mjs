/** nginx with a document root, over HTTP on port 80 and over TLS on port 443. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './process.mjs';

/** Writes `files` ({path: bytes}) as the site and starts nginx in the server's namespace. */
export async function startNginx(session, files) {
  const { folder } = session;
  const root = join(folder, 'site');
  mkdirSync(root, { recursive: true });
  for (const [path, size] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof size === 'number' ? Buffer.alloc(size, 120) : size);
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const lines = [
    'user root; worker_processes 1; daemon off; error_log stderr error;',
    `pid ${folder}/nginx.pid; events { worker_connections 64; }`,
    'http { types { text/html html; text/css css; } default_type application/octet-stream;',
    '  access_log off; sendfile on; tcp_nopush on; keepalive_timeout 65;',
    ...temporary.map((name) => `  ${name}_temp_path ${folder}/nginx-${name};`),
    `  server { listen 80; listen 443 ssl; root ${root};`,
    `    ssl_certificate ${session.shared}/server.crt; ssl_certificate_key ${session.shared}/server.key; }`,
    '}',
  ];
  writeFileSync(join(folder, 'nginx.conf'), `${lines.join('\n')}\n`);
  session.serve(['nginx', '-p', folder, '-c', join(folder, 'nginx.conf')]);
  await session.listening(443);
}

/** The certificate all sessions of a run share. */
export async function makeCertificate(folder) {
  await run([
    'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', join(folder, 'server.key'), '-out', join(folder, 'server.crt'),
    '-days', '30', '-subj', '/CN=example.com',
  ]); // prettier-ignore
}
