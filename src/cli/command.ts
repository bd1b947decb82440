/** What a command file gives to main.ts, and the frame that all commands run in. */
import { Command } from 'commander';
import { Io, reportError } from './io';
import { wholeNumber } from './options';

/** Adds one command to the program; `finish` receives its exit code. */
export type Register = (program: Command, finish: (code: number) => void) => void;

/** A command under `parent` with the options that all have. `examples` close its help. */
export function newCommand(parent: Command, name: string, summary: string, examples: string[]): Command {
  const command = parent
    .command(name)
    .description(summary)
    .option('--json', 'one JSON value on stdout, for programs; progress and warnings stay on stderr');
  if (examples.length > 0) {
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
  }
  return command;
}

/** Adds the options that choose packets of captures: `SelectOptions` of netssm/flows. */
export function withPacketSelection(command: Command): Command {
  return command
    .option('--filter <expression>', 'only packets for which this holds, in the words of tcpdump')
    .option('--from <time>', 'only from this time on: seconds after the first packet, or ISO 8601 (UTC)')
    .option('--to <time>', 'only before this time')
    .option('--skip <n>', 'pass over so many of the packets that remain', wholeNumber)
    .option('--count <n>', 'take at most so many of them', wholeNumber);
}

/** Runs a command's work: errors become message, hint and exit code. */
export async function runAction(
  options: { json?: boolean },
  finish: (code: number) => void,
  work: (io: Io) => Promise<number | void>,
): Promise<void> {
  const io = new Io(options.json === true);
  try {
    finish((await work(io)) ?? 0);
  } catch (error) {
    finish(reportError(error, io));
  }
}
