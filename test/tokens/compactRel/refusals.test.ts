import { describe, expect, it } from 'vitest';
import { getLayout } from '../../../src/tokens';
import type { PacketDecoder } from '../../../src/tokens';
import { frame, hex, SYN, UDP6, DNS } from '../frames';
import { tcpFrame } from './sequences';

const SYN_ = 2;
const ACK = 16;
const there = { from: 0x0a000001, to: 0x0a000002, sourcePort: 49152, destinationPort: 80 };
const back = { from: 0x0a000002, to: 0x0a000001, sourcePort: 80, destinationPort: 49152 };
/** TCP flow 0: a SYN, not answered yet; UDP flow 0: a DNS query. Endpoint slots 0 and 1. */
const before = [tcpFrame({ ...there, seq: 1000, ack: 0, flags: SYN_ }), frame(DNS)];
const after = [
  tcpFrame({ ...back, seq: 5000, ack: 1001, flags: SYN_ | ACK }),
  tcpFrame({ ...there, seq: 1001, ack: 5001, flags: ACK, length: 10 }),
  frame(UDP6),
];

const NEW = 'fe 00 ff 0a000003 ff 0a000004 0050 c000';

function prepared(checksums: 'keep' | 'drop') {
  const layout = getLayout('compact-rel', { checksums });
  const encoder = layout.encoder();
  const tokens = [...before, ...after].map((f) => {
    const result = encoder.encode(f);
    if (!result.ok) throw new Error(result.refusal.code);
    return result.bytes;
  });
  const decoder = layout.decoder();
  for (const bytes of tokens.slice(0, before.length)) decoder.decode(bytes);
  return { decoder, rest: tokens.slice(before.length) };
}

const outcome = (decoder: PacketDecoder, bytes: string) => {
  const result = decoder.decode(hex(bytes));
  return result.ok ? 'decoded' : `${result.refusal.code}@${result.refusal.offset}`;
};

describe('what is no packet is refused with a code and a place, and changes nothing', () => {
  it.each([
    ['no token', '', 'packet_cut@0'],
    ['reserved heads', 'e0', 'head_reserved@0'],
    ['reserved heads', 'fd 00 00', 'head_reserved@0'],
    ['a TCP flow that is not there', '02 10 08', 'flow_unknown@0'],
    ['a UDP flow that is not there', 'a2 00', 'flow_unknown@0'],
    ['a kind that is none', 'fe 04 00 01 0050 c000', 'kind_unknown@1'],
    ['an empty address slot', 'fe 00 07 01 0050 c000', 'endpoint_unknown@2'],
    ['a source slot that its own packet would fill', 'fe 00 02 ff 0a000009 0050 c000', 'endpoint_unknown@2'],
    ['an IPv4 address in an IPv6 flow', 'fe 02 00 01 0050 c000', 'endpoint_version@2'],
    ['a new flow that is known', 'fe 00 00 01 0050 c000 10 08', 'flow_exists@4'],
    ['a new flow that is known, the other way', 'fe 00 01 00 c000 0050 10 08', 'flow_exists@4'],
    ['a packet that ends inside a field', `${NEW} 02 24 f9 0000`, 'packet_cut@21'],
    ['length: none so far', '00 10 01', 'length_unknown@2'],
    ['length: the last, none so far', '00 10 03', 'length_unknown@2'],
    ['sequence number: nothing is known', `${NEW} 10 00`, 'seq_unknown@17'],
    ['sequence number: a difference to nothing', `${NEW} 10 04 05`, 'seq_unknown@18'],
    ['sequence number: end of what was not sent', `${NEW} 10 04 00`, 'seq_unknown@18'],
    ['ack: same as none', `00 10 00`, 'ack_unknown@2'],
    ['ack: everything of nothing', `00 10 08`, 'ack_unknown@2'],
    ['ack: entry of an empty queue', `00 10 10 00`, 'ack_queue@3'],
    ['ack: a difference to none', `00 10 18 05`, 'ack_unknown@3'],
    ['a number that begins wrong', `00 10 04 fa`, 'number_invalid@3'],
    ['UDP: unused mask bits', 'a0 08', 'mask_invalid@1'],
    ['UDP: payload not captured, but its length is 0', 'a0 07 0000', 'payload_absent@3'],
    ['xmask 0', '00 10 98 00', 'xmask_invalid@3'],
    ['both IP ids', '00 10 98 81', 'xmask_invalid@3'],
    ['template and timestamps', '00 10 d8 20', 'xmask_invalid@3'],
    ['UDP: a TCP template', 'a0 80 20', 'xmask_invalid@2'],
    ['an empty template slot', '00 04 80 20 08', 'template_unknown@4'],
    ['a template that is too long', '00 04 80 20 ff 29', 'template_invalid@5'],
    ['a template of malformed options', '00 04 80 20 ff 04 02 01 00 00', 'template_invalid@6'],
    ['a template of no whole words', '00 04 80 20 ff 03 01 01 01', 'template_invalid@6'],
    ['a timestamp step, none so far', '00 04 40 08', 'timestamp_unknown@3'],
    ['an odd timestamp step, none so far', '00 04 40 ff 08', 'timestamp_unknown@3'],
    ['an echo of nothing', '00 04 40 fe 00000001 00', 'timestamp_unknown@8'],
    ['an echo that is none', '00 04 40 fe 00000001 04', 'timestamp_echo@8'],
    ['a SACK block of none', '00 04 80 20 02 00', 'sack_unknown@5'],
    ['UDP: bytes beyond the payload', 'a0 03 0009 ff ff', 'payload_mask@5'],
    ['UDP: the same bytes, but another length', 'a0 01 0005', 'payload_reference@3'],
    ['a later fragment', '00 04 80 02 40 00 4001', 'ip_fragment@6'],
    ['a link header without IP', '00 04 80 04 0e 020000000001 020000000002 0806', 'link_header@5'],
    ['a link header of IPv6', '00 04 80 04 0e 020000000001 020000000002 86dd', 'link_header@5'],
    ['a link header that is too short', '00 04 80 04 0d 020000000001 020000000002 08', 'link_header@5'],
    ['a link header that is too long', '00 04 80 04 1f', 'link_header@4'],
    ['an IP checksum class that is none', '00 04 80 08 03', 'checksum_class@4'],
    ['IP options of no whole words', '00 04 80 10 03 010101', 'ip_options_length@4'],
    ['reserved bits', '00 04 80 10 00 10 0000', 'reserved_bits@5'],
    ['bytes behind the packet', '00 04 00 00', 'trailing_bytes@3'],
    ['a length that does not fit', 'a0 01 fffc', 'not_rebuilt@4'],
    ['RAW of another length', 'ff 05 01 02', 'raw_length@2'],
    ['RAW that is no TCP or UDP packet', 'ff 03 01 02 03', 'ethernet_cut@5'],
  ])('%s', (_, bytes, expected) => {
    const { decoder, rest } = prepared('drop');
    expect(outcome(decoder, bytes)).toBe(expected);
    const untouched = prepared('drop').decoder;
    for (const tokens of rest) expect(decoder.decode(tokens)).toEqual(untouched.decode(tokens));
  });

  it('an IPv6 flow has no IP id, no IP checksum and no IP options', () => {
    for (const [x, expected] of [
      [0x01, 'xmask_invalid'],
      [0x80, 'xmask_invalid'],
      [0x08, 'xmask_invalid'],
      [0x10, 'xmask_invalid'],
      [0x02, 'packet_cut'],
    ] as const) {
      const { decoder, rest } = prepared('drop');
      for (const tokens of rest) decoder.decode(tokens);
      expect(outcome(decoder, `a0 80 ${x.toString(16).padStart(2, '0')}`).split('@')[0]).toBe(expected);
    }
  });

  it('the transport checksum class belongs to `keep`', () => {
    expect(outcome(prepared('drop').decoder, '00 04 80 40 00')).toBe('xmask_invalid@3');
    expect(outcome(prepared('keep').decoder, '00 04 80 40 04')).toBe('checksum_class@4');
    expect(outcome(prepared('keep').decoder, '00 04 80 40 03')).toBe('packet_cut@5');
  });

  it('explains in words', () => {
    expect(prepared('drop').decoder.decode(hex('02 10 08'))).toEqual({
      ok: false,
      refusal: {
        code: 'flow_unknown',
        layer: 'compact-rel',
        offset: 0,
        message: 'TCP flow 1, but there are 1',
      },
    });
  });

  it('a template or address that came with a refused packet is not learnt', () => {
    const { decoder } = prepared('drop');
    // A new flow with new addresses and a new template, cut at its end; then those very slots.
    const packet = `${NEW} 02 a4 20 f9 00000001 0001 ff 04 01010101`;
    expect(outcome(decoder, `${packet} 99`)).toBe('trailing_bytes@32');
    expect(outcome(decoder, 'fe 00 02 03 0050 c001 02 04 f9 00000001')).toBe('endpoint_unknown@2');
    expect(outcome(decoder, '00 04 80 20 08')).toBe('template_unknown@4');
    expect(outcome(decoder, packet)).toBe('decoded');
    expect(outcome(decoder, 'fe 00 02 03 0050 c001 02 04 f9 00000001')).toBe('decoded');
    expect(outcome(decoder, '02 04 80 20 08')).toBe('decoded');
  });
});

describe('the encoder refuses, and counts, what it cannot hold', () => {
  const encode = (data: Uint8Array, linkType = 1, sequence = 1) => {
    const result = getLayout('compact-rel')
      .encoder({ linkType: sequence })
      .encode({ ...frame(data), linkType });
    return result.ok ? 'encoded' : `${result.refusal.code}@${result.refusal.offset}`;
  };
  it.each([
    [new Uint8Array(0), 'empty@0'],
    [SYN.subarray(0, 13), 'ethernet_cut@13'],
    [SYN.subarray(0, 14), 'ip_cut@14'],
    [SYN.subarray(0, 33), 'ip_cut@33'],
    [SYN.subarray(0, 53), 'transport_cut@53'],
    [DNS.subarray(0, 41), 'transport_cut@41'],
  ])('%#', (data, expected) => expect(encode(data)).toBe(expected));

  it('other link types than the sequence has', () => {
    expect(encode(SYN, 113, 1)).toBe('link_type@0');
    expect(encode(SYN, 105, 105)).toBe('link_type@0');
    expect(() => getLayout('compact-rel').decoder({ linkType: 105 })).toThrow('no packets of link type 105');
  });

  it('and leaves no trace of them', () => {
    const layout = getLayout('compact-rel');
    const [one, other] = [layout.encoder(), layout.encoder()];
    for (const f of [...before, ...after]) {
      one.encode(frame(SYN.subarray(0, 40)));
      expect(one.encode(f)).toEqual(other.encode(f));
    }
  });
});
