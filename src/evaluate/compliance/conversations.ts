import { findIp, findLayer, type Packet } from '../../packets';
import type { Hit } from './hits';

/** Identifiers kept before the oldest are forgotten. */
const MAX_KEPT = 65_536;

/** Numbers of the DNS queries of one flow. */
export class DnsConversation {
  private readonly asked = new Set<number>();
  private startsWithQuery: boolean | undefined;

  add(packet: Packet, hit: Hit): void {
    const dns = findLayer(packet, 'dns');
    if (!dns) return;
    const { fields } = dns;
    if (fields.reserved !== 0) hit('dns-reserved', () => 'the Z bit is set');
    const isQuery = fields.response === 0;
    this.startsWithQuery ??= isQuery;
    if (isQuery) {
      if (this.asked.size < MAX_KEPT) this.asked.add(fields.id);
      const udp = findLayer(packet, 'udp');
      // Multicast DNS and its like ask for much and say what they know.
      const multicast = [5353, 5355].some(
        (port) => udp?.fields.destinationPort === port || udp?.fields.sourcePort === port,
      );
      if (fields.opcode === 0 && !multicast && (fields.answerCount > 0 || fields.questionCount > 1)) {
        hit(
          'dns-answer-in-query',
          () => `a query with ${fields.questionCount} questions and ${fields.answerCount} answers`,
        );
      }
    } else if (this.startsWithQuery && !this.asked.has(fields.id) && this.asked.size < MAX_KEPT) {
      hit('dns-unasked', () => `response ${fields.id} to no query of this flow`);
    }
  }
}

/** ICMP echo requests of a capture and their replies. */
export class EchoConversations {
  /** By asking host, asked host and identifier: sequence numbers. */
  private readonly asked = new Map<string, Set<number>>();

  add(packet: Packet, hit: Hit): void {
    const icmp = findLayer(packet, 'icmp');
    const icmpv6 = icmp ? undefined : findLayer(packet, 'icmpv6');
    const ip = findIp(packet);
    if (!ip || (!icmp && !icmpv6)) return;
    const { type, identifier, sequenceNumber } = (icmp ?? icmpv6)!.fields;
    const isRequest = type === (icmp ? 8 : 128);
    const isReply = type === (icmp ? 0 : 129);
    if (sequenceNumber === undefined || (!isRequest && !isReply)) return;
    const { source, destination } = ip.fields;
    if (isRequest) {
      const key = `${source} ${destination} ${identifier}`;
      let numbers = this.asked.get(key);
      if (!numbers) {
        if (this.asked.size >= MAX_KEPT) this.asked.delete(this.asked.keys().next().value as string);
        this.asked.set(key, (numbers = new Set()));
      }
      numbers.add(sequenceNumber);
    } else {
      const numbers = this.asked.get(`${destination} ${source} ${identifier}`);
      if (numbers && !numbers.has(sequenceNumber)) {
        hit('icmp-unasked', () => `echo reply ${sequenceNumber} to no request with identifier ${identifier}`);
      }
    }
  }
}
