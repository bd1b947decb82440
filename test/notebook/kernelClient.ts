/** A Jupyter front end of a few lines: starts a kernel from its kernelspec's command, and talks to it over ZeroMQ. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dealer, Subscriber } from 'zeromq';

export interface Message {
  msg_type: string;
  parent: string;
  content: Record<string, unknown>;
}

/** What running a cell gave. */
export interface Executed {
  status: string;
  /** Everything on stdout and stderr, as it came. */
  text: string;
  displays: { data: Record<string, unknown>; update: boolean }[];
  seconds: number;
}

const KEY = 'test';

export class KernelClient {
  private readonly shell = new Dealer();
  private readonly iopub = new Subscriber();
  private readonly waiting = new Map<string, (reply: Message) => void>();
  /** What the front end's indicator would say. */
  status = '';
  private readonly listeners = new Set<(message: Message) => void>();

  private constructor(readonly process: ChildProcess) {}

  /** @param root the project whose `bin/kernel.cjs` is started; @param cwd the notebook's folder. */
  static async start(root: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<KernelClient> {
    const [shell, iopub, stdin, control, hb] = await freePorts(5);
    const file = join(mkdtempSync(join(tmpdir(), 'netssm-kernel-')), 'connection.json');
    const connection = { transport: 'tcp', ip: '127.0.0.1', key: KEY, signature_scheme: 'hmac-sha256' };
    const ports = {
      shell_port: shell,
      iopub_port: iopub,
      stdin_port: stdin,
      control_port: control,
      hb_port: hb,
    };
    writeFileSync(file, JSON.stringify({ ...connection, ...ports }));
    const argv = ['--max-old-space-size=2048', join(root, 'bin', 'kernel.cjs'), '--config-path', file];
    const child = spawn(process.execPath, argv, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const client = new KernelClient(child);
    client.shell.connect(`tcp://127.0.0.1:${shell}`);
    client.iopub.connect(`tcp://127.0.0.1:${iopub}`);
    client.iopub.subscribe();
    void client.read(client.shell);
    void client.read(client.iopub);
    await client.request('kernel_info_request', {});
    // A subscription takes a moment; once an answer's status comes through, later ones do too.
    for (let tries = 0; tries < 50; tries++) {
      const seen = client.next((message) => message.msg_type === 'status', 200);
      await client.request('kernel_info_request', {});
      if (await seen) break;
    }
    return client;
  }

  private async read(socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket) {
      const at = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>');
      const [header, parent, , content] = frames
        .slice(at + 2)
        .map((frame) => JSON.parse(frame.toString()) as never);
      const message: Message = {
        msg_type: (header as { msg_type: string }).msg_type,
        parent: (parent as { msg_id?: string }).msg_id ?? '',
        content,
      };
      if (socket === this.shell) this.waiting.get(message.parent)?.(message);
      else {
        if (message.msg_type === 'status') this.status = message.content.execution_state as string;
        for (const listener of this.listeners) listener(message);
      }
    }
  }

  private next(wanted: (message: Message) => boolean, milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (found: boolean): void => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        resolve(found);
      };
      const listener = (message: Message): void => {
        if (wanted(message)) done(true);
      };
      const timer = setTimeout(() => done(false), milliseconds);
      this.listeners.add(listener);
    });
  }

  /** Sends a request on the shell channel and gives the reply. */
  async request(type: string, content: object, id = randomUUID() as string): Promise<Message> {
    const reply = new Promise<Message>((resolve) => this.waiting.set(id, resolve));
    const header = { msg_id: id, msg_type: type, session: 's', username: 'u', version: '5.3', date: '' };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    const hmac = createHmac('sha256', KEY);
    for (const part of parts) hmac.update(part);
    await this.shell.send(['<IDS|MSG>', hmac.digest('hex'), ...parts]);
    return reply;
  }

  /** Runs a cell. `onMessage` sees everything that it shows, while it runs. */
  async execute(code: string, onMessage?: (message: Message) => void): Promise<Executed> {
    const started = Date.now();
    const id = randomUUID();
    const result: Executed = { status: '', text: '', displays: [], seconds: 0 };
    let idle = (): void => {};
    const finished = new Promise<void>((resolve) => (idle = resolve));
    const listener = (message: Message): void => {
      if (message.parent !== id) return;
      onMessage?.(message);
      const { content } = message;
      if (message.msg_type === 'stream') result.text += content.text as string;
      else if (/display_data$/.test(message.msg_type))
        result.displays.push({
          data: content.data as Record<string, unknown>,
          update: message.msg_type.startsWith('update'),
        });
      else if (message.msg_type === 'status' && content.execution_state === 'idle') idle();
    };
    this.listeners.add(listener);
    const reply = await this.request('execute_request', { code, silent: false }, id);
    await finished;
    this.listeners.delete(listener);
    result.status = reply.content.status as string;
    result.seconds = (Date.now() - started) / 1000;
    return result;
  }

  /** What Jupyter's interrupt button sends. */
  interrupt(): void {
    this.process.kill('SIGINT');
  }

  async complete(code: string, at = code.length): Promise<string[]> {
    const reply = await this.request('complete_request', { code, cursor_pos: at });
    return reply.content.matches as string[];
  }

  async inspect(code: string, at = code.length): Promise<string> {
    const reply = await this.request('inspect_request', { code, cursor_pos: at, detail_level: 0 });
    return String((reply.content.data as Record<string, unknown>)['text/plain'] ?? '');
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
    this.shell.close();
    this.iopub.close();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
