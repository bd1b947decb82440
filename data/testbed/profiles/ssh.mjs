/** A remote shell with typed commands, then an upload by scp and a download by rsync. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { run, sleep } from '../lib/process.mjs';

export const label = 'ssh';
const COMMANDS = ['ls -l', 'uptime', 'df -h', 'cat notes.txt', 'head -40 log.txt', 'date', 'ls'];

export function plan({ rng, names }) {
  const [host] = rng.sample(names, 1);
  return {
    host,
    commands: rng.sample(COMMANDS, rng.integer(3, 5)),
    keySeconds: rng.uniform(0.05, 0.09),
    thinkSeconds: rng.uniform(0.25, 0.5),
    upload: rng.integer(25000, 80000),
    download: rng.integer(40000, 140000),
  };
}

/** Keys that all sessions of a run share. */
export async function prepare(shared) {
  for (const key of ['host', 'user'])
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(shared, `${key}-key`)]);
  mkdirSync('/run/sshd', { recursive: true }); // sshd insists on it
}

export async function serve(session) {
  const { folder, shared, plan } = session;
  const home = join(folder, 'home');
  mkdirSync(home);
  writeFileSync(join(home, 'notes.txt'), 'water the plants on the second floor\n'.repeat(12));
  writeFileSync(join(home, 'log.txt'), 'unit started, all checks passed, waiting\n'.repeat(80));
  writeFileSync(join(home, 'backup.bin'), Buffer.alloc(plan.download, 120));
  writeFileSync(join(folder, 'upload.bin'), Buffer.alloc(plan.upload, 121));
  const server = [
    'Port 22', `HostKey ${shared}/host-key`, `AuthorizedKeysFile ${shared}/user-key.pub`,
    'StrictModes no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no',
    'KbdInteractiveAuthentication no', 'UsePAM no', 'UseDNS no', 'PrintMotd no', 'PrintLastLog no',
    `PidFile ${folder}/sshd.pid`, 'Subsystem sftp internal-sftp',
  ]; // prettier-ignore
  writeFileSync(join(folder, 'sshd_config'), `${server.join('\n')}\n`);
  const client = [
    `User ${userInfo().username}`, `IdentityFile ${shared}/user-key`, 'IdentitiesOnly yes',
    'StrictHostKeyChecking no', 'UserKnownHostsFile /dev/null', 'LogLevel ERROR',
  ]; // prettier-ignore
  writeFileSync(join(folder, 'ssh_config'), `${client.join('\n')}\n`);
  session.serve(['/usr/sbin/sshd', '-D', '-e', '-f', join(folder, 'sshd_config')]);
  await session.listening(22);
}

export async function use(session) {
  const { folder, plan } = session;
  const home = join(folder, 'home');
  const config = join(folder, 'ssh_config');
  const remote = `cd ${home} && exec env -i PATH=/usr/bin:/bin TERM=xterm PS1='$ ' bash --norc --noprofile -i`;
  const shell = session.client(['ssh', '-F', config, '-tt', plan.host, remote]);
  await sleep(0.8);
  for (const command of [...plan.commands, 'exit']) {
    for (const key of `${command}\r`) {
      shell.write(key);
      await sleep(plan.keySeconds);
    }
    await sleep(plan.thinkSeconds);
  }
  await session.ended(shell);
  const upload = ['scp', '-q', '-F', config, join(folder, 'upload.bin'), `${plan.host}:${home}/`];
  await session.ended(session.client(upload));
  await sleep(plan.thinkSeconds);
  const from = `${plan.host}:${home}/backup.bin`;
  const download = ['rsync', '-W', '-e', `ssh -F ${config}`, from, join(folder, 'backup.bin')];
  await session.ended(session.client(download));
}
