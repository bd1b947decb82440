/** dnsmasq as the resolver that knows every name of the session. */
import { writeFileSync } from 'node:fs';
import { run, start, waitFor } from '../lib/process';
import type { Conditions } from './conditions';

/** Starts it in the server's namespace; names it does not know do not exist. */
export async function startResolver(server: string, c: Conditions, folder: string): Promise<void> {
  const lines = ['no-resolv', 'no-hosts', 'user=root', 'bind-interfaces', 'cache-size=0', 'local=/#/'];
  lines.push(`addn-hosts=${folder}/hosts`);
  lines.push(`listen-address=${c.resolver}`, `pid-file=${folder}/dnsmasq.pid`);
  for (const domain of new Set(Object.keys(c.names).map((name) => name.split('.').slice(-2).join('.')))) {
    lines.push(`mx-host=${domain},mail.${domain},10`);
    const text = Array.from({ length: 3 }, (_, i) => `"${`key${i}=`.padEnd(200, 'x')}"`);
    lines.push(`txt-record=${domain},${text.join(',')}`);
  }
  const hosts = Object.entries(c.names).flatMap(([name, addresses]) => addresses.map((a) => `${a} ${name}`));
  writeFileSync(`${folder}/hosts`, `${hosts.join('\n')}\n`);
  writeFileSync(`${folder}/dnsmasq.conf`, `${lines.join('\n')}\n`);
  const dnsmasq = start(['dnsmasq', '-k', '-C', `${folder}/dnsmasq.conf`], { netns: server });
  await waitFor(
    async () => (await run(['ss', '-Hlun', `src ${c.resolver}`], { netns: server })).length > 0,
    10,
    `the resolver (${dnsmasq.errors()})`,
  );
}
