import type { FilterNode, LoadSize, Operator, Relation, Term } from './ast';
import { typeTest, type LinkState, type Test } from './link';
import { EtherType, IP_PROTOCOLS, LINK_WORDS } from './names';
import type { FrameView } from './view';

/** An unsigned 32-bit number of a frame. */
type Value = (view: FrameView) => number;

/** A value, and what must hold for its bytes to mean anything: `tcp[13]` needs a TCP header. */
interface Compiled {
  readonly value: Value;
  readonly needs: readonly Test[];
}

const LINK_NAMES = new Set(['ether', 'link', 'fddi', 'wlan', 'ppp', 'slip', 'tr']);
/** Behind an IPv6 header; all other transport protocols are looked for behind IPv4 only, as tcpdump does. */
const ICMP6 = 58;

export function compileRelation(node: FilterNode & { kind: 'relation' }, link: LinkState): Test {
  const [left, right] = [compileTerm(node.left, link), compileTerm(node.right, link)];
  const compare = comparison(node.operator, left.value, right.value);
  const needs = [...left.needs, ...right.needs];
  if (needs.length === 0) return compare;
  return (view) => {
    for (const need of needs) if (!need(view)) return false;
    return compare(view);
  };
}

function comparison(operator: Relation, a: Value, b: Value): Test {
  switch (operator) {
    case '=':
      return (view) => a(view) === b(view);
    case '!=':
      return (view) => a(view) !== b(view);
    case '<':
      return (view) => a(view) < b(view);
    case '>':
      return (view) => a(view) > b(view);
    case '<=':
      return (view) => a(view) <= b(view);
    case '>=':
      return (view) => a(view) >= b(view);
  }
}

function compileTerm(term: Term, link: LinkState): Compiled {
  switch (term.kind) {
    case 'number': {
      const { value } = term;
      return { value: () => value, needs: [] };
    }
    case 'length':
      return { value: (view) => view.wireLen, needs: [] };
    case 'operation': {
      const [left, right] = [compileTerm(term.left, link), compileTerm(term.right, link)];
      // tcpdump asks only for the headers of the first operand; so `ip[2:2] - tcp[12]` reads on in any IPv4 packet.
      return { value: operation(term.operator, left.value, right.value), needs: left.needs };
    }
    case 'load':
      return compileLoad(term, link);
  }
}

function operation(operator: Operator, a: Value, b: Value): Value {
  switch (operator) {
    case '+':
      return (view) => (a(view) + b(view)) >>> 0;
    case '-':
      return (view) => (a(view) - b(view)) >>> 0;
    case '*':
      return (view) => Math.imul(a(view), b(view)) >>> 0;
    case '/':
    case '%':
      return (view) => {
        const divisor = b(view);
        if (divisor === 0) return view.fail();
        const dividend = a(view);
        return operator === '/' ? Math.floor(dividend / divisor) : dividend % divisor;
      };
    case '&':
      return (view) => (a(view) & b(view)) >>> 0;
    case '|':
      return (view) => (a(view) | b(view)) >>> 0;
    case '^':
      return (view) => (a(view) ^ b(view)) >>> 0;
    case '<<':
    case '>>':
      return (view) => {
        const bits = b(view);
        if (bits >= 32) return 0;
        return operator === '<<' ? (a(view) << bits) >>> 0 : a(view) >>> bits;
      };
  }
}

function compileLoad(term: Term & { kind: 'load' }, link: LinkState): Compiled {
  const index = compileTerm(term.index, link);
  const load = loader(term.size);
  const network = link.payloadAt + link.networkOffset;
  const { protocol } = term;
  const at = (place: (view: FrameView) => number, ...needs: Test[]): Compiled => ({
    value: (view) => {
      const start = index.value(view);
      return view.failed ? 0 : load(view, place(view) + start);
    },
    needs: [...needs, ...index.needs],
  });
  if (LINK_NAMES.has(protocol)) {
    const { headerAt } = link;
    return at((view) => (headerAt ? headerAt(view) : 0) - view.base);
  }
  if (Object.hasOwn(LINK_WORDS, protocol)) return at(() => network, typeTest(link, LINK_WORDS[protocol]));

  const [number] = IP_PROTOCOLS[protocol];
  if (number === ICMP6) {
    const isIp6 = typeTest(link, EtherType.IP6);
    return at(
      () => network + 40,
      (view) => isIp6(view) && view.u8(network + 6) === number,
    );
  }
  const isIp4 = typeTest(link, EtherType.IP);
  return at(
    (view) => network + (view.u8(network) & 15) * 4,
    (view) => isIp4(view) && view.u8(network + 9) === number && (view.u16(network + 6) & 0x1fff) === 0,
  );
}

function loader(size: LoadSize): (view: FrameView, at: number) => number {
  if (size === 1) return (view, at) => view.u8(at);
  if (size === 2) return (view, at) => view.u16(at);
  return (view, at) => view.u32(at);
}
