import type { Context } from './context';
import { TEMPLATE, TIMESTAMPS_ONLY, X } from './field';
import type { Field } from './field';
import type { ByteReader, ByteWriter } from './numbers';
import { unzigzag, zigzag } from './numbers';
import { ACK } from './packetFields';
import { MAX_OPTION_BYTES, PRESETS, readTemplate } from './templates';

const template: Field = {
  name: 'option template',
  code: (c) => {
    c.templateSlot = c.state.templateSlot(c.p.template);
    if (c.templateSlot === 0) return 0;
    return c.templateSlot === 1 ? TIMESTAMPS_ONLY : TEMPLATE << X;
  },
  present: (c) => (c.xmask & TEMPLATE) !== 0,
  write: (c, out) => {
    if (c.templateSlot >= 0) {
      out.u8(c.templateSlot);
      return;
    }
    const { bytes } = c.p.template;
    out.u8(255);
    out.u8(bytes.length);
    out.bytes(bytes, 0, bytes.length);
  },
  read: (c, from) => {
    const slot = from.u8();
    if (slot === 255) {
      readNewTemplate(c, from);
      return;
    }
    const known = c.state.template(slot);
    if (!known) from.refuse('template_unknown', `template slot ${slot} is empty`);
    else c.p.template = known;
    c.templateSlot = slot;
  },
  assume: (c) => {
    c.templateSlot = c.mask & TIMESTAMPS_ONLY ? 1 : 0;
    c.p.template = PRESETS[c.templateSlot];
  },
  update: (c) => {
    if (c.templateSlot < 0) c.state.learnTemplate(c.p.template);
  },
};

function readNewTemplate(c: Context, from: ByteReader): void {
  const length = from.u8();
  if (length > MAX_OPTION_BYTES) {
    from.refuse(
      'template_invalid',
      `a template of ${length} bytes, at most ${MAX_OPTION_BYTES} fit a TCP header`,
    );
    return;
  }
  const start = from.at;
  const found = readTemplate(from.bytes(length));
  if (!found)
    from.refuse('template_invalid', 'malformed TCP options, or no whole words of at most 40 bytes', start);
  else c.p.template = found;
  c.templateSlot = -1;
}

/** First bytes of timestamps that are no small step of a clock with a known echo. */
const FIRST_TIMESTAMP = 254;
const ODD_TIMESTAMP = 255;

/** What a timestamp echoes: the peer's last value, the same as before, a difference to the former, four bytes. */
const enum Echo {
  Peer = 0,
  Same = 1,
  Near = 2,
  Given = 3,
}

/** Contents of the template's timestamps and SACK blocks, in order. */
const contents: Field = {
  name: 'timestamps and SACK',
  code: () => 0,
  present: (c) => c.p.template.words > 0,
  write: (c, out) => {
    const { parts } = c.p.template;
    let at = 0;
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] === 0) writeTimestamps(c, out, at);
      else writeSack(c, out, at, parts[i]);
      at += parts[i] === 0 ? 2 : 2 * parts[i];
    }
  },
  read: (c, from) => {
    const { parts } = c.p.template;
    let at = 0;
    for (let i = 0; i < parts.length && !from.failed; i++) {
      if (parts[i] === 0) readTimestamps(c, from, at);
      else readSack(c, from, at, parts[i]);
      at += parts[i] === 0 ? 2 : 2 * parts[i];
    }
  },
  assume: () => undefined,
  update: ({ p, own }) => {
    const { parts } = p.template;
    let at = 0;
    let sacked = false;
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] === 0) {
        own.hasTimestamp = true;
        own.tsValue = p.dynamic[at];
        own.tsEcho = p.dynamic[at + 1];
        at += 2;
      } else {
        sacked = true;
        own.sack.length = 0;
        for (const end = at + 2 * parts[i]; at < end; at++) own.sack.push(p.dynamic[at]);
      }
    }
    if (sacked || own.sack.length === 0 || !(p.flags & ACK)) return;
    // Blocks that the acknowledgement has passed.
    const { sack } = own;
    let kept = 0;
    for (let i = 0; i < sack.length; i += 2) {
      if (((sack[i + 1] - p.ack) | 0) <= 0) continue;
      sack[kept++] = sack[i];
      sack[kept++] = sack[i + 1];
    }
    sack.length = kept;
  },
};

function writeTimestamps({ p, own, peer }: Context, out: ByteWriter, at: number): void {
  const value = p.dynamic[at];
  const echo = p.dynamic[at + 1];
  const e =
    peer.hasTimestamp && echo === peer.tsValue ? Echo.Peer : echo === own.tsEcho ? Echo.Same : Echo.Near;
  const step = (value - own.tsValue) | 0;
  if (own.hasTimestamp && step >= 0 && step < 1 << 30 && e !== Echo.Near) {
    out.v(2 * step + e);
    return;
  }
  if (own.hasTimestamp) {
    out.u8(ODD_TIMESTAMP);
    out.z(step);
  } else {
    out.u8(FIRST_TIMESTAMP);
    out.u32(value);
  }
  if (e !== Echo.Near) {
    out.u8(e);
  } else if (peer.hasTimestamp) {
    out.u8(Echo.Near);
    out.z((echo - peer.tsValue) | 0);
  } else {
    out.u8(Echo.Given);
    out.u32(echo);
  }
}

function readTimestamps({ p, own, peer }: Context, from: ByteReader, at: number): void {
  const first = from.peek();
  let echo: number;
  if (first !== FIRST_TIMESTAMP && !own.hasTimestamp)
    from.refuse('timestamp_unknown', 'a step of a timestamp that is not known', from.at);
  if (first < FIRST_TIMESTAMP) {
    const n = from.v();
    p.dynamic[at] = own.tsValue + Math.floor(n / 2);
    echo = n % 2;
  } else {
    from.u8();
    p.dynamic[at] = first === FIRST_TIMESTAMP ? from.u32() : own.tsValue + from.z();
    echo = from.u8();
  }
  const unknown = (echo === (Echo.Peer as number) || echo === (Echo.Near as number)) && !peer.hasTimestamp;
  if (unknown) from.refuse('timestamp_unknown', "an echo of the peer's timestamp, which is not known");
  if (echo === (Echo.Peer as number)) p.dynamic[at + 1] = peer.tsValue;
  else if (echo === (Echo.Same as number)) p.dynamic[at + 1] = own.tsEcho;
  else if (echo === (Echo.Near as number)) p.dynamic[at + 1] = peer.tsValue + from.z();
  else if (echo === (Echo.Given as number)) p.dynamic[at + 1] = from.u32();
  else from.refuse('timestamp_echo', `timestamp echo ${echo} is none of 0 to 3`);
}

/** Blocks named by their place in the direction's previous SACK; numbers from here on are differences. */
const NAMED_BLOCKS = 4;

/** What a block's left and right edge are relative to. */
function leftBase({ p, own }: Context, block: number): number {
  return 2 * block < own.sack.length ? own.sack[2 * block] : p.ack;
}

function rightBase({ p, own, peer }: Context, block: number): number {
  if (block > 0 && 2 * block - 1 < own.sack.length) return own.sack[2 * block - 1];
  return peer.hasMax ? peer.max : p.ack;
}

function writeSack(c: Context, out: ByteWriter, at: number, blocks: number): void {
  const { sack } = c.own;
  for (let block = 0; block < blocks; block++) {
    const left = c.p.dynamic[at + 2 * block];
    const right = c.p.dynamic[at + 2 * block + 1];
    let same = 0;
    while (2 * same < sack.length && !(sack[2 * same] === left && sack[2 * same + 1] === right)) same++;
    if (2 * same < sack.length) {
      out.v(same);
    } else {
      out.v(NAMED_BLOCKS + zigzag((left - leftBase(c, block)) | 0));
      out.z((right - rightBase(c, block)) | 0);
    }
  }
}

function readSack(c: Context, from: ByteReader, at: number, blocks: number): void {
  const { p, own } = c;
  for (let block = 0; block < blocks && !from.failed; block++) {
    const z = from.v();
    if (z >= NAMED_BLOCKS) {
      p.dynamic[at + 2 * block] = leftBase(c, block) + unzigzag(z - NAMED_BLOCKS);
      p.dynamic[at + 2 * block + 1] = rightBase(c, block) + from.z();
    } else if (2 * z < own.sack.length) {
      p.dynamic[at + 2 * block] = own.sack[2 * z];
      p.dynamic[at + 2 * block + 1] = own.sack[2 * z + 1];
    } else {
      from.refuse('sack_unknown', `block ${z} of ${own.sack.length / 2} in this direction's last SACK`);
    }
  }
}

export const OPTION_FIELDS: readonly Field[] = [template, contents];
