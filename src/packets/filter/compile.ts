import type { FilterNode, Direction } from './ast';
import { linkState, mplsTest, pppoeTest, typeTest, vlanTest, type LinkState, type Test } from './link';
import { EtherType } from './names';
import { compileRelation } from './relation';

/*
 * An expression becomes closures over fixed offsets, one set for each link type. The order in which bytes are read is
 * tcpdump's, since a read beyond the captured bytes rejects the frame.
 */

/** IPv4: protocol, fragment, addresses. IPv6: next header, and the next header of a fragment header behind it. */
const IP4 = { protocol: 9, fragment: 6, src: 12, dst: 16 } as const;
const IP6 = { next: 6, src: 8, dst: 24, headerBytes: 40 } as const;
const ARP = { src: 14, dst: 24 } as const;
const FRAGMENT_HEADER = 44;
const NEVER: Test = () => false;

/** The test of an expression for frames of one link type. Walks it from left to right, as `vlan` asks for. */
export function compile(node: FilterNode, linkType: number): Test {
  return compileNode(node, linkState(linkType));
}

function compileNode(node: FilterNode, link: LinkState): Test {
  switch (node.kind) {
    case 'and':
    case 'or':
      return compileChain(node, link);
    case 'not': {
      const of = compileNode(node.of, link);
      return (view) => !of(view);
    }
    case 'link':
      return typeTest(link, node.type);
    case 'ipProtocol':
      return ipProtocolTest(node.family, node.protocol, link);
    case 'host4':
      return host4Test(node, link);
    case 'host6':
      return host6Test(node, link);
    case 'mac':
      return macTest(node.address, node.direction, link);
    case 'port':
      return portTest(node, link);
    case 'multicast':
      return multicastTest(node.family, link);
    case 'broadcast':
      return macTest(new Uint8Array(6).fill(0xff), 'dst', link);
    case 'vlan':
      return vlanTest(link, node.id);
    case 'mpls':
      return mplsTest(link, node.label);
    case 'pppoes':
      return pppoeTest(link, node.session);
    case 'outbound':
      return outboundTest(node.outbound, link);
    case 'relation':
      return compileRelation(node, link);
  }
}

/** Chains lean to the left and may be thousands of addresses long, so they are walked and run in loops. */
function compileChain(node: FilterNode & { kind: 'and' | 'or' }, link: LinkState): Test {
  const spine: (FilterNode & { kind: 'and' | 'or' })[] = [];
  let at: FilterNode = node;
  while (at.kind === 'and' || at.kind === 'or') {
    spine.push(at);
    at = at.left;
  }
  let test = compileNode(at, link);
  for (let i = spine.length - 1; i >= 0;) {
    const { kind } = spine[i];
    const tests = [test];
    for (; i >= 0 && spine[i].kind === kind; i--) tests.push(compileNode(spine[i].right, link));
    test = kind === 'and' ? allOf(tests) : anyOf(tests);
  }
  return test;
}

function allOf(tests: Test[]): Test {
  if (tests.length === 2) {
    const [a, b] = tests;
    return (view) => a(view) && b(view);
  }
  return (view) => {
    for (const test of tests) if (!test(view)) return false;
    return true;
  };
}

function anyOf(tests: Test[]): Test {
  if (tests.length === 2) {
    const [a, b] = tests;
    return (view) => a(view) || b(view);
  }
  return (view) => {
    for (const test of tests) if (test(view)) return true;
    return false;
  };
}

function ipProtocolTest(family: 'ip' | 'ip6' | 'both', protocol: number, link: LinkState): Test {
  const network = link.payloadAt + link.networkOffset;
  const [isIp4, isIp6] = [typeTest(link, EtherType.IP), typeTest(link, EtherType.IP6)];
  const in4: Test = (view) => isIp4(view) && view.u8(network + IP4.protocol) === protocol;
  const in6: Test = (view) => {
    if (!isIp6(view)) return false;
    const next = view.u8(network + IP6.next);
    if (next === FRAGMENT_HEADER && view.u8(network + IP6.headerBytes) === protocol) return true;
    return next === protocol;
  };
  if (family === 'ip') return in4;
  if (family === 'ip6') return in6;
  return (view) => in4(view) || in6(view);
}

/** One test for both places, by direction. */
function directed(direction: Direction, src: Test, dst: Test): Test {
  if (direction === 'src') return src;
  if (direction === 'dst') return dst;
  return direction === 'both' ? (view) => src(view) && dst(view) : (view) => src(view) || dst(view);
}

function host4Test(node: FilterNode & { kind: 'host4' }, link: LinkState): Test {
  const network = link.payloadAt + link.networkOffset;
  const wanted = (node.address & node.mask) >>> 0;
  const { mask } = node;
  const under = (type: number, places: { src: number; dst: number }): Test => {
    const isType = typeTest(link, type);
    // Like tcpdump, read no address to compare none of its bits.
    const at = (offset: number): Test =>
      mask === 0 ? () => true : (view) => (view.u32(network + offset) & mask) >>> 0 === wanted;
    const addresses = directed(node.direction, at(places.src), at(places.dst));
    return (view) => isType(view) && addresses(view);
  };
  const [ip, arp, rarp] = [under(EtherType.IP, IP4), under(EtherType.ARP, ARP), under(EtherType.RARP, ARP)];
  switch (node.family) {
    case 'ip':
      return ip;
    case 'arp':
      return arp;
    case 'rarp':
      return rarp;
    case 'any':
      return link.mplsLabels > 0 ? ip : (view) => ip(view) || arp(view) || rarp(view);
  }
}

function host6Test(node: FilterNode & { kind: 'host6' }, link: LinkState): Test {
  const network = link.payloadAt + link.networkOffset;
  const isIp6 = typeTest(link, EtherType.IP6);
  const { mask } = node;
  const wanted = node.address.map((word, i) => (word & mask[i]) >>> 0);
  const at =
    (offset: number): Test =>
    (view) => {
      for (let i = 0; i < 4; i++) {
        if (mask[i] !== 0 && (view.u32(network + offset + 4 * i) & mask[i]) >>> 0 !== wanted[i]) return false;
      }
      return true;
    };
  const addresses = directed(node.direction, at(IP6.src), at(IP6.dst));
  return (view) => isIp6(view) && addresses(view);
}

function macTest(address: Uint8Array, direction: Direction, link: LinkState): Test {
  const { destinationAt, sourceAt } = link;
  if (destinationAt === undefined || sourceAt === undefined) return NEVER;
  const words = new DataView(address.buffer, address.byteOffset, 6);
  const [high, low] = [words.getUint16(0), words.getUint32(2)];
  const at =
    (place: number): Test =>
    (view) =>
      view.u32(place + 2) === low && view.u16(place) === high;
  return directed(direction, at(sourceAt), at(destinationAt));
}

function portTest(node: FilterNode & { kind: 'port' }, link: LinkState): Test {
  const network = link.payloadAt + link.networkOffset;
  const [isIp4, isIp6] = [typeTest(link, EtherType.IP), typeTest(link, EtherType.IP6)];
  const { protocols, low, high, direction } = node;
  const inRange = (port: number): boolean => port >= low && port <= high;
  return (view) => {
    let at: number;
    if (isIp4(view)) {
      if (!protocols.includes(view.u8(network + IP4.protocol))) return false;
      // A later fragment has no ports.
      if ((view.u16(network + IP4.fragment) & 0x1fff) !== 0) return false;
      at = network + (view.u8(network) & 15) * 4;
    } else if (isIp6(view)) {
      if (!protocols.includes(view.u8(network + IP6.next))) return false;
      at = network + IP6.headerBytes;
    } else return false;
    switch (direction) {
      case 'src':
        return inRange(view.u16(at));
      case 'dst':
        return inRange(view.u16(at + 2));
      case 'either':
        return inRange(view.u16(at)) || inRange(view.u16(at + 2));
      case 'both':
        return inRange(view.u16(at)) && inRange(view.u16(at + 2));
    }
  };
}

function multicastTest(family: 'ether' | 'ip' | 'ip6', link: LinkState): Test {
  const network = link.payloadAt + link.networkOffset;
  if (family === 'ether') {
    const at = link.destinationAt;
    return at === undefined ? NEVER : (view) => (view.u8(at) & 1) === 1;
  }
  if (family === 'ip') {
    const isIp4 = typeTest(link, EtherType.IP);
    return (view) => isIp4(view) && view.u8(network + IP4.dst) >= 224;
  }
  const isIp6 = typeTest(link, EtherType.IP6);
  return (view) => isIp6(view) && view.u8(network + IP6.dst) === 0xff;
}

/** Linux cooked headers say whether this machine sent the packet: type 4. */
function outboundTest(outbound: boolean, link: LinkState): Test {
  const at = link.packetTypeAt;
  return at === undefined ? NEVER : (view) => (view.u8(at + 1) === 4) === outbound;
}
