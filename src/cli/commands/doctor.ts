import { newCommand, runAction, type Register } from '../command';
import type { Check } from '../checks';

/** `netssm doctor`. */
export const registerDoctor: Register = (program, finish) => {
  newCommand(program, 'doctor', 'what works on this machine, what does not, and the remedy', [
    'netssm doctor',
    'netssm doctor --json',
  ]).action((options: { json?: boolean }) =>
    runAction(options, finish, async (io) => {
      const { version } = await import('../../index.js');
      const check = await import('../checks.js');
      const all: Check[] = [];
      const show = (...checks: Check[]): void => {
        for (const each of checks) {
          all.push(each);
          io.print(`${each.status.padEnd(4)} ${each.name.padEnd(14)} ${each.detail}`);
          if (each.status !== 'OK' && each.remedy) io.print(`${' '.repeat(20)}-> ${each.remedy}`);
        }
      };
      io.print(`netssm ${version}`);
      show(check.checkNode(), check.checkNpm(), check.checkBuild());
      show(...(await check.checkKernel()));
      show(check.checkCompiler());
      show(...(await check.checkEngines()));
      show(check.checkGpu(), ...check.checkData(), check.checkWriteAccess());
      const count = (status: Check['status']): number => all.filter((each) => each.status === status).length;
      io.print(`${count('OK')} OK, ${count('WARN')} WARN, ${count('FAIL')} FAIL`);
      io.result({ version, checks: all });
      return count('FAIL') > 0 ? 1 : 0;
    }),
  );
};
