import { Option } from 'commander';
import type { ComplianceReport, RuleResult, Severity } from '../../evaluate/compliance';
import type { SelectOptions } from '../../flows';
import { NetssmError } from '../../util';
import { newCommand, runAction, withPacketSelection, type Register } from '../command';
import type { Io } from '../io';
import { positiveWhole, wholeNumber } from '../options';

interface CheckCommandOptions extends SelectOptions {
  show?: number;
  examples?: number;
  failOn: Severity | 'never';
  rules?: boolean;
  json?: boolean;
}

/** A packet of --show. */
interface ShownPacket {
  file: string;
  packet: number;
  summary: string;
  broken: { rule: string; severity: Severity; message: string }[];
  tree: string;
}

/** `netssm check`. */
export const registerCheck: Register = (program, finish) => {
  withPacketSelection(
    newCommand(program, 'check', 'what packets keep and break of the rules of IP, TCP, UDP, DNS and ICMP', [
      'netssm check trace.pcap',
      'netssm check --show 3 trace.pcap',
      'netssm check --fail-on violation out/generated',
      "netssm check --json --filter 'tcp port 443' captures/ | jq .total.rules",
      'netssm check --rules',
    ]).argument('[captures...]', 'capture files or folders of them; - for standard input'),
  )
    .option(
      '--show <n>',
      'all fields of the first n packets that break a rule, violations first',
      positiveWhole,
    )
    .option('--examples <n>', 'places kept of each rule (default: 3)', wholeNumber)
    .addOption(
      new Option('--fail-on <severity>', 'exit with 1 where a packet breaks a rule of this severity or worse')
        .choices(['violation', 'oddity', 'never'])
        .default('never'),
    )
    .option('--rules', 'list the rules, and read nothing')
    .addHelpText(
      'after',
      '\nExit code: 0 where packets were read, whatever they break; 1 where none could be read, or where --fail-on\n' +
        'says so; 2 for unusable arguments. docs/compliance.md explains every rule.',
    )
    .action((captures: string[], options: CheckCommandOptions, command) => {
      if (captures.length === 0 && !options.rules)
        command.error("error: missing required argument 'captures'");
      return runAction(options, finish, (io) =>
        options.rules ? listRules(io) : check(captures, options, io),
      );
    });
};

async function listRules(io: Io): Promise<void> {
  const { RULES } = await import('../../evaluate/compliance/index.js');
  const { textTable } = await import('../../notebook/index.js');
  io.print(
    textTable(
      ['rule', 'severity', 'source', 'what is checked'],
      RULES.map(({ id, severity, source, title }) => [id, severity, source, title]),
    ),
  );
  io.result({ rules: RULES });
}

async function check(captures: string[], options: CheckCommandOptions, io: Io): Promise<number> {
  const { filter, from, to, skip, count } = options;
  const selection: SelectOptions = { filter, from, to, skip, count };
  const { selectFrames } = await import('../../flows/index.js');
  const { checkCapture, sumReports } = await import('../../evaluate/compliance/index.js');
  const { listCaptures } = await import('../../capture/index.js');
  // Unusable words end the run before any file is read.
  selectFrames(selection);
  const errors: { file: string; code: string; message: string; exitCode: number }[] = [];
  const attempt = async (file: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof NetssmError)) throw error;
      errors.push({ file, code: error.code, message: error.message, exitCode: error.exitCode });
      io.note(`${error.message}${error.hint ? `\nHint: ${error.hint}` : ''}`);
    }
  };
  const files: string[] = [];
  for (const argument of captures) {
    await attempt(argument, () => void files.push(...(argument === '-' ? ['-'] : listCaptures(argument))));
  }
  const reports: ComplianceReport[] = [];
  const progress = io.progress('check');
  const keep = Math.max(options.examples ?? 3, options.show ?? 0);
  for (const [i, file] of files.entries()) {
    await attempt(file, async () => {
      const onPackets = (packets: number): void =>
        progress.report({
          done: i,
          total: files.length,
          unit: 'captures',
          detail: `${file}: ${packets} packets`,
        });
      reports.push(await checkCapture(file, { ...selection, examples: keep, onPackets }));
    });
    progress.report({ done: i + 1, total: files.length, unit: 'captures', detail: file });
  }
  progress.finish();
  if (reports.length === 1) await printReport(reports[0], io);
  else if (reports.length > 1) await printReports(reports, sumReports(reports), io);
  const shown = options.show === undefined ? [] : await showPackets(reports, options.show, io);
  for (const report of reports) {
    for (const result of report.rules) result.examples.splice(options.examples ?? 3);
  }
  const total = sumReports(reports);
  const failed = total.rules.some(
    ({ severity }) =>
      severity === options.failOn || (options.failOn === 'oddity' && severity === 'violation'),
  );
  io.result({
    files: reports,
    total,
    failed,
    ...(options.show !== undefined && { shown }),
    ...(errors.length > 0 && { errors: errors.map(({ file, code, message }) => ({ file, code, message })) }),
  });
  if (failed)
    io.note(`broken: ${total.violatingPackets} packets with a violation, ${total.oddPackets} with an oddity`);
  if (total.packets > 0) return failed ? 1 : 0;
  return reports.length === 0 && errors.every(({ exitCode }) => exitCode === 2) ? 2 : 1;
}

async function printReport(report: ComplianceReport, io: Io): Promise<void> {
  const { packets, flows, tcp, checksums } = report;
  io.print(report.file);
  io.print(
    `  ${number(packets)} packets (${number(report.violatingPackets)} with a violation, ` +
      `${number(report.oddPackets)} with an oddity), ${number(flows.all)} flows ` +
      `(${number(flows.violating)} with a violation, ${number(flows.odd)} with an oddity)`,
  );
  if (tcp.flows > 0) {
    io.print(
      `  tcp:       ${number(tcp.flows)} flows, ${number(tcp.withSyn)} from their SYN on, ` +
        `${number(tcp.handshakes)} with a handshake, ${number(tcp.closedByFin)} closed by FIN, ` +
        `${number(tcp.closedByRst)} by RST`,
    );
    const { kinds } = tcp;
    io.print(
      `  segments:  ${number(tcp.segments)}; retransmissions ` +
        `${number(kinds.retransmission + kinds.spuriousRetransmission + kinds.fastRetransmission)}, ` +
        `out of order ${number(kinds.outOfOrder)}, keep-alives ${number(kinds.keepAlive)}, gaps ${number(kinds.gap)}; ` +
        `sequence continuous in ${share(tcp.seqContinuous, tcp.seqChecked)}, ` +
        `acknowledgment in ${share(tcp.ackContinuous, tcp.ackChecked)}`,
    );
  }
  const sums = Object.entries(checksums).flatMap(([name, counts]) => {
    const parts = Object.entries({ ...counts }).filter(([, n]) => n > 0);
    return parts.length === 0
      ? []
      : [`${name} ${parts.map(([what, n]) => `${CHECKSUM_WORDS[what]} ${number(n)}`).join(', ')}`];
  });
  if (sums.length > 0) io.print(`  checksums: ${sums.join('; ')}`);
  if (report.readdressed > 0) {
    io.print(
      `  note:      addresses were changed without new checksums in ${number(report.readdressed)} packets (anonymised?)`,
    );
  }
  if (report.rules.length === 0) io.print('  no rule is broken');
  else await printRules(report.rules, io);
}

const CHECKSUM_WORDS: Record<string, string> = {
  right: 'right',
  wrong: 'wrong',
  offloaded: 'left to the network card',
  absent: 'absent',
  notCheckable: 'not checkable',
};

async function printRules(rules: readonly RuleResult[], io: Io): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  io.print(
    textTable(
      ['rule', 'severity', 'packets', 'flows', 'first at', 'what'],
      rules.map(({ rule, severity, packets, flows, examples }) => [
        rule,
        severity,
        number(packets),
        number(flows),
        examples[0] ? String(examples[0].packet) : '',
        examples[0]?.message ?? '',
      ]),
      ['left', 'left', 'right', 'right', 'right', 'left'],
    ),
  );
}

async function printReports(
  reports: readonly ComplianceReport[],
  total: ComplianceReport,
  io: Io,
): Promise<void> {
  const { textTable } = await import('../../notebook/index.js');
  const line = (name: string, report: ComplianceReport): string[] => [
    name,
    number(report.packets),
    number(report.flows.all),
    `${number(report.tcp.handshakes)}/${number(report.tcp.flows)}`,
    number(report.flows.violating),
    number(report.violatingPackets),
    number(report.oddPackets),
    report.rules.find(({ severity }) => severity === 'violation')?.rule ?? '-',
  ];
  io.print(
    textTable(
      ['file', 'packets', 'flows', 'handshakes', 'violating flows', 'violations', 'oddities', 'most often'],
      [...reports.map((report) => line(report.file, report)), line(total.file, total)],
      ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    ),
  );
  if (total.rules.length > 0) {
    io.print();
    // The first place of a rule in several captures: where it is.
    const withPlaces = total.rules.map((result) => {
      const first = reports.find((report) => report.rules.some(({ rule }) => rule === result.rule))!;
      const { examples } = first.rules.find(({ rule }) => rule === result.rule)!;
      return {
        ...result,
        examples: examples.map((place) => ({ ...place, message: `${first.file}: ${place.message}` })),
      };
    });
    await printRules(withPlaces, io);
  }
}

/** --show: the trees of the first packets that break a rule; those with violations come first. */
async function showPackets(
  reports: readonly ComplianceReport[],
  limit: number,
  io: Io,
): Promise<ShownPacket[]> {
  const { listPackets, packetLine } = await import('../../flows/index.js');
  const { show, summarize } = await import('../../packets/index.js');
  const shown: ShownPacket[] = [];
  for (const severity of ['violation', 'oddity'] as const) {
    for (const report of reports) {
      const wanted = new Map<number, ShownPacket['broken']>();
      for (const result of report.rules) {
        for (const { packet, message } of result.examples) {
          wanted.set(packet, [
            ...(wanted.get(packet) ?? []),
            { rule: result.rule, severity: result.severity, message },
          ]);
        }
      }
      const numbers = [...wanted.keys()]
        .filter((packet) => wanted.get(packet)!.some((broken) => broken.severity === severity))
        .filter((packet) => !shown.some((each) => each.file === report.file && each.packet === packet))
        .sort((a, b) => a - b)
        .slice(0, limit - shown.length);
      if (numbers.length === 0) continue;
      if (report.file === '-') {
        io.note('--show needs a file: standard input cannot be read twice');
        continue;
      }
      const last = numbers[numbers.length - 1];
      for await (const item of listPackets(report.file, { count: last })) {
        const broken = wanted.get(item.number);
        if (!broken || !numbers.includes(item.number)) continue;
        const tree = show(item.packet);
        shown.push({ file: report.file, packet: item.number, summary: summarize(item.packet), broken, tree });
        io.print(`\n${report.file}, packet ${item.number}`);
        for (const { rule, severity: how, message } of broken) io.print(`  ${how}: ${rule}: ${message}`);
        io.print(packetLine(item));
        io.print(tree);
      }
    }
  }
  return shown;
}

function number(n: number): string {
  return n.toLocaleString('en');
}

function share(count: number, of: number): string {
  return of === 0 ? '-' : `${((100 * count) / of).toFixed(1)} %`;
}
