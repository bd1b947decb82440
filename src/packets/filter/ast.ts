/** What a filter expression means, before it is bound to a link type. */
export type FilterNode =
  | { readonly kind: 'and' | 'or'; readonly left: FilterNode; readonly right: FilterNode }
  | { readonly kind: 'not'; readonly of: FilterNode }
  /** The link header names this EtherType (or, up to 1500, this LLC service access point). */
  | { readonly kind: 'link'; readonly type: number }
  | { readonly kind: 'ipProtocol'; readonly family: IpFamily; readonly protocol: number }
  /** Address and mask are unsigned 32-bit numbers; `any` is IPv4, ARP and RARP. */
  | {
      readonly kind: 'host4';
      readonly family: 'any' | 'ip' | 'arp' | 'rarp';
      readonly direction: Direction;
      readonly address: number;
      readonly mask: number;
    }
  /** Address and mask as four unsigned 32-bit words. */
  | {
      readonly kind: 'host6';
      readonly direction: Direction;
      readonly address: readonly number[];
      readonly mask: readonly number[];
    }
  | { readonly kind: 'mac'; readonly direction: Direction; readonly address: Uint8Array }
  | {
      readonly kind: 'port';
      readonly protocols: readonly number[];
      readonly direction: Direction;
      readonly low: number;
      readonly high: number;
    }
  | { readonly kind: 'multicast'; readonly family: 'ether' | 'ip' | 'ip6' }
  | { readonly kind: 'broadcast' }
  /** These three move all that follows in the expression behind their header, as in tcpdump. */
  | { readonly kind: 'vlan'; readonly id?: number }
  | { readonly kind: 'mpls'; readonly label?: number }
  | { readonly kind: 'pppoes'; readonly session?: number }
  /** The packet type of Linux cooked captures. */
  | { readonly kind: 'outbound'; readonly outbound: boolean }
  | { readonly kind: 'relation'; readonly operator: Relation; readonly left: Term; readonly right: Term };

export type IpFamily = 'ip' | 'ip6' | 'both';
export type Direction = 'src' | 'dst' | 'either' | 'both';
export type Relation = '=' | '!=' | '<' | '>' | '<=' | '>=';
export type Operator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>';
export type LoadSize = 1 | 2 | 4;

/** A number of 32 bits without sign. */
export type Term =
  | { readonly kind: 'number'; readonly value: number }
  /** The packet's length on the wire. */
  | { readonly kind: 'length' }
  /** `protocol[index:size]`. */
  | { readonly kind: 'load'; readonly protocol: string; readonly index: Term; readonly size: LoadSize }
  | { readonly kind: 'operation'; readonly operator: Operator; readonly left: Term; readonly right: Term };
