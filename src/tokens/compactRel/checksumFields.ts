import { classifyTransport, computable, IpClass, ipChecksumRight, TransportClass } from './build';
import type { Context } from './context';
import { IP_CLASS, TRANSPORT_CLASS, X } from './field';
import type { Field } from './field';

/** One of {@link IP_FIELDS}: a right header checksum, the rule, takes no token. */
export const ipChecksum: Field = {
  name: 'IP checksum class',
  predict: (c) => {
    c.expectedIpClass = c.p.version !== 4 ? IpClass.Right : c.first ? c.source.ipClass : c.own.ipClass;
  },
  code: (c) => {
    const { p } = c;
    c.ipClass =
      p.version !== 4 || ipChecksumRight(p)
        ? IpClass.Right
        : p.ipChecksum === 0
          ? IpClass.Zero
          : IpClass.Other;
    return c.ipClass === c.expectedIpClass ? 0 : IP_CLASS << X;
  },
  present: (c) => (c.xmask & IP_CLASS) !== 0,
  write: (c, out) => {
    out.u8(c.ipClass);
    if (c.ipClass === IpClass.Other) out.u16(c.p.ipChecksum);
  },
  read: (c, from) => {
    const value = from.u8();
    if (value > (IpClass.Other as number))
      from.refuse('checksum_class', `IP checksum class ${value} is none of 0 to 2`);
    c.ipClass = value;
    if (c.ipClass === IpClass.Other) c.p.ipChecksum = from.u16();
  },
  assume: (c) => {
    c.ipClass = c.expectedIpClass;
  },
  update: (c) => {
    // A checksum that is neither right nor zero says nothing about the next packet.
    if (c.ipClass !== IpClass.Other) c.own.ipClass = c.source.ipClass = c.ipClass;
    else if (c.first) c.own.ipClass = c.source.ipClass;
  },
};

const transportClass: Field = {
  name: 'transport checksum class',
  predict: (c) => {
    c.expectedTransportClass = c.first ? c.source.transportClass : c.own.transportClass;
  },
  code: (c) => {
    c.transportClass = classifyTransport(c.p, c.expectedTransportClass);
    return c.transportClass === c.expectedTransportClass ? 0 : TRANSPORT_CLASS << X;
  },
  present: (c) => (c.xmask & TRANSPORT_CLASS) !== 0,
  write: (c, out) => out.u8(c.transportClass),
  read: (c, from) => {
    const value = from.u8();
    if (value > (TransportClass.Other as number))
      from.refuse('checksum_class', `transport checksum class ${value} is none of 0 to 3`);
    c.transportClass = value;
  },
  assume: (c) => {
    c.transportClass = c.expectedTransportClass;
  },
  update: (c) => {
    c.own.transportClass = c.source.transportClass = c.transportClass;
  },
};

/** Whether the transport checksum is among the tokens. */
export function checksumVerbatim(c: Context): boolean {
  return (
    c.transportClass === TransportClass.Other ||
    (c.transportClass === TransportClass.Right && !computable(c.p))
  );
}

const transportChecksum: Field = {
  name: 'transport checksum',
  code: () => 0,
  present: checksumVerbatim,
  write: (c, out) => out.u16(c.p.checksum),
  read: (c, from) => {
    c.p.checksum = from.u16();
  },
  assume: () => undefined,
};

/** With `checksums: 'keep'` only. */
export const CHECKSUM_FIELDS: readonly Field[] = [transportClass, transportChecksum];
