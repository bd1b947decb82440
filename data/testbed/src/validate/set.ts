/** Checks a packed set against what is promised of it, by tshark, and prints what is in it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ETHERNET } from '../capture/pcap';
import { FlowTable, type Flow } from '../capture/flows';
import type { SessionTruth } from '../session';
import type { ManifestSession } from '../store/pack';
import { readManifest, readTruths } from '../store/read';
import { eachRow } from './rows';
import { median, quantile, table } from './numbers';
import { f1, scoreSegments, SegmentFinder, type Score } from './segments';

/** What is promised of the whole set. */
export const LIMITS = { handshakes: 0.97, closed: 0.8, checksums: 0.999, dashF1: 0.9 };

/** Shares are judged from so many sessions on; in a smaller set one odd session decides them. */
const JUDGED_FROM = 50;

/** What was measured of one class. */
interface ClassNumbers {
  sessions: number;
  packets: number;
  long: number;
  sessionPackets: number[];
  sessionFlows: number[];
  sessionSeconds: number[];
  up: number[];
  down: number[];
  gapsMs: number[];
  tcpFlows: number;
  handshakes: number;
  closed: number;
  tooLong: number;
  segments: Score;
  allSegments: Score;
}

/** Validates a set and prints a table; false when a promise is not kept. */
export async function validateSet(folder: string): Promise<boolean> {
  const manifest = readManifest(folder);
  const truths = readTruths(folder);
  const problems: string[] = [];
  for (const file of manifest.files) {
    const path = join(folder, file.path);
    if (!existsSync(path)) problems.push(`${file.path} is missing`);
    else if (createHash('sha256').update(readFileSync(path)).digest('hex') !== file.sha256)
      problems.push(`${file.path} is not the file that the manifest describes (sha256)`);
  }
  if (problems.length > 0) return report(problems);

  const classes = new Map<string, ClassNumbers>();
  for (const { path } of manifest.files) {
    if (!path.endsWith('.zst')) continue;
    const sessions = manifest.sessions.filter((s) => s.file === path).sort((a, b) => a.offset - b.offset);
    const numbers = classes.get(sessions[0].label) ?? empty();
    classes.set(sessions[0].label, numbers);
    await measure(join(folder, path), sessions, truths, numbers);
  }
  print(classes);

  const sum = (field: 'tcpFlows' | 'handshakes' | 'closed' | 'tooLong'): number =>
    [...classes.values()].reduce((total, c) => total + c[field], 0);
  const whole = (field: 'ipv4' | 'ipv4Right' | 'tcp' | 'tcpRight'): number =>
    manifest.sessions.reduce((total, s) => total + s[field], 0);
  const dash = classes.get('dash');
  const missed = (text: string): void => {
    if (manifest.sessions.length >= JUDGED_FROM) problems.push(text);
    else console.log(`note: ${text} (not judged: fewer than ${JUDGED_FROM} sessions)`);
  };
  const atLeast = (what: string, part: number, all: number, limit: number): void => {
    const share = all === 0 ? 1 : part / all;
    console.log(`${what}: ${(100 * share).toFixed(3)} % (${part} of ${all}; at least ${100 * limit} %)`);
    if (share < limit) missed(`${what}: ${(100 * share).toFixed(3)} %, less than ${100 * limit} %`);
  };
  atLeast('TCP flows with a full handshake', sum('handshakes'), sum('tcpFlows'), LIMITS.handshakes);
  atLeast('TCP flows that end by FIN or RST', sum('closed'), sum('tcpFlows'), LIMITS.closed);
  atLeast('right IPv4 checksums while whole', whole('ipv4Right'), whole('ipv4'), LIMITS.checksums);
  atLeast('right TCP checksums while whole', whole('tcpRight'), whole('tcp'), LIMITS.checksums);
  console.log(`packets above MTU + headers: ${sum('tooLong')}`);
  if (sum('tooLong') > 0) problems.push(`${sum('tooLong')} packets above MTU + headers`);
  if (dash) {
    const score = f1(dash.segments);
    console.log(
      `segments of the DASH class, by the paper's rule against what was served: F1 ${score.toFixed(3)} ` +
        `(${dash.segments.found} found, ${dash.segments.served} served, ${dash.segments.matched} match; ` +
        `with everything below 4 kB too: ${f1(dash.allSegments).toFixed(3)})`,
    );
    if (score < LIMITS.dashF1) missed(`F1 of DASH segments ${score.toFixed(3)}, less than ${LIMITS.dashF1}`);
  }
  return report(problems);
}

function report(problems: string[]): boolean {
  for (const problem of problems) console.error(`not valid: ${problem}`);
  if (problems.length === 0) console.log('valid');
  return problems.length === 0;
}

const empty = (): ClassNumbers => ({
  sessions: 0, packets: 0, long: 0, sessionPackets: [], sessionFlows: [], sessionSeconds: [],
  up: [], down: [], gapsMs: [], tcpFlows: 0, handshakes: 0, closed: 0, tooLong: 0,
  segments: { found: 0, served: 0, matched: 0 }, allSegments: { found: 0, served: 0, matched: 0 },
}); // prettier-ignore

/** Of every class so many packets' sizes and gaps are kept for the medians, evenly spread. */
const SAMPLE_EVERY = 5;

async function measure(
  path: string,
  sessions: ManifestSession[],
  truths: Map<string, SessionTruth>,
  c: ClassNumbers,
): Promise<void> {
  let current: { session: ManifestSession; truth: SessionTruth; table: FlowTable; finder: SegmentFinder } | undefined;
  let [first, last, count] = [0, 0, 0];
  const finish = (): void => {
    if (!current) return;
    const { session, truth, table, finder } = current;
    const flows = table.flows();
    const tcp = flows.filter((f: Flow) => f.protocol === 'tcp');
    c.sessions++;
    c.packets += session.packets;
    if (session.packets >= 10_000) c.long++;
    c.sessionPackets.push(session.packets);
    c.sessionFlows.push(flows.length);
    c.sessionSeconds.push(last - first);
    c.tcpFlows += tcp.length;
    c.handshakes += tcp.filter((f) => f.handshake).length;
    c.closed += tcp.filter((f) => f.end !== 'open').length;
    if (session.label === 'dash')
      for (const [score, least] of [[c.segments, undefined], [c.allSegments, 0]] as const) { // prettier-ignore
        const s = scoreSegments(finder.segments, truth.objects, truth.began, least);
        for (const field of ['found', 'served', 'matched'] as const) score[field] += s[field];
      }
  };
  await eachRow(path, sessions, (session, row) => {
    if (current?.session !== session) {
      finish();
      const truth = truths.get(session.id);
      if (!truth) throw new Error(`no ground truth of ${session.id}`);
      const servers = new Set(truth.objects.flatMap((o) => (o.server ? [o.server] : [])));
      const { client } = truth.conditions;
      current = { session, truth, table: new FlowTable(client), finder: new SegmentFinder(client, servers) };
      first = last = row.time;
    }
    const { client } = current.truth.conditions;
    const up = row.source === client;
    if (row.length > session.mtu + ETHERNET) c.tooLong++;
    if (count++ % SAMPLE_EVERY === 0) {
      c[up ? 'up' : 'down'].push(row.length);
      c.gapsMs.push((row.time - last) * 1000);
    }
    last = row.time;
    current.finder.add(row);
    if (row.protocol === 6 || row.protocol === 17)
      current.table.add({
        seconds: row.time - first,
        protocol: row.protocol === 6 ? 'tcp' : 'udp',
        up,
        clientPort: up ? row.sourcePort : row.targetPort,
        server: up ? row.target : row.source,
        serverPort: up ? row.targetPort : row.sourcePort,
        payload: row.payload,
        flags: row.flags,
      });
  });
  finish();
}

function print(classes: Map<string, ClassNumbers>): void {
  const percent = (part: number, all: number): string => (all === 0 ? '-' : `${((100 * part) / all).toFixed(1)} %`);
  const head = [
    'class', 'sessions', 'packets', '10,000+', 'packets/session', 'flows/session', 'seconds',
    'bytes up', 'bytes down', 'gap ms 50/90 %', 'TCP flows', 'handshake', 'closed',
  ]; // prettier-ignore
  const rows = [...classes].map(([label, c]) => [
    label, c.sessions, c.packets, c.long, Math.round(median(c.sessionPackets)), median(c.sessionFlows),
    median(c.sessionSeconds).toFixed(1), Math.round(median(c.up)), Math.round(median(c.down)),
    `${median(c.gapsMs).toFixed(2)} / ${quantile(c.gapsMs, 0.9).toFixed(1)}`,
    c.tcpFlows, percent(c.handshakes, c.tcpFlows), percent(c.closed, c.tcpFlows),
  ]); // prettier-ignore
  console.log(table(head, rows));
}
