/**
 * One session's network: a client, one to three routers, a delaying wire and a server, each in
 * its own network namespace, joined by veth pairs.
 *
 *   client -- router 1 -- ... -- router n -- wire -- server
 *
 * Offloads are off everywhere, so segments and checksums are what a wire would carry. The
 * bottleneck (tbf) is where router 1 sends to the client and where the client sends; the delay is
 * the wire's. Addresses, MACs and names come from pools that all applications share.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run, sleep, start, waitFor } from './process.mjs';

const WIRE = fileURLToPath(new URL('wire.py', import.meta.url));

const CLIENTS = [
  '192.168.1.23', '192.168.1.104', '192.168.8.57', '192.168.178.31',
  '10.0.0.12', '10.20.4.88', '172.16.5.9', '172.20.10.4',
]; // prettier-ignore
const SERVERS = [
  '203.0.113.10', '203.0.113.34', '203.0.113.80', '198.51.100.7',
  '198.51.100.21', '198.51.100.90', '192.0.2.44', '192.0.2.130',
]; // prettier-ignore
const RESOLVERS = ['198.51.100.53', '203.0.113.53'];
const CLIENT_MACS = [
  '3c:52:82:1a:40:07', '3c:52:82:6b:91:d2', 'a4:83:e7:05:3e:4c', 'a4:83:e7:c8:12:f9',
]; // prettier-ignore
const ROUTER_MACS = [
  '00:1b:21:70:0a:11', '00:1b:21:9e:44:35', '70:4d:7b:22:c6:80', '70:4d:7b:e1:08:5f',
]; // prettier-ignore
export const NAMES = [
  'www.example.com', 'static.example.com', 'img.example.com', 'cdn.example.com',
  'video.example.com', 'api.example.com', 'mail.example.com', 'shop.example.com',
  'www.example.net', 'assets.example.net', 'media.example.net', 'files.example.net',
  'broker.example.net', 'voice.example.net', 'login.example.net',
  'www.example.org', 'news.example.org', 'edge.example.org', 'build.example.org', 'hub.example.org',
]; // prettier-ignore

/** Draws a session's conditions: addresses, path, shaping and TCP options. */
export function drawConditions(rng) {
  const servers = rng.sample(SERVERS, 3);
  const names = Object.fromEntries(
    rng.sample(NAMES, NAMES.length).map((name, i) => [name, servers[i % servers.length]]),
  );
  return {
    client: rng.pick(CLIENTS),
    servers,
    resolver: rng.pick(RESOLVERS),
    names,
    clientMac: rng.pick(CLIENT_MACS),
    routerMac: rng.pick(ROUTER_MACS),
    hops: rng.integer(1, 3),
    mtu: rng.chance(0.75) ? 1500 : 1400,
    downMbit: rng.pick([6, 10, 20, 40]),
    upMbit: rng.pick([3, 6, 10]),
    queueMs: rng.pick([60, 150, 300]),
    delayMs: rng.pick([2, 5, 10, 20]),
    loss: rng.chance(0.15) ? 0.005 : 0,
    congestion: rng.pick(['cubic', 'cubic', 'reno', 'bbr']),
    timestamps: rng.chance(0.75) ? 1 : 0,
    sack: rng.chance(0.85) ? 1 : 0,
    windowScaling: rng.chance(0.9) ? 1 : 0,
  };
}

/** Builds the namespaces; returns their names, the names server and `remove()`. */
export async function buildNetwork(prefix, c, folder) {
  const node = (name) => `${prefix}-${name}`;
  const routers = Array.from({ length: c.hops }, (_, i) => node(`r${i + 1}`));
  const [client, wire, server] = [node('c'), node('w'), node('s')];
  const all = [client, ...routers, wire, server];
  const gateway = c.client.replace(/\d+$/, '1');
  const last = routers.length - 1;
  const script = ['set -eu'];
  for (const ns of all)
    script.push(
      `ip netns add ${ns}`,
      `ip netns exec ${ns} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`,
      `ip -n ${ns} link set lo up`,
    );
  /** A veth pair between two namespaces, up, without offloads. */
  const link = (a, aName, aOptions, b, bName, bOptions) => {
    script.push(
      `ip link add name ${aName} netns ${a} ${aOptions} type veth peer name ${bName} netns ${b} ${bOptions}`,
    );
    for (const [ns, name] of [
      [a, aName],
      [b, bName],
    ])
      // prettier-ignore
      script.push(
        `ip netns exec ${ns} ethtool -K ${name} tx off sg off tso off gso off gro off`,
        `ip -n ${ns} link set ${name} up`,
      );
  };
  link(client, 'eth0', `address ${c.clientMac}`, routers[0], 'lan', `address ${c.routerMac}`);
  routers.slice(1).forEach((r, i) => link(routers[i], 'wan', '', r, 'lan', ''));
  link(routers[last], 'wan', '', wire, 'left', '');
  link(wire, 'right', '', server, 'eth0', '');
  script.push(
    `ip -n ${client} addr add ${c.client}/24 dev eth0`,
    `ip -n ${client} link set eth0 mtu ${c.mtu}`,
    `ip -n ${server} link set eth0 mtu ${c.mtu}`,
    `ip -n ${client} route add default via ${gateway} congctl ${c.congestion}`,
    `ip -n ${routers[0]} addr add ${gateway}/24 dev lan`,
  );
  routers.forEach((r, i) => {
    const next = i < last ? routers[i + 1] : server;
    const [near, far] = [`100.64.${i}.1`, `100.64.${i}.2`];
    script.push(
      `ip netns exec ${r} sysctl -qw net.ipv4.ip_forward=1`,
      `ip -n ${r} addr add ${near}/30 dev wan`,
      `ip -n ${next} addr add ${far}/30 dev ${next === server ? 'eth0' : 'lan'}`,
      `ip -n ${r} route add default via ${far}`,
      `ip -n ${next} route add ${next === server ? `default via ${near} congctl ${c.congestion}` : `${c.client}/32 via ${near}`}`,
    );
  });
  for (const address of [...c.servers, c.resolver])
    script.push(`ip -n ${server} addr add ${address}/32 dev lo`);
  for (const ns of [client, server])
    script.push(
      `ip netns exec ${ns} sysctl -qw net.ipv4.tcp_timestamps=${c.timestamps} net.ipv4.tcp_sack=${c.sack} ` +
        `net.ipv4.tcp_window_scaling=${c.windowScaling}`,
      // The kernel's defaults, whatever this machine has: they decide the window scale offered.
      `ip netns exec ${ns} sysctl -qw 'net.ipv4.tcp_rmem=4096 131072 6291456' ` +
        `'net.ipv4.tcp_wmem=4096 16384 4194304' net.ipv4.tcp_ecn=2`,
    );
  const tbf = (mbit) => `tbf rate ${mbit}mbit burst 8kb latency ${c.queueMs}ms`;
  script.push(
    `tc -n ${routers[0]} qdisc add dev lan root ${tbf(c.downMbit)}`,
    `tc -n ${client} qdisc add dev eth0 root ${tbf(c.upMbit)}`,
  );
  const etc = `/etc/netns/${client}`;
  const remove = async () => {
    await removeNamespaces(all);
    rmSync(etc, { recursive: true, force: true });
  };
  try {
    mkdirSync(etc, { recursive: true });
    writeFileSync(`${etc}/resolv.conf`, `nameserver ${c.resolver}\n`);
    await run(['bash', '-s'], { input: script.join('\n') });
    const relay = start(
      ['python3', '-S', '-E', WIRE, 'left', 'right', String(c.delayMs), String(c.loss), prefix],
      { netns: wire },
    );
    await waitFor(() => relay.output().includes('ready'), 10, 'the wire');
    await startResolver(server, c, folder);
  } catch (error) {
    await remove();
    throw error;
  }
  return { client, server, remove };
}

/**
 * Ends what runs in our namespaces, by process id, and deletes them. One that has gone meanwhile
 * (a stopped run and its sessions clean up at the same time) is no error.
 */
export async function removeNamespaces(names) {
  const existing = await listNamespaces();
  const ours = names.filter((name) => existing.includes(name));
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    let left = 0;
    for (const ns of ours)
      for (const pid of (await output(['ip', 'netns', 'pids', ns])).split('\n').filter(Boolean)) {
        left++;
        try {
          process.kill(Number(pid), signal);
        } catch {
          // it has ended by itself
        }
      }
    if (left > 0) await sleep(0.15);
  }
  for (const ns of ours) await output(['ip', 'netns', 'del', ns]);
}

/** The names of all network namespaces. */
export async function listNamespaces() {
  return (await output(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0]);
}

const output = async (command) => (await start(command, { input: '' }).done).stdout;

/** dnsmasq as the resolver that knows every name of the session, with long TXT records. */
async function startResolver(server, c, folder) {
  const lines = ['no-resolv', 'no-hosts', 'user=root', 'bind-interfaces', 'cache-size=0'];
  lines.push(`listen-address=${c.resolver}`, `pid-file=${folder}/dnsmasq.pid`);
  for (const domain of ['example.com', 'example.net', 'example.org']) {
    lines.push(`local=/${domain}/`, `mx-host=${domain},mail.example.com,10`);
    const text = Array.from({ length: 3 }, (_, i) => `"${`key${i}=`.padEnd(200, 'x')}"`);
    lines.push(`txt-record=${domain},${text.join(',')}`);
  }
  for (const [name, address] of Object.entries(c.names)) lines.push(`host-record=${name},${address}`);
  writeFileSync(`${folder}/dnsmasq.conf`, `${lines.join('\n')}\n`);
  const dnsmasq = start(['dnsmasq', '-k', '-C', `${folder}/dnsmasq.conf`], { netns: server });
  await waitFor(
    async () => (await run(['ss', '-Hlun', `src ${c.resolver}`], { netns: server })).length > 0,
    10,
    `the resolver (${dnsmasq.errors()})`,
  );
}
