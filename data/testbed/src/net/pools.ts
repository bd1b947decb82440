/**
 * Where addresses, MACs, names and headers come from. One pool for all classes, drawn anew for each
 * session: no value of it may tell an application.
 */
import type { Random } from '../lib/random';

/** Vendor prefixes of MAC addresses: laptops and phones, home routers. */
const CLIENT_VENDORS = ['3c:52:82', 'a4:83:e7', '8c:85:90', 'f0:18:98', '5c:e9:1e', '04:ea:56'];
const ROUTER_VENDORS = ['00:1b:21', '70:4d:7b', 'c8:0e:14', 'e0:28:6d'];

/** Blocks that RFC 5737 and RFC 2544 set aside: no address here is anybody's. */
const SERVER_BLOCKS = ['203.0.113', '198.51.100', '192.0.2'];
const SERVERS_PER_BLOCK = 250;

/** Labels of host names; the domains are RFC 2606's. */
const HOSTS = [
  'www', 'static', 'img', 'cdn', 'cdn2', 'edge1', 'edge2', 'media', 'assets', 'api', 'login', 'files',
  'video', 'live', 'voice', 'chat', 'news', 'shop', 'hub', 'push', 'events', 'data', 'a', 'b',
]; // prettier-ignore
const DOMAINS = ['example.com', 'example.net', 'example.org'];

/** A private address (RFC 1918) as home, office and phone networks give it. */
export function drawClient(rng: Random): string {
  const network = rng.pick([
    () => `192.168.${rng.pick([0, 1, 2, 8, 50, 100, 178, 188])}`,
    () => `10.${rng.integer(0, 40)}.${rng.integer(0, 40)}`,
    () => `172.${rng.integer(16, 31)}.${rng.integer(0, 20)}`,
  ])();
  return `${network}.${rng.integer(2, 250)}`;
}

/** `count` different server addresses; the first may be the resolver, the rest serve applications. */
export function drawServers(rng: Random, count: number): string[] {
  const all = SERVER_BLOCKS.flatMap((block) =>
    Array.from({ length: SERVERS_PER_BLOCK }, (_, i) => `${block}.${i + 2}`),
  );
  return rng.sample(all, count);
}

/** `count` different host names of one to three domains. */
export function drawNames(rng: Random, count: number): string[] {
  const domains = rng.sample(DOMAINS, rng.integer(1, 3));
  return rng.sample(HOSTS, count).map((host) => `${host}.${rng.pick(domains)}`);
}

export const drawClientMac = (rng: Random): string => mac(rng, CLIENT_VENDORS);
export const drawRouterMac = (rng: Random): string => mac(rng, ROUTER_VENDORS);

function mac(rng: Random, vendors: string[]): string {
  const rest = Array.from({ length: 3 }, () => rng.integer(0, 255).toString(16).padStart(2, '0'));
  return [rng.pick(vendors), ...rest].join(':');
}

/** The port ranges operating systems draw a client's ports from. */
export const PORT_RANGES = ['32768 60999', '49152 65535', '10000 65000'];

export const USER_AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15',
]; // prettier-ignore
