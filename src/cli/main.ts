/** The `netssm` command: one file a command in commands/, none of which loads more than it uses. */
import { Command, CommanderError } from 'commander';
import { version } from '..';
import { registerBench } from './commands/bench';
import { registerCheck } from './commands/check';
import { registerData } from './commands/data';
import { registerDemo } from './commands/demo';
import { registerDoctor } from './commands/doctor';
import { registerEvaluate } from './commands/evaluate';
import { registerExperiment } from './commands/experiment';
import { registerExplain } from './commands/explain';
import { registerExport } from './commands/export';
import { registerGenerate } from './commands/generate';
import { registerInspect } from './commands/inspect';
import { registerKernel } from './commands/kernel';
import { registerNotebook } from './commands/notebook';
import { registerNprint } from './commands/nprint';
import { registerRunNotebook } from './commands/runNotebook';
import { registerRuns } from './commands/runs';
import { registerTokenize } from './commands/tokenize';
import { registerTrain } from './commands/train';
import type { Register } from './command';

const COMMANDS: readonly Register[] = [
  registerDemo,
  registerInspect,
  registerExport,
  registerData,
  registerTokenize,
  registerTrain,
  registerGenerate,
  registerExplain,
  registerEvaluate,
  registerCheck,
  registerNprint,
  registerExperiment,
  registerRuns,
  registerKernel,
  registerNotebook,
  registerRunNotebook,
  registerBench,
  registerDoctor,
];

/** `netssm inspect --packets x.pcap | head` ends when head has enough: that is no error. */
function endWithReader(): void {
  if (process.stdout.listeners('error').includes(onStdoutError)) return;
  process.stdout.on('error', onStdoutError);
}

function onStdoutError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

/**
 * Runs one command line and returns the exit code: 0 success, 1 a failed run, 2 unusable arguments.
 * @param argv the arguments after `netssm`
 */
export async function main(argv: readonly string[]): Promise<number> {
  endWithReader();
  let code = 0;
  const program = new Command('netssm')
    .description('Packet captures in, a trained Mamba, captures out, judged against the real ones.')
    .version(version, '-V, --version')
    .showHelpAfterError('(netssm --help, or netssm <command> --help, lists what there is)')
    .addHelpText('after', '\nStart with:\n  $ netssm demo\n  $ netssm doctor')
    .exitOverride();
  for (const register of COMMANDS) {
    register(program, (result) => {
      code = result;
    });
  }
  try {
    await program.parseAsync(argv as string[], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed it already: help and version end well, everything else is unusable arguments.
    code = error.exitCode === 0 ? 0 : 2;
  }
  return code;
}
