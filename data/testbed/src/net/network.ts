/**
 * One session's network: a client, one to five routers, a wire with delay, and a server that has
 * all the addresses of the application's servers; each in its own network namespace, joined by veth.
 *
 *   client -- router 1 -- ... -- router n -- wire -- server
 *
 * Offloads are off everywhere, so segments and checksums are what a wire would carry. The bottleneck
 * (tbf) is where router 1 sends to the client and where the client sends. Delay, jitter, loss and
 * reordering are the wire's: netem where the kernel has it, our relay (wire/wire.c) where not.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { run, sleep, start, waitFor, type Running } from '../lib/process';
import type { Conditions } from './conditions';
import { removeNamespaces } from './namespaces';
import { startResolver } from './resolver';
import { netemArguments, relayArguments, type WireKind } from './wire';

export interface Network {
  /** Names of the namespaces at both ends. */
  client: string;
  server: string;
  /** The bottleneck's rate changes as the conditions say, counted from now. */
  startRateSteps(): void;
  /** The address that the server's programs take when they do not bind to one. */
  serveFrom(address: string): Promise<void>;
  /** What the relay did, towards the client and away from it; null with netem. */
  wireCounts(): Promise<WireCounts | null>;
  remove(): Promise<void>;
}

export interface WireCounts {
  forwarded: number;
  lost: number;
  reordered: number;
}

export interface NetworkOptions {
  /** Begins the names of the namespaces; no other session may use it at the same time. */
  prefix: string;
  /** For configuration files. */
  folder: string;
  wire: WireKind;
  /** The compiled relay. */
  relay: string;
  /** Seed of the relay's losses and jitter. */
  seed: number;
}

const OFFLOADS = 'tx off rx off sg off tso off gso off gro off';

/** Builds the namespaces and starts the wire and the resolver. */
export async function buildNetwork(c: Conditions, options: NetworkOptions): Promise<Network> {
  const { prefix, folder, wire } = options;
  const node = (name: string): string => `${prefix}${name}`;
  const routers = Array.from({ length: c.hops }, (_, i) => node(`r${i + 1}`));
  const [client, relay, server] = [node('c'), node('w'), node('s')];
  const all = [client, ...routers, ...(wire === 'relay' ? [relay] : []), server];
  let removed = false;
  let wireProgram: Running | undefined;
  const timers: NodeJS.Timeout[] = [];
  const remove = async (): Promise<void> => {
    removed = true;
    timers.forEach(clearTimeout);
    await removeNamespaces(all);
    rmSync(`/etc/netns/${client}`, { recursive: true, force: true });
  };
  try {
    mkdirSync(`/etc/netns/${client}`, { recursive: true });
    writeFileSync(`/etc/netns/${client}/resolv.conf`, `nameserver ${c.resolver}\n`);
    await run(['bash', '-s'], { input: script(c, { client, routers, relay, server, all, wire }) });
    if (wire === 'relay') {
      wireProgram = start([options.relay, 'left', 'right', ...relayArguments(c, options.seed)], { netns: relay });
      await waitFor(() => wireProgram!.output().includes('ready'), 10, `the wire (${wireProgram.errors()})`);
    }
    await startResolver(server, c, folder);
  } catch (error) {
    await remove();
    throw error;
  }
  const changeRate = async (mbit: number): Promise<void> => {
    if (!removed)
      await start(['tc', '-n', routers[0], 'qdisc', 'change', 'dev', 'lan', 'root', ...tbf(mbit, c.queueMs)]).done;
  };
  return {
    client,
    server,
    remove,
    async serveFrom(address) {
      // Programs look at the source of the default route, or at the interface's first address.
      const others = [...c.servers, c.resolver].filter((other) => other !== address);
      const lines = [`route replace ${defaultRoute(c, address)}`];
      for (const word of ['del', 'add']) lines.push(...others.map((a) => `addr ${word} ${a}/32 dev eth0`));
      await run(['ip', '-n', server, '-batch', '-'], { input: `${lines.join('\n')}\n` });
    },
    startRateSteps() {
      for (const { atSeconds, factor } of c.rateSteps)
        timers.push(setTimeout(() => void changeRate(c.downMbit * factor), atSeconds * 1000));
    },
    async wireCounts() {
      if (!wireProgram) return null;
      wireProgram.kill('SIGTERM');
      const { stdout } = await Promise.race([
        wireProgram.done,
        sleep(2).then(() => ({ stdout: '' })),
      ]);
      const line = stdout.split('\n').find((text) => text.startsWith('['));
      if (!line) return null;
      const [up, down] = JSON.parse(line) as (WireCounts & { overflowed: number })[];
      if (up.overflowed + down.overflowed > 0) throw new Error('the relay could not keep up');
      const pick = (way: WireCounts): WireCounts => ({
        forwarded: way.forwarded,
        lost: way.lost,
        reordered: way.reordered,
      });
      return { ...sum(pick(up), pick(down)) };
    },
  };
}

const sum = (a: WireCounts, b: WireCounts): WireCounts => ({
  forwarded: a.forwarded + b.forwarded,
  lost: a.lost + b.lost,
  reordered: a.reordered + b.reordered,
});

const tbf = (mbit: number, queueMs: number): string[] =>
  `tbf rate ${Math.round(mbit * 1000)}kbit burst 8kb latency ${queueMs}ms`.split(' ');

/** The server's way to the client; the last router is `100.64.N.1`. */
const defaultRoute = (c: Conditions, source: string): string =>
  `default via 100.64.${c.hops - 1}.1 dev eth0 src ${source} window ${c.serverWindow} mtu ${Math.min(c.mtu, c.serverMtu)} congctl ${c.congestion}`;

interface Nodes {
  client: string;
  routers: string[];
  relay: string;
  server: string;
  all: string[];
  wire: WireKind;
}

/** The shell script that builds everything; the first command that fails ends it. */
function script(c: Conditions, { client, routers, relay, server, all, wire }: Nodes): string {
  const lines = ['set -eu'];
  for (const ns of all) lines.push(`ip netns add ${ns}`, `ip -n ${ns} link set lo up`);
  /** Sysctls of one namespace, in one go. */
  const sysctl = (ns: string, values: string): void =>
    void lines.push(`ip netns exec ${ns} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 ${values}`);
  /** A veth pair between two namespaces, up, without offloads. */
  const link = (a: string, aName: string, aMac: string, b: string, bName: string, bMac: string): void => {
    lines.push(
      `ip link add name ${aName} netns ${a} ${aMac && `address ${aMac}`} type veth ` +
        `peer name ${bName} netns ${b} ${bMac && `address ${bMac}`}`,
    );
    for (const [ns, name] of [[a, aName], [b, bName]]) // prettier-ignore
      lines.push(`ip netns exec ${ns} ethtool -K ${name} ${OFFLOADS}`, `ip -n ${ns} link set ${name} up`);
  };
  const ends = (window: number): string =>
    `net.ipv4.tcp_timestamps=${Number(c.timestamps)} net.ipv4.tcp_sack=${Number(c.sack)} ` +
    `net.ipv4.tcp_window_scaling=${Number(c.windowScaling)} net.ipv4.tcp_ecn=2 ` +
    // Linux's defaults, whatever this machine has, or more for a larger window.
    `'net.ipv4.tcp_rmem=4096 131072 ${Math.max(6291456, window)}' 'net.ipv4.tcp_wmem=4096 16384 4194304' ` +
    // A connection starts as if no other had been there before.
    `net.ipv4.tcp_no_metrics_save=1`;
  sysctl(client, `${ends(c.clientWindow)} 'net.ipv4.ip_local_port_range=${c.portRange}'`);
  sysctl(server, ends(c.serverWindow));
  for (const router of routers) sysctl(router, 'net.ipv4.ip_forward=1');

  const last = routers.length - 1;
  link(client, 'eth0', c.clientMac, routers[0], 'lan', c.routerMac);
  routers.slice(1).forEach((router, i) => link(routers[i], 'wan', '', router, 'lan', ''));
  if (wire === 'relay') {
    link(routers[last], 'wan', '', relay, 'left', '');
    link(relay, 'right', '', server, 'eth0', '');
  } else link(routers[last], 'wan', '', server, 'eth0', '');

  const gateway = c.client.replace(/\d+$/, '1');
  lines.push(
    `ip -n ${client} addr add ${c.client}/24 dev eth0`,
    `ip -n ${client} link set eth0 mtu ${c.mtu}`,
    `ip -n ${server} link set eth0 mtu ${c.mtu}`,
    `ip -n ${client} route add default via ${gateway} window ${c.clientWindow} congctl ${c.congestion}`,
    `ip -n ${routers[0]} addr add ${gateway}/24 dev lan`,
  );
  routers.forEach((router, i) => {
    const next = i < last ? routers[i + 1] : server;
    const [near, far] = [`100.64.${i}.1`, `100.64.${i}.2`];
    lines.push(`ip -n ${router} addr add ${near}/30 dev wan`);
    if (next === server) {
      // The server has no other addresses than its public ones; the last router finds each by ARP.
      for (const address of [...c.servers, c.resolver]) lines.push(`ip -n ${server} addr add ${address}/32 dev eth0`);
      lines.push(
        `ip -n ${router} route add default dev wan`,
        `ip -n ${server} route add ${near}/32 dev eth0`,
        `ip -n ${server} route add ${defaultRoute(c, c.servers[0])}`,
      );
    } else
      lines.push(
        `ip -n ${next} addr add ${far}/30 dev lan`,
        `ip -n ${router} route add default via ${far}`,
        `ip -n ${next} route add ${c.client}/32 via ${near}`,
      );
  });
  lines.push(
    `tc -n ${routers[0]} qdisc add dev lan root ${tbf(c.downMbit, c.queueMs).join(' ')}`,
    `tc -n ${client} qdisc add dev eth0 root ${tbf(c.upMbit, c.queueMs).join(' ')}`,
  );
  if (wire === 'netem')
    for (const [ns, device] of [[routers[last], 'wan'], [server, 'eth0']]) // prettier-ignore
      lines.push(`tc -n ${ns} qdisc add dev ${device} root ${netemArguments(c).join(' ')}`);
  return lines.join('\n');
}
