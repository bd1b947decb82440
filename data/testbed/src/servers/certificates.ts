/** The certificates of a run: one authority, and servers with keys and chains as operators have them. */
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lib/process';

export interface Certificate {
  /** What the server sends: its certificate, and the intermediate one if there is one. */
  chain: string;
  key: string;
}

const NAMES = ['example.com', 'example.net', 'example.org'];
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const RSA = ['-newkey', 'rsa:2048'];

/** Makes the authority (`ca.crt`) and three servers' certificates; sessions draw one of them. */
export async function makeCertificates(folder: string): Promise<Certificate[]> {
  const at = (name: string): string => join(folder, name);
  const openssl = (...words: string[]): Promise<string> => run(['openssl', ...words]);
  await openssl('req', '-x509', ...RSA, '-nodes', '-days', '60', '-subj', '/O=Example Trust/CN=Example Root',
    '-keyout', at('ca.key'), '-out', at('ca.crt')); // prettier-ignore
  const issue = async (name: string, key: string[], subject: string, issuer: string, extensions: string): Promise<void> => {
    writeFileSync(at(`${name}.ext`), extensions);
    await openssl('req', ...key, '-nodes', '-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
    await openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at(`${issuer}.crt`), '-CAkey', at(`${issuer}.key`),
      '-CAcreateserial', '-days', '30', '-extfile', at(`${name}.ext`), '-out', at(`${name}.crt`)); // prettier-ignore
  };
  const server = `subjectAltName=${NAMES.flatMap((n) => [`DNS:${n}`, `DNS:*.${n}`]).join(',')}\nextendedKeyUsage=serverAuth\n`;
  await issue('middle', RSA, '/O=Example Trust/CN=Example Intermediate', 'ca', 'basicConstraints=critical,CA:true\n');
  await issue('ec', EC, '/CN=example.com', 'middle', server);
  await issue('rsa', RSA, '/O=Example Operations Inc/L=Springfield/C=US/CN=example.com', 'middle', server);
  await issue('single', RSA, '/CN=example.com', 'ca', server);
  for (const name of ['ec', 'rsa'])
    writeFileSync(at(`${name}.chain`), ['crt'].map((x) => readFileSync(at(`${name}.${x}`), 'utf8')).join('') + readFileSync(at('middle.crt'), 'utf8'));
  return [
    { chain: at('ec.chain'), key: at('ec.key') },
    { chain: at('rsa.chain'), key: at('rsa.key') },
    { chain: at('single.crt'), key: at('single.key') },
  ];
}
