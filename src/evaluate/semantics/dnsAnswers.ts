import {
  DNS_HEADER_BYTES,
  formatIpv4,
  formatIpv6,
  readDnsName,
  type DnsFields,
  type Layer,
} from '../../packets';

const [A, AAAA] = [1, 28];

/** Address records of a DNS response (RFC 1035, section 4.1.3). An address has the name that was asked for, and its own. */
export function readDnsAddresses(
  bytes: Uint8Array,
  dns: Layer<'dns', DnsFields>,
): { name: string; address: string }[] {
  const found: { name: string; address: string }[] = [];
  const message = dns.offset;
  const end = bytes.length;
  let at = message + DNS_HEADER_BYTES;
  const asked: string[] = [];
  for (let i = 0; i < dns.fields.questionCount; i++) {
    const name = readDnsName(bytes, message, at, end);
    if (!name) return found;
    asked.push(name.name);
    at = name.end + 4;
  }
  for (let i = 0; i < dns.fields.answerCount; i++) {
    const owner = readDnsName(bytes, message, at, end);
    if (!owner || owner.end + 10 > end) return found;
    const type = (bytes[owner.end] << 8) | bytes[owner.end + 1];
    const length = (bytes[owner.end + 8] << 8) | bytes[owner.end + 9];
    const data = owner.end + 10;
    at = data + length;
    if (at > end) return found;
    let address: string | undefined;
    if (type === A && length === 4) address = formatIpv4(bytes, data);
    else if (type === AAAA && length === 16) address = formatIpv6(bytes, data);
    if (address === undefined) continue;
    for (const name of new Set([...asked, owner.name])) found.push({ name, address });
  }
  return found;
}
