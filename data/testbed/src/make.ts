/** Makes the sessions that are not there yet, several at a time, and packs the set. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomBytes } from 'node:crypto';
import { CLASSES } from './classes';
import type { TrafficClass } from './classes/types';
import { RELAY_SOURCE } from './lib/paths';
import { sleep } from './lib/process';
import { listNamespaces, removeNamespaces } from './net/namespaces';
import { compileRelay, hasNetem } from './net/wire';
import { help, parseOptions, UsageError, type Options } from './options';
import { makeCertificates } from './servers/certificates';
import { makeMedia } from './servers/media';
import { planSession, runSession, type SessionId, type Shared } from './session';
import { listSessions } from './store/plan';
import { describePrograms, type Programs } from './store/programs';
import { findSession, keepSession } from './store/spool';
import { pack } from './store/pack';
import { describeProgress, formatSeconds } from './store/progress';
import { validateSet } from './validate/set';

/** A session is tried so often: a crowded machine may be too slow once. */
const TRIES = 3;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), CLASSES.map((c) => c.name)); // prettier-ignore
  if (!options) {
    console.log(help(CLASSES.map((c) => c.name)));
    return 0;
  }
  if (process.platform !== 'linux') throw new UsageError('network namespaces need Linux');
  if (process.getuid?.() !== 0)
    throw new UsageError('network namespaces need root. Run: sudo node data/testbed/make.mjs ...');
  const classes = CLASSES.filter((c) => !options.classes || options.classes.includes(c.name));
  const programs = await describePrograms(classes);
  if (programs.missing.length > 0)
    throw new UsageError(`missing: ${programs.missing.join(', ')}. Run: sh data/testbed/install.sh`);
  return new Run(options, classes, programs).toEnd();
}

class Run {
  /** Begins the names of this run's namespaces; no other run's begin so. */
  private readonly prefix = `nb${process.pid}-`;
  private readonly temporary = mkdtempSync(join(tmpdir(), 'netssm-testbed-'));
  private readonly list: SessionId[];
  private todo: (SessionId & { tries?: number })[] = [];
  private stopping = false;
  private made = 0;
  /** How many this run has to make. */
  private total = 0;
  private readonly failures: string[] = [];
  private started = Date.now();

  constructor(
    private readonly options: Options,
    private readonly classes: TrafficClass[],
    private readonly programs: Programs,
  ) {
    this.list = listSessions(classes, options);
  }

  async toEnd(): Promise<number> {
    const { options } = this;
    const stop = (): void => {
      if (this.stopping) return;
      this.stopping = true;
      console.log('\nstopping: what is finished is kept; run the same command again to go on');
      void this.cleanUp();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
    try {
      const shared = await this.prepare();
      mkdirSync(options.work, { recursive: true });
      this.todo = this.list.filter((id) => !findSession(options.work, id, this.scriptOf(id, shared)));
      this.total = this.todo.length;
      console.log(
        `${this.list.length} sessions of ${this.classes.length} classes; ` +
          `${this.list.length - this.todo.length} are there, ${this.todo.length} to make, ${options.jobs} at a time`,
      );
      this.started = Date.now();
      await Promise.all(Array.from({ length: Math.min(options.jobs, this.todo.length) }, (_, i) => this.worker(i, shared)));
    } catch (error) {
      if (!this.stopping) throw error;
    } finally {
      await this.cleanUp();
    }
    return this.finish();
  }

  /** Certificates, relay, titles, keys: once for each run. */
  private async prepare(): Promise<Shared> {
    const { wire: wanted, cache } = this.options;
    const netem = wanted === 'relay' ? false : await hasNetem(this.prefix);
    if (wanted === 'netem' && !netem) throw new UsageError('this kernel has no netem: use --wire relay');
    const shared: Shared = {
      folder: this.temporary,
      media: this.classes.some((c) => c.programs.includes('ffmpeg'))
        ? await makeMedia(resolve(cache), (text) => console.log(text))
        : { root: resolve(cache), titles: [] },
      certificates: await makeCertificates(this.temporary),
      relay: await compileRelay(RELAY_SOURCE, this.temporary),
      wire: netem ? 'netem' : 'relay',
      filler: randomBytes(1 << 20),
      keepFailed: this.options.keepFailed ? join(this.options.work, 'failed') : undefined,
    };
    for (const kind of this.classes) await kind.prepare?.(shared);
    return shared;
  }

  private scriptOf(id: SessionId, { media }: Shared): unknown {
    return planSession(this.classes.find((c) => c.name === id.label)!, id, media).script;
  }

  private async worker(slot: number, shared: Shared): Promise<void> {
    for (let item; !this.stopping && (item = this.todo.shift());) {
      const kind = this.classes.find((c) => c.name === item!.label)!;
      try {
        const { section, truth } = await runSession(kind, item, shared, `${this.prefix}${slot}`);
        const bytes = await keepSession(this.options.work, section, truth);
        this.made++;
        console.log(describeProgress(truth, bytes, this.made, this.total, this.started));
      } catch (error) {
        if (this.stopping) return;
        const tries = (item.tries ?? 0) + 1;
        const message = `${item.id}: ${(error as Error).message}`;
        console.log(`try ${tries} of ${TRIES} failed: ${message}`);
        if (tries < TRIES) this.todo.push({ ...item, tries });
        else this.failures.push(message);
      }
    }
  }

  private async finish(): Promise<number> {
    const { options } = this;
    const made = {
      command: `node data/testbed/make.mjs --seed ${options.seed} --sessions ${options.sessions} --test-sessions ${options.testSessions}`,
      seed: options.seed, longShare: options.longShare, kernel: this.programs.kernel,
      node: this.programs.node, programs: this.programs.versions, keptUdpPayloadBytes: 12,
    }; // prettier-ignore
    const { manifest, missing } = pack(options.out, options.work, this.classes, this.list, made);
    const bytes = manifest.files.reduce((sum, f) => sum + f.bytes, 0);
    const packets = manifest.sessions.reduce((sum, s) => sum + s.packets, 0);
    console.log(
      `made ${this.made} sessions in ${formatSeconds((Date.now() - this.started) / 1000)}; ${options.out} has ` +
        `${manifest.sessions.length} sessions, ${packets} packets, ${(bytes / 1e6).toFixed(2)} MB` +
        (missing > 0 ? `; ${missing} sessions are still to be made` : ''),
    );
    for (const failure of this.failures) console.error(`failed: ${failure}`);
    if (this.stopping) return 130;
    const right = manifest.sessions.length === 0 || !options.validate || (await validateSet(options.out));
    return this.failures.length > 0 || missing > 0 || !right ? 1 : 0;
  }

  /** Removes every namespace of this run and the temporary folder. */
  private async cleanUp(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const ours = (await listNamespaces()).filter((name) => name.startsWith(this.prefix));
      if (ours.length === 0 && tries > 0) break;
      await removeNamespaces(ours);
      for (const name of ours) rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
      await sleep(0.1);
    }
    rmSync(this.temporary, { recursive: true, force: true });
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof UsageError ? error.message : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
