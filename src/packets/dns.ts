import { concatBytes } from './bytes';
import { readDnsName, writeDnsName } from './dnsNames';
import { getBits, readFields, setBits, writeFields } from './fields';
import type { Layer } from './packet';
import type { DecodeContext, Decoded, Protocol } from './protocol';

// RFC 1035, section 4.1; the flags as RFC 4035 has them; the same over multicast (RFC 6762) and link-local (RFC 4795).
// Header and questions are read; resource records are payload. Over TCP a length comes first.
//
//   0                   1                   2                   3
//   +-------------------------------+-+-------+-+-+-+-+-+-+-+-------+
//  0|          identifier           |R|opcode |A|T|D|A|Z|A|C| rcode |
//   +-------------------------------+-+-------+-+-+-+-+-+-+-+-------+
//  4|           questions           |            answers            |
//   +-------------------------------+-------------------------------+
//  8|       authority records       |      additional records       |
//   +-------------------------------+-------------------------------+
// 12|  questions: name, type, class ...

export const DNS_FIELDS = {
  id: { bit: 0, bits: 16 },
  response: { bit: 16, bits: 1 },
  opcode: { bit: 17, bits: 4 },
  authoritativeAnswer: { bit: 21, bits: 1 },
  truncation: { bit: 22, bits: 1 },
  recursionDesired: { bit: 23, bits: 1 },
  recursionAvailable: { bit: 24, bits: 1 },
  reserved: { bit: 25, bits: 1 },
  authenticData: { bit: 26, bits: 1 },
  checkingDisabled: { bit: 27, bits: 1 },
  responseCode: { bit: 28, bits: 4 },
  questionCount: { bit: 32, bits: 16 },
  answerCount: { bit: 48, bits: 16 },
  authorityCount: { bit: 64, bits: 16 },
  additionalCount: { bit: 80, bits: 16 },
} as const;

export const DNS_HEADER_BYTES = 12;

/** An entry of the question section. */
export interface DnsQuestion {
  /** `www.example.com`; `.` for the root. Bytes that do not print as `\DDD`. */
  name: string;
  type: number;
  /** 1: Internet. The highest bit asks for a unicast answer (multicast DNS). */
  class: number;
  /** The name as it stands, where it points to labels of another. */
  nameBytes?: Uint8Array;
}

export interface DnsFields {
  /** Over TCP only: of the message, in bytes. */
  length?: number;
  id: number;
  response: number;
  opcode: number;
  authoritativeAnswer: number;
  truncation: number;
  recursionDesired: number;
  recursionAvailable: number;
  reserved: number;
  authenticData: number;
  checkingDisabled: number;
  responseCode: number;
  questionCount: number;
  answerCount: number;
  authorityCount: number;
  additionalCount: number;
  /** Those that could be read, 64 at most; the rest is payload. */
  questions: DnsQuestion[];
}

const TCP_LENGTH_BYTES = 2;
/** Real messages ask a handful; a packet of nothing but pointers to one long name must not cost a second. */
const MAX_QUESTIONS = 64;
/** Named in a summary. */
const SHOWN_QUESTIONS = 4;
const TYPE = { bit: 0, bits: 16 } as const;
const CLASS = { bit: 16, bits: 16 } as const;

export const dnsProtocol: Protocol<'dns', DnsFields> = {
  name: 'dns',
  under: [
    ['udp', 53],
    ['udp', 5353],
    ['udp', 5355],
    ['tcp', 53],
  ],

  accepts(bytes, offset, end, outer): boolean {
    const here = end - offset;
    if (!isOverTcp(outer)) return here >= DNS_HEADER_BYTES;
    // A segment that is one whole message; any other may start anywhere in one.
    return here >= DNS_HEADER_BYTES + 2 && getBits(bytes, offset, TYPE) === here - TCP_LENGTH_BYTES;
  },

  decode(context): Decoded<DnsFields> {
    const { bytes, offset, outer } = context;
    const prefix = isOverTcp(outer) ? TCP_LENGTH_BYTES : 0;
    const message = offset + prefix;
    const numbers = readFields(bytes, message, DNS_FIELDS);
    const { questions, end } = readQuestions(context, message, numbers.questionCount);
    const length = prefix > 0 ? { length: getBits(bytes, offset, TYPE) } : {};
    return { fields: { ...length, ...numbers, questions }, length: end - offset };
  },

  encode(fields, payload, { outer }): Uint8Array {
    const { questions = [], length, ...numbers } = fields;
    const head = new Uint8Array(DNS_HEADER_BYTES);
    writeFields(head, 0, DNS_FIELDS, numbers, { questionCount: questions.length });
    const message = [head, ...questions.map(writeQuestion), payload];
    if (length === undefined && outer?.protocol !== 'tcp') return concatBytes(...message);
    const prefix = new Uint8Array(TCP_LENGTH_BYTES);
    setBits(prefix, 0, TYPE, length ?? message.reduce((sum, part) => sum + part.length, 0));
    return concatBytes(prefix, ...message);
  },

  describe(f): string {
    const shown = f.questions.slice(0, SHOWN_QUESTIONS).map((q) => `${nameDnsType(q.type)} ${q.name}`);
    if (f.questions.length > shown.length) shown.push(`${f.questions.length - shown.length} more`);
    const asked = shown.join(', ');
    const id = `0x${f.id.toString(16).padStart(4, '0')}`;
    const text = `DNS ${OPCODES[f.opcode] ?? `opcode ${f.opcode}`}${f.response ? ' response' : ''} ${id}`;
    const answers = f.response ? `, ${f.answerCount} answer${f.answerCount === 1 ? '' : 's'}` : '';
    const failure =
      f.response && f.responseCode > 0 ? `, ${RESPONSES[f.responseCode] ?? f.responseCode}` : '';
    return `${text}${asked ? ` ${asked}` : ''}${failure}${answers}`;
  },
};

function isOverTcp(outer: readonly Layer[]): boolean {
  return outer[outer.length - 1]?.protocol === 'tcp';
}

/** The questions that can be read, and where they end. */
function readQuestions(
  { bytes, end, complete, problem }: DecodeContext,
  message: number,
  count: number,
): { questions: DnsQuestion[]; end: number } {
  const questions: DnsQuestion[] = [];
  let at = message + DNS_HEADER_BYTES;
  while (questions.length < Math.min(count, MAX_QUESTIONS)) {
    const name = readDnsName(bytes, message, at, end);
    if (!name || name.end + 4 > end) {
      // Questions that the capture cut off are no fault of the packet.
      if (complete) problem('dns_question_malformed', at, `question ${questions.length + 1} of ${count}`);
      break;
    }
    questions.push({
      name: name.name,
      type: getBits(bytes, name.end, TYPE),
      class: getBits(bytes, name.end, CLASS),
      ...(name.compressed ? { nameBytes: bytes.subarray(at, name.end) } : {}),
    });
    at = name.end + 4;
  }
  return { questions, end: at };
}

function writeQuestion(question: DnsQuestion): Uint8Array {
  const name = question.nameBytes ?? writeDnsName(question.name);
  const out = new Uint8Array(name.length + 4);
  out.set(name);
  setBits(out, name.length, TYPE, question.type);
  setBits(out, name.length, CLASS, question.class);
  return out;
}

/** `AAAA`, `TYPE1234`. */
export function nameDnsType(type: number): string {
  return TYPES[type] ?? `TYPE${type}`;
}

const TYPES: Record<number, string> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  13: 'HINFO',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  35: 'NAPTR',
  43: 'DS',
  46: 'RRSIG',
  47: 'NSEC',
  48: 'DNSKEY',
  64: 'SVCB',
  65: 'HTTPS',
  251: 'IXFR',
  252: 'AXFR',
  255: 'ANY',
};

const OPCODES = ['query', 'inverse query', 'status', undefined, 'notify', 'update'];
const RESPONSES = [
  'no error',
  'format error',
  'server failure',
  'no such name',
  'not implemented',
  'refused',
];
