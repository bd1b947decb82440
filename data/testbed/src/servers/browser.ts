/** Headless Chromium at the client, driven over its control pipe (Chrome DevTools Protocol). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { sleep } from '../lib/process';
import type { Session } from '../session';

export interface Browser {
  /** Opens a page and waits until it has loaded, or for so many seconds. */
  open(url: string, seconds: number): Promise<void>;
  /** Scrolls to a share of the page's height and waits. */
  scroll(share: number, seconds: number): Promise<void>;
  rest(seconds: number): Promise<void>;
  close(): Promise<void>;
}

const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe',
  '--ignore-certificate-errors', '--no-first-run', '--no-default-browser-check', '--hide-scrollbars', '--mute-audio',
  // What a browser asks its maker's servers for would fail here and is no part of the session.
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
  '--disable-domain-reliability', '--disable-client-side-phishing-detection', '--metrics-recording-only', '--no-pings',
  '--disable-features=OptimizationHints,MediaRouter,Translate,InterestFeedContentSuggestions,NetworkTimeServiceQuerying,AutofillServerCommunication,CertificateTransparencyComponentUpdater,AsyncDns',
]; // prettier-ignore

interface Message {
  id?: number;
  method?: string;
  sessionId?: string;
  result?: Record<string, string>;
  error?: { message: string };
}

/** Starts it with an empty profile; nothing is on the wire before the first page. */
export async function browser(session: Session): Promise<Browser> {
  const profile = join(session.folder, 'profile');
  mkdirSync(profile);
  const program = session.client(['chromium', ...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], { HOME: profile }, 2);
  const [, , , to, from] = program.child.stdio as unknown as (Writable & Readable)[];
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Set<(message: Message) => void>();
  let [text, lastId, ended] = ['', 0, false];
  to.on('error', () => {}); // it may have ended
  from.on('error', () => {});
  from.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (let end; (end = text.indexOf('\0')) >= 0; text = text.slice(end + 1)) {
      const message = JSON.parse(text.slice(0, end)) as Message;
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      else listeners.forEach((listener) => listener(message));
    }
  });
  const gone = program.done.then(({ code, stderr }) => {
    ended = true;
    return Promise.reject(new Error(`chromium ended with ${code}: ${stderr.slice(-300)}`));
  });
  gone.catch(() => {}); // reported to whoever waits
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, string>> => {
    const id = ++lastId;
    to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const answer = new Promise<Record<string, string>>((resolve, reject) =>
      waiting.set(id, (message) => {
        waiting.delete(id);
        if (message.error) reject(new Error(`${method}: ${message.error.message}`));
        else resolve(message.result ?? {});
      }),
    );
    return Promise.race([answer, gone]);
  };
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  await send('Page.enable', {}, sessionId);
  const loaded = (seconds: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        listeners.delete(listener);
        resolve();
      };
      const listener = (message: Message): void => {
        if (message.method === 'Page.loadEventFired') done();
      };
      const timer = setTimeout(done, seconds * 1000);
      listeners.add(listener);
    });
  return {
    async open(url, seconds) {
      const ready = loaded(seconds);
      void send('Page.navigate', { url }, sessionId).catch(() => {});
      await ready;
    },
    async scroll(share, seconds) {
      const expression = `window.scrollTo({top: document.documentElement.scrollHeight * ${share}, behavior: 'smooth'})`;
      await send('Runtime.evaluate', { expression }, sessionId);
      await sleep(seconds);
    },
    rest: sleep,
    async close() {
      if (!ended) to.write(`${JSON.stringify({ id: ++lastId, method: 'Browser.close' })}\0`);
      await Promise.race([program.done, sleep(5)]);
      if (!ended) program.kill('SIGKILL');
    },
  };
}
