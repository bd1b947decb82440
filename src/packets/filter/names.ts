/*
 * The names that filter expressions know. Protocol numbers: IANA "Protocol Numbers" and "EtherType" registries; ICMP
 * types: RFC 792 and the registry "ICMPv6 Parameters"; ports: the registry "Service Name and Transport Protocol Port
 * Number".
 */

export const EtherType = {
  IP: 0x0800,
  ARP: 0x0806,
  RARP: 0x8035,
  VLAN: 0x8100,
  IP6: 0x86dd,
  MPLS: 0x8847,
  PPPOE_DISCOVERY: 0x8863,
  PPPOE_SESSION: 0x8864,
  QINQ: 0x88a8,
  QINQ_OLD: 0x9100,
} as const;

/** Words that stand for an EtherType or an LLC service access point. */
export const LINK_WORDS: Readonly<Record<string, number>> = {
  ip: EtherType.IP,
  ip6: EtherType.IP6,
  arp: EtherType.ARP,
  rarp: EtherType.RARP,
  pppoed: EtherType.PPPOE_DISCOVERY,
  decnet: 0x6003,
  lat: 0x6004,
  moprc: 0x6002,
  mopdl: 0x6001,
  stp: 0x42,
};

/** IP protocol words, with the IP version in which the bare word looks for them. */
export const IP_PROTOCOLS: Readonly<
  Record<string, readonly [number: number, family: 'ip' | 'ip6' | 'both']>
> = {
  tcp: [6, 'both'],
  udp: [17, 'both'],
  sctp: [132, 'both'],
  icmp: [1, 'ip'],
  icmp6: [58, 'ip6'],
  igmp: [2, 'ip'],
  igrp: [9, 'ip'],
  pim: [103, 'both'],
  vrrp: [112, 'ip'],
  carp: [112, 'ip'],
  ah: [51, 'both'],
  esp: [50, 'both'],
};

/** Further names after `proto`. */
export const MORE_IP_PROTOCOLS: Readonly<Record<string, number>> = {
  gre: 47,
  ospf: 89,
  ipip: 4,
  ipv6: 41,
  'ipv6-icmp': 58,
  rsvp: 46,
  udplite: 136,
};

/** Constants of byte tests. */
export const CONSTANTS: Readonly<Record<string, number>> = {
  tcpflags: 13,
  'tcp-fin': 0x01,
  'tcp-syn': 0x02,
  'tcp-rst': 0x04,
  'tcp-push': 0x08,
  'tcp-ack': 0x10,
  'tcp-urg': 0x20,
  'tcp-ece': 0x40,
  'tcp-cwr': 0x80,
  icmptype: 0,
  icmpcode: 1,
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-sourcequench': 4,
  'icmp-redirect': 5,
  'icmp-echo': 8,
  'icmp-routeradvert': 9,
  'icmp-routersolicit': 10,
  'icmp-timxceed': 11,
  'icmp-paramprob': 12,
  'icmp-tstamp': 13,
  'icmp-tstampreply': 14,
  'icmp-ireq': 15,
  'icmp-ireqreply': 16,
  'icmp-maskreq': 17,
  'icmp-maskreply': 18,
  icmp6type: 0,
  icmp6code: 1,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-parameterproblem': 4,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-multicastlistenerquery': 130,
  'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132,
  'icmp6-routersolicit': 133,
  'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
  'icmp6-redirect': 137,
};

const TCP = 6;
const UDP = 17;
const SCTP = 132;

/** Transport protocols that have ports. */
export const PORT_PROTOCOLS: Readonly<Record<string, number>> = { tcp: TCP, udp: UDP, sctp: SCTP };

/** Service names: the port, and the one protocol that has it, if it is only one. */
export const SERVICES: Readonly<Record<string, readonly [port: number, protocol?: number]>> = {
  'ftp-data': [20, TCP],
  ftp: [21, TCP],
  ssh: [22, TCP],
  telnet: [23, TCP],
  smtp: [25, TCP],
  domain: [53],
  bootps: [67, UDP],
  bootpc: [68, UDP],
  tftp: [69, UDP],
  http: [80, TCP],
  kerberos: [88],
  pop3: [110, TCP],
  sunrpc: [111],
  ntp: [123, UDP],
  'netbios-ns': [137, UDP],
  'netbios-dgm': [138, UDP],
  'netbios-ssn': [139, TCP],
  imap2: [143, TCP],
  snmp: [161],
  'snmp-trap': [162],
  bgp: [179, TCP],
  ldap: [389],
  https: [443],
  'microsoft-ds': [445],
  syslog: [514, UDP],
  submission: [587, TCP],
  ldaps: [636],
  imaps: [993, TCP],
  pop3s: [995, TCP],
  'ms-sql-s': [1433],
  radius: [1812],
  mysql: [3306, TCP],
  mqtt: [1883, TCP],
  'ms-wbt-server': [3389],
  sip: [5060],
  'sip-tls': [5061],
  mdns: [5353],
  postgresql: [5432, TCP],
  'secure-mqtt': [8883, TCP],
};
