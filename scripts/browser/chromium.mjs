/* global clearTimeout */
// Headless Chromium over its debugging pipe: no library, no port. Only what driving notebooks needs.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAMS = [
  process.env.CHROMIUM,
  'chromium',
  'chromium-browser',
  'google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].filter(Boolean);

/** The browser's program, or undefined where none runs. */
export function findChromium() {
  return PROGRAMS.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A running browser; `page()` opens a tab, `close()` ends it. */
export class Chromium {
  #process;
  #folder;
  #next = 1;
  #waiting = new Map();
  #listeners = new Set();
  #rest = '';

  constructor(program = findChromium()) {
    if (!program) throw new Error('no Chromium found: install it, or name it in CHROMIUM');
    this.#folder = mkdtempSync(join(tmpdir(), 'netssm-chromium-'));
    const argv = [
      '--headless=new',
      '--remote-debugging-pipe',
      '--no-sandbox',
      '--no-first-run',
      '--disable-gpu',
      '--hide-scrollbars',
      `--user-data-dir=${this.#folder}`,
      'about:blank',
    ];
    // Fd 3 is what the browser reads, fd 4 what it writes: JSON, each message ended by a zero byte.
    this.#process = spawn(program, argv, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.#process.stdio[4].setEncoding('utf8').on('data', (chunk) => this.#read(chunk));
    this.#process.stdio[3].on('error', () => {});
  }

  #read(chunk) {
    const parts = (this.#rest + chunk).split('\0');
    this.#rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      const waiting = this.#waiting.get(message.id);
      if (waiting) {
        this.#waiting.delete(message.id);
        if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
        else waiting.resolve(message.result);
      } else for (const listener of this.#listeners) listener(message);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  listen(listener) {
    this.#listeners.add(listener);
  }

  async page({ width = 1280, height = 900, dark = false, mobile = false } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId);
    await page.send('Page.enable');
    await page.send('Runtime.enable');
    await page.send('Network.enable');
    await page.size(width, height, mobile);
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
    await page.send('Emulation.setEmulatedMedia', { features });
    return page;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.send('Browser.close').catch(() => {});
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A tab. */
class Page {
  #browser;
  #session;
  /** Errors of scripts, and requests that left the machine. */
  errors = [];
  requests = [];

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
    browser.listen(({ sessionId, method, params }) => {
      if (sessionId !== session) return;
      if (method === 'Runtime.exceptionThrown')
        this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
      // "Leave page? Changes may not be saved": yes.
      if (method === 'Page.javascriptDialogOpening')
        this.send('Page.handleJavaScriptDialog', { accept: true });
    });
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  async size(width, height, mobile = false) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
  }

  async goto(url) {
    await this.send('Page.navigate', { url });
    await this.until('document.readyState === "complete"', 60);
  }

  /** The value of an expression in the page; promises are awaited. */
  async value(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true in the page, and gives the seconds that took. */
  async until(expression, seconds = 30, what = expression) {
    const started = Date.now();
    for (;;) {
      if (await this.value(`Boolean(${expression})`).catch(() => false)) return (Date.now() - started) / 1000;
      if (Date.now() - started > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}`);
      await sleep(150);
    }
  }

  async mouse(x, y) {
    await this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: x - 3, y: y - 3 });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
  }

  /** A picture of what is visible, or of the whole page. */
  async screenshot(path, { whole = false } = {}) {
    const { data } = await this.send('Page.captureScreenshot', {
      format: 'png',
      captureBeyondViewport: whole,
    });
    writeFileSync(path, Buffer.from(data, 'base64'));
  }
}
