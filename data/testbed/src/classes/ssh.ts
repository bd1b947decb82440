import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { ended, run, sleep } from '../lib/process';
import type { TrafficClass } from './types';

interface SshScript {
  host: string;
  commands: { text: string; thinkSeconds: number }[];
  keySeconds: number;
  upload: number;
  download: number;
}

const COMMANDS = ['ls -l', 'uptime', 'df -h', 'cat notes.txt', 'head -40 log.txt', 'date', 'ls', 'tail -20 log.txt'];

/** A remote shell with typed commands, then an upload by scp and a download by rsync. */
export const ssh: TrafficClass = {
  name: 'ssh',
  service: 'extra',
  adaptive: false,
  programs: ['openssh', 'rsync'],
  tuning: { clientWindow: 2 ** 22, serverWindow: 2 ** 22, serverMtu: 1500 },
  description: 'OpenSSH: a shell with typed commands, scp, rsync',

  /** Keys that all sessions of a run share. */
  async prepare({ folder }) {
    for (const key of ['host', 'user'])
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(folder, `${key}-key`)]);
    mkdirSync('/run/sshd', { recursive: true }); // sshd insists on it
  },

  plan({ rng, names }): SshScript {
    return {
      host: rng.pick(names),
      commands: rng.sample(COMMANDS, rng.integer(2, 5)).map((text) => ({ text, thinkSeconds: rng.uniform(0.25, 1) })),
      keySeconds: rng.uniform(0.05, 0.15),
      upload: rng.size(10_000, 90_000),
      download: rng.size(20_000, 150_000),
    };
  },

  async serve(session) {
    const { folder, shared } = session;
    const { download, upload } = session.script as SshScript;
    const home = join(folder, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'notes.txt'), 'water the plants on the second floor\n'.repeat(12));
    writeFileSync(join(home, 'log.txt'), 'unit started, all checks passed, waiting\n'.repeat(80));
    writeFileSync(join(home, 'backup.bin'), session.filler(download));
    writeFileSync(join(folder, 'upload.bin'), session.filler(upload));
    const server = [
      'Port 22', `HostKey ${shared.folder}/host-key`, `AuthorizedKeysFile ${shared.folder}/user-key.pub`,
      'StrictModes no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no',
      'KbdInteractiveAuthentication no', 'UsePAM no', 'UseDNS no', 'PrintMotd no', 'PrintLastLog no',
      `PidFile ${folder}/sshd.pid`, 'Subsystem sftp internal-sftp',
    ]; // prettier-ignore
    writeFileSync(join(folder, 'sshd_config'), `${server.join('\n')}\n`);
    const client = [
      `User ${userInfo().username}`, `IdentityFile ${shared.folder}/user-key`, 'IdentitiesOnly yes',
      'StrictHostKeyChecking no', 'UserKnownHostsFile /dev/null', 'LogLevel ERROR',
    ]; // prettier-ignore
    writeFileSync(join(folder, 'ssh_config'), `${client.join('\n')}\n`);
    session.serve(['/usr/sbin/sshd', '-D', '-e', '-f', join(folder, 'sshd_config')]);
    await session.listening(22);
  },

  async use(session) {
    const { folder } = session;
    const { host, commands, keySeconds, upload, download } = session.script as SshScript;
    const home = join(folder, 'home');
    const config = join(folder, 'ssh_config');
    const note = (at: number, kind: string, name: string, bytes: number): void =>
      session.note({ at, seconds: Date.now() / 1000 - at, kind, name, bytes });
    const remote = `cd ${home} && exec env -i PATH=/usr/bin:/bin TERM=xterm PS1='$ ' bash --norc --noprofile -i`;
    const shell = session.client(['ssh', '-F', config, '-tt', host, remote]);
    await sleep(1);
    for (const { text, thinkSeconds } of [...commands, { text: 'exit', thinkSeconds: 0.3 }]) {
      for (const key of `${text}\r`) {
        shell.write(key);
        await sleep(keySeconds);
      }
      note(Date.now() / 1000, 'command', text, text.length + 1);
      await sleep(thinkSeconds);
    }
    await ended(shell);
    let at = Date.now() / 1000;
    await ended(session.client(['scp', '-q', '-F', config, join(folder, 'upload.bin'), `${host}:${home}/`]));
    note(at, 'upload', 'upload.bin', upload);
    await sleep(0.4);
    at = Date.now() / 1000;
    const from = `${host}:${home}/backup.bin`;
    await ended(session.client(['rsync', '-W', '-e', `ssh -F ${config}`, from, join(folder, 'backup.bin')]));
    note(at, 'download', 'backup.bin', download);
  },
};
