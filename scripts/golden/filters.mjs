/**
 * How many packets tcpdump prints for each expression and capture: test/packets/filter.golden.json.
 *
 *   node scripts/golden/filters.mjs        needs tcpdump, and ../shared/data for the captures that are not committed
 *
 * Expressions that tcpdump refuses for a link type (it has no VLANs over PPP) are left out for that capture.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const COMMITTED = ['web/web-01', 'dns/dns-01', 'voip/voip-01', 'mqtt/mqtt-01'].map(
  (name) => `data/captures/${name}.pcap`,
);

const SHARED = [
  ...[
    'vlan-http',
    'mixed-vlan-mpls',
    'pppoe-over-qinq',
    'mpls-in-vlan',
    'ipv4-fragments',
    'ipv6-fragmented-dns',
  ],
  ...[
    'snaplen68-truncated-tcp-header',
    'linktype101-raw-ip-v4-v6',
    'linktype113-sll-handshake',
    'sctp',
    'arp-only',
  ],
  ...['linktype276-sll2-http', 'linktype9-ppp-quic', 'linktype104-chdlc-http', 'linktype10-fddi-llc'],
  ...['linktype127-radiotap-80211-http', 'linktype0-loopback-http', 'linktype228-ipv4', 'linktype229-ipv6'],
  ...['ethernet-8023-snap-tcp', 'gre-within-gre', 'ipv6-extension-headers-hbh'],
]
  .map((name) => `robustness/valid/${name}.pcap`)
  .concat(['robustness/malformed/zeek-ip4-trunc.pcap', 'robustness/malformed/ndpi-badpackets.pcap'])
  .concat(['pcaps/discord/ndpi-discord.pcap', 'pcaps/twitter/ndpi-reddit-twitter-flows.pcap']);

const EXPRESSIONS = [
  ...[
    '',
    'ip',
    'ip6',
    'arp',
    'rarp',
    'tcp',
    'udp',
    'sctp',
    'icmp',
    'icmp6',
    'igmp',
    'pim',
    'ah or esp',
    'stp',
  ],
  ...[
    'not tcp',
    '!(tcp || udp)',
    'udp or tcp and port 443',
    'tcp and not port 443 or udp',
    'not udp port 53 and not arp',
  ],
  ...[
    'port 80 or 443',
    'port 53',
    'udp port 53',
    'tcp dst port ssh',
    'port http or port https or port domain',
  ],
  ...[
    'src port 443',
    'dst port 443',
    'portrange 1000-2000',
    'src or dst portrange 0-1023',
    'src and dst port 53',
  ],
  ...[
    'tcp src port 80 and tcp dst portrange 1024-65535',
    'tcp portrange 0-1023 and len < 100',
    'not port 53',
  ],
  ...[
    'host 192.168.1.1',
    'net 192.168.0.0/16',
    'src net 10',
    'dst net 192.168',
    'net 10 or net 172.16.0.0/12',
  ],
  ...['net 192.168.0.0 mask 255.255.0.0', 'src and dst net 192.168.0.0/16', 'net 0.0.0.0/0', 'net ::/0'],
  ...['ip6 net fe80::/10', 'host ff02::1', 'dst host 224.0.0.251 and udp', 'not host 192.168.1.1'],
  ...['ether multicast', 'broadcast', 'ip multicast', 'ip6 multicast', 'ether host ff:ff:ff:ff:ff:ff'],
  ...[
    'ether src 00:00:00:00:00:00',
    'ether proto 0x0800',
    'ether proto \\arp',
    'ip proto 17',
    'ip proto \\tcp',
    'proto 6',
  ],
  ...['ip6 proto 58', 'greater 200', 'less 100', 'len > 1000', 'ether[0] & 1 = 1', 'ether[12:2] <= 1500'],
  ...['tcp[tcpflags] & (tcp-syn|tcp-fin) != 0', 'tcp[tcpflags] == tcp-syn', 'tcp[13] & 2 != 0'],
  ...['tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn', 'tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420'],
  ...[
    'ip[6:2] & 0x1fff != 0',
    'ip[8] < 64',
    'ip[0] & 0xf != 5',
    'ip[2:2] > 500',
    'ip6[6] = 44',
    'udp[0:2] = 53',
  ],
  ...[
    'icmp[icmptype] = icmp-echo',
    'icmp6[0] == 135',
    '((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0',
  ],
  ...['vlan', 'vlan 100', 'vlan and ip', 'vlan and tcp port 80', 'vlan and vlan and tcp', 'not vlan and ip'],
  ...[
    'mpls',
    'mpls 1024',
    'mpls and ip',
    'vlan and mpls',
    'mpls and mpls and ip',
    'pppoed',
    'pppoes',
    'pppoes and ip',
  ],
  ...['vlan and pppoes and ip6', 'vlan and vlan and pppoes and ip6', 'inbound', 'outbound'],
];

function count(path, expression) {
  const run = spawnSync('tcpdump', ['-n', '-r', path, '--count', expression], { encoding: 'utf8' });
  const found = /^(\d+) packets?/m.exec(run.stdout);
  return found ? Number(found[1]) : undefined;
}

function countsOf(folder, names) {
  const counts = {};
  for (const name of names) {
    counts[name] = {};
    for (const expression of EXPRESSIONS) {
      const n = count(join(folder, name), expression);
      if (n !== undefined) counts[name][expression] = n;
    }
    if (Object.keys(counts[name]).length === 0) throw new Error(`tcpdump cannot read ${name}`);
  }
  return counts;
}

const { stdout } = spawnSync('tcpdump', ['--version'], { encoding: 'utf8' });
const golden = {
  tcpdump: stdout.split('\n').slice(0, 2).join(', '),
  committed: countsOf(root, COMMITTED),
  shared: countsOf(join(root, '..', 'shared', 'data'), SHARED),
};
writeFileSync(join(root, 'test', 'packets', 'filter.golden.json'), `${JSON.stringify(golden, null, 1)}\n`);
