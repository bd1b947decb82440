/**
 * Random and damaged input through everything that reads: frames through the packet code, files through the readers.
 *
 *   node scripts/fuzz.mjs --frames 1000000 --files 10000 --seed 1 [--seconds 600] [--dist DIR] [--cases DIR]
 *
 * Needs a build (npm run build). Every case is made from the seed and its number alone: --first-frame N --frames 1 (or
 * --first-file N --files 1) runs one again. Ends with 0 if nothing was thrown, nothing took more than 2 s of processor
 * time or 200 MB, and every packet without a problem was encoded to its own bytes.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { LINK_TYPES, mutate, randomFrame, rngOf } from '../test/fuzz/mutate.mjs';

/** The long text of a packet takes longer than all else together. */
const SHOW_EVERY = 4;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** What a case may use. */
const MAX_SECONDS = 2;
const MAX_BYTES = 200 * 2 ** 20;
/** A case that has not ended after so long (of the clock) never will. */
const HANG_SECONDS = 30;
/** Larger files would only be read again and again. */
const MAX_FILE_BYTES = 256 * 1024;

function main() {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '100000' },
      files: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '0' },
      'first-frame': { type: 'string', default: '0' },
      'first-file': { type: 'string', default: '0' },
      dist: { type: 'string', default: join(root, 'dist') },
      cases: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(
      'node scripts/fuzz.mjs [--frames N] [--files N] [--seed S] [--seconds S] [--first-frame N] [--first-file N]\n' +
        '  [--dist DIR] [--cases DIR]',
    );
    return;
  }
  const number = (name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0) {
      console.error(`--${name} ${values[name]} is not a whole number`);
      process.exit(2);
    }
    return value;
  };
  const options = {
    frames: number('frames'),
    files: number('files'),
    seed: number('seed'),
    seconds: number('seconds'),
    firstFrame: number('first-frame'),
    firstFile: number('first-file'),
    dist: resolve(values.dist),
    cases: values.cases === undefined ? undefined : resolve(values.cases),
  };
  if (!existsSync(join(options.dist, 'packets', 'index.js'))) {
    console.error(`no build in ${options.dist}: npm run build`);
    process.exit(2);
  }
  // The cases run in a thread, so that one that never ends can be seen and named.
  const current = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...options, current } });
  let seen = -1;
  let since = Date.now();
  const watch = setInterval(() => {
    const now = Atomics.load(current, 0);
    if (now !== seen) [seen, since] = [now, Date.now()];
    else if (Date.now() - since > HANG_SECONDS * 1000) {
      const kind = Atomics.load(current, 1) === 0 ? 'frame' : 'file';
      console.error(`HANG: ${kind} ${now} of seed ${options.seed} (--first-${kind} ${now})`);
      process.exit(1);
    }
  }, 1000);
  worker.on('message', (line) => console.log(line));
  worker.on('error', (error) => {
    console.error(error);
    process.exitCode = 1;
  });
  worker.on('exit', (code) => {
    clearInterval(watch);
    if (code !== 0) process.exitCode = 1;
  });
}

async function work(options) {
  const say = (line) => parentPort.postMessage(line);
  const require = createRequire(join(options.dist, 'index.js'));
  const capture = require(join(options.dist, 'capture', 'index.js'));
  const packets = require(join(options.dist, 'packets', 'index.js'));
  const pool = await loadPool(capture);
  say(
    `pool: ${pool.files.length} files, ${pool.frames.length} frames; seed ${options.seed}; Node.js ${process.version}`,
  );
  const failures = { count: 0 };
  const fail = (kind, index, what, bytes, linkType) => {
    failures.count++;
    const where = `${kind} ${index} of seed ${options.seed}`;
    const shown = Buffer.from(bytes.subarray(0, 4096)).toString('hex');
    if (failures.count <= 50) {
      const link = linkType === undefined ? '' : `, link type ${linkType}`;
      say(`FAILURE: ${where}${link}: ${what}\n  bytes (${bytes.length}): ${shown}`);
    }
    if (options.cases && failures.count <= 200) {
      mkdirSync(options.cases, { recursive: true });
      const text = JSON.stringify({ kind, index, seed: options.seed, linkType, what, hex: shown }, null, 1);
      writeFileSync(join(options.cases, `${kind}-${options.seed}-${index}.json`), `${text}\n`);
    }
  };
  const until = options.seconds > 0 ? Date.now() + options.seconds * 1000 : Infinity;
  // With a limit of time, files get their share of it first.
  const filesUntil =
    options.seconds > 0
      ? Date.now() + (options.frames > 0 ? options.seconds * 400 : options.seconds * 1000)
      : Infinity;
  await fuzzFiles(options, capture, packets, pool, fail, say, filesUntil);
  fuzzFrames(options, packets, pool, fail, say, until);
  say(failures.count === 0 ? 'no failures' : `${failures.count} FAILURES`);
  if (failures.count > 0) process.exit(1);
}

/** Real captures: the committed ones, and shared ones where they are. */
async function loadPool(capture) {
  const folders = [join(root, 'data', 'captures'), join(root, 'test'), join(root, '..', 'shared', 'data')];
  const paths = folders.filter(existsSync).flatMap((folder) => filesBelow(folder));
  const files = [];
  const frames = [];
  for (const path of paths) {
    if (!/\.(pcap|pcapng|cap)(\.gz|\.zst)?$/i.test(path) || statSync(path).size > MAX_FILE_BYTES) continue;
    const bytes = new Uint8Array(readFileSync(path));
    files.push(bytes);
    if (files.length % 8 === 0) files.push(new Uint8Array(gzipSync(bytes)));
    let read;
    try {
      read = await capture.readCapture(bytes);
    } catch {
      continue; // Files that are refused are good material too.
    }
    // A few of each file: rare protocols are in small captures.
    const step = Math.max(1, Math.floor(read.frames.length / 60));
    for (let i = 0; i < read.frames.length; i += step) frames.push(read.frames[i]);
  }
  return { files, frames };
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path);
      return entry.isFile() ? [path] : [];
    });
}

function fuzzFrames(options, packets, pool, fail, say, until) {
  const { decodePacket, encodePacket, show, summarize, parseFilter } = packets;
  const filters = FILTERS.map((text) => parseFilter(text));
  const problems = new Map();
  const started = performance.now();
  let [done, withProblems, encoded, layers] = [0, 0, 0, 0];
  for (; done < options.frames; done++) {
    const index = options.firstFrame + done;
    if (done % 4096 === 0) {
      if (Date.now() > until) break;
      Atomics.store(options.current, 1, 0);
      Atomics.store(options.current, 0, index);
    }
    const rng = rngOf(options.seed, index);
    const { bytes, linkType } = makeFrame(rng, pool);
    let step = 'decodePacket';
    try {
      const wireLen = rng.int(3) === 0 ? undefined : bytes.length + (rng.int(4) === 0 ? rng.int(2000) : 0);
      const packet = decodePacket(bytes, linkType, { wireLen });
      layers += packet.layers.length;
      if (packet.problems.length > 0) {
        withProblems++;
        for (const { code } of packet.problems) problems.set(code, (problems.get(code) ?? 0) + 1);
      }
      step = 'summarize';
      summarize(packet);
      if (index % SHOW_EVERY === 0) {
        step = 'show';
        show(packet);
      }
      step = 'encodePacket';
      const again = encodePacket(packet.layers, bytes.subarray(packet.payloadOffset));
      encoded++;
      if (packet.problems.length === 0 && Buffer.compare(again, bytes) !== 0) {
        fail(
          'frame',
          index,
          `encoded to other bytes: ${Buffer.from(again.subarray(0, 2048)).toString('hex')}`,
          bytes,
          linkType,
        );
      }
      step = 'filter';
      filters[index % filters.length]({ data: bytes, wireLen: bytes.length, linkType });
    } catch (error) {
      fail('frame', index, `${step}: ${error.stack}`, bytes, linkType);
    }
    if ((done + 1) % 500_000 === 0) say(`  ${done + 1} frames, ${rate(done + 1, started)} frames/s`);
  }
  const top = [...problems].sort((a, b) => b[1] - a[1]);
  say(
    `frames: ${done}, ${(layers / Math.max(1, done)).toFixed(2)} layers each, ${withProblems} with problems ` +
      `(${problems.size} kinds), ${encoded} encoded again, ${rate(done, started)} frames/s`,
  );
  say(
    `  most frequent: ${top
      .slice(0, 12)
      .map(([code, n]) => `${code} ${n}`)
      .join(', ')}`,
  );
}

const FILTERS = [
  'tcp port 443 or udp port 53',
  'vlan and ip6 and not icmp6',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 or greater 1000',
  'net 10 or host fe80::1 or ether multicast',
  'mpls and ip or pppoes and ip6',
  'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420 or udp[udp[4:2]] / ip[9] > 2',
];

function makeFrame(rng, pool) {
  const any = () => LINK_TYPES[rng.int(LINK_TYPES.length)];
  if (rng.int(10) < 3 || pool.frames.length === 0)
    return { bytes: randomFrame(rng), linkType: rng.int(3) === 0 ? any() : 1 };
  const frame = pool.frames[rng.int(pool.frames.length)];
  const other = pool.frames[rng.int(pool.frames.length)];
  // Most of what is interesting is in the headers.
  const part = rng.int(2) === 0 ? frame.data.subarray(0, 128) : frame.data;
  return { bytes: mutate(part, rng, other.data), linkType: rng.int(10) === 0 ? any() : frame.linkType };
}

async function fuzzFiles(options, capture, packets, pool, fail, say, until) {
  const problems = new Map();
  const errors = new Map();
  const count = (map, code) => map.set(code, (map.get(code) ?? 0) + 1);
  const started = performance.now();
  let [done, frames, slowest, largest] = [0, 0, 0, 0];
  for (; done < options.files; done++) {
    if (Date.now() > until) break;
    const index = options.firstFile + done;
    Atomics.store(options.current, 1, 1);
    Atomics.store(options.current, 0, index);
    const rng = rngOf(options.seed, index);
    const file = pool.files[rng.int(pool.files.length)];
    const bytes = mutate(file, rng, pool.files[rng.int(pool.files.length)]);
    const before = memory();
    const cpu = process.cpuUsage();
    try {
      const reader = await capture.openCapture(rng.int(4) === 0 ? pieces(bytes, rng) : bytes);
      let decoded = 0;
      for await (const batch of reader.batches()) {
        frames += batch.length;
        for (const frame of batch) if (decoded++ < 10) packets.decodeFrame(frame);
        for (const frame of batch) checkFrame(frame, bytes);
      }
      for (const { code } of reader.problems) count(problems, code);
      JSON.stringify(reader.info);
    } catch (error) {
      if (error.name === 'NetssmError' && error.hint) count(errors, error.code);
      else fail('file', index, error.stack, bytes);
    }
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (user + system) / 1e6;
    const grown = memory() - before;
    slowest = Math.max(slowest, seconds);
    largest = Math.max(largest, grown);
    if (seconds > MAX_SECONDS) fail('file', index, `took ${seconds.toFixed(1)} s`, bytes);
    if (grown > MAX_BYTES) fail('file', index, `took ${(grown / 2 ** 20).toFixed(0)} MB`, bytes);
    if ((done + 1) % 10_000 === 0) say(`  ${done + 1} files, ${rate(done + 1, started)} files/s`);
  }
  const list = (map) =>
    [...map]
      .sort((a, b) => b[1] - a[1])
      .map(([code, n]) => `${code} ${n}`)
      .join(', ');
  say(
    `files: ${done}, ${frames} frames read, ${rate(done, started)} files/s; the slowest took ${slowest.toFixed(2)} s of ` +
      `processor time, the largest growth was ${(largest / 2 ** 20).toFixed(0)} MB`,
  );
  say(`  refused: ${list(errors)}`);
  say(`  problems: ${list(problems)}`);
}

function checkFrame(frame, bytes) {
  if (!Number.isSafeInteger(frame.tsMicros)) throw new Error(`a time of ${frame.tsMicros} µs`);
  if (!(frame.tsNanos >= 0 && frame.tsNanos < 1000))
    throw new Error(`${frame.tsNanos} ns below the microsecond`);
  // gzip makes more of less, but no frame is longer than what a file may hold in one piece.
  if (frame.data.length > Math.max(bytes.length, 16 * 2 ** 20))
    throw new Error(`a frame of ${frame.data.length} bytes`);
}

/** The file as a stream of pieces of any size. */
async function* pieces(bytes, rng) {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + (rng.int(4) === 0 ? rng.int(64) : rng.int(65536));
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

function memory() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function rate(n, started) {
  return Math.round(n / ((performance.now() - started) / 1000));
}

if (isMainThread) main();
else await work(workerData);
