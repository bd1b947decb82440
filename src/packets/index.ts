export * from './addresses';
export * from './anonymise';
export * from './arp';
export * from './checksum';
export * from './ciscoHdlc';
export { decodeFrame, decodePacket, MAX_LAYERS, type DecodeOptions } from './decode';
export * from './dhcp';
export * from './dns';
export * from './dnsNames';
export { encodePacket, layer } from './encode';
export * from './ethernet';
export * from './fddi';
export * from './fields';
export * from './filter';
export * from './geneve';
export * from './gre';
export * from './gtpu';
export * from './headers';
export * from './hexdump';
export * from './icmp';
export * from './icmpv6';
export * from './ieee80211';
export * from './igmp';
export * from './ipsec';
export * from './ipv4';
export * from './ipv4Options';
export * from './ipv6';
export * from './ipv6Extensions';
export * from './ipv6Options';
export * from './layers';
export { nameLinkType } from './linkTypes';
export * from './linuxCooked';
export * from './llc';
export * from './locate';
export * from './loopback';
export * from './mpls';
export * from './nflog';
export * from './nprint';
export * from './packet';
export * from './ppp';
export * from './pppoe';
export * from './protocol';
export {
  IpProtocol,
  nameIpProtocol,
  nearestIpLayer,
  pseudoHeaderSum,
  pseudoHeaderSumOf,
} from './pseudoHeader';
export * from './quic';
export * from './radiotap';
export { Reassembler, type ReassemblerOptions, type ReassemblyCounts } from './reassembly';
export { nextProtocol, protocolNamed, registerLayer } from './registry';
export * from './rtcp';
export { RTP_FIELDS, RTP_HEADER_BYTES, rtpProtocol, type RtpFields } from './rtp';
export * from './sctp';
export * from './show';
export * from './stun';
export * from './summarize';
export * from './tcp';
export * from './tcpOptions';
export * from './tls';
export * from './udp';
export * from './vlan';
export * from './vxlan';
