/**
 * The origin of a low-latency live stream: an HTTPS server that sends a segment while it is being
 * made, one part (CMAF chunk) every PART_SECONDS, with chunked transfer encoding.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import https from 'node:https';
import { fail, sleep } from './client';

interface OriginTask {
  cert: string;
  key: string;
  port: number;
  /** Files of the representations, and the sizes of their parts by segment. */
  tracks: Record<string, { file: string; segments: number[][] }>;
  partSeconds: number;
  segmentSeconds: number;
  /** The stream began so many segments before the first viewer came. */
  headStart: number;
}

const task = JSON.parse(readFileSync(process.argv[2], 'utf8')) as OriginTask;
/** When the stream's first segment began; settled by the first viewer, who always comes at the same place. */
let began = 0;
const OFFSET_SECONDS = 0.4;

/** The initialisation segment and then the parts, as byte ranges of the track's file. */
function layout(name: string): { offset: number; parts: { at: number; bytes: number }[][] } {
  const { file, segments } = task.tracks[name];
  const bytes = readFileSync(file);
  const offset = bytes.indexOf('moof', 0, 'latin1') - 4;
  let at = offset;
  const parts = segments.map((sizes) =>
    sizes.map((size) => {
      const part = { at, bytes: size };
      at += size;
      return part;
    }),
  );
  return { offset, parts };
}

const layouts = new Map(Object.keys(task.tracks).map((name) => [name, layout(name)]));

const server = https.createServer({ cert: readFileSync(task.cert), key: readFileSync(task.key) }, async (request, response) => {
  const [, kind, track, number] = /^\/(\w+)\/?(\w*)\/?(\d*)/.exec(request.url ?? '') ?? [];
  const found = layouts.get(track);
  if (kind === 'manifest') {
    const now = Date.now() / 1000;
    began ||= now - task.headStart * task.segmentSeconds - OFFSET_SECONDS;
    const newest = Math.floor((now - began) / task.segmentSeconds);
    const body = `${JSON.stringify({ began, newest, now })}\n`.padEnd(1800, '<!-- SegmentTemplate -->\n');
    response.writeHead(200, { 'Content-Type': 'application/dash+xml', 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
    return;
  }
  if (!found) {
    response.writeHead(404).end();
    return;
  }
  const fd = openSync(task.tracks[track].file, 'r');
  try {
    const read = (at: number, bytes: number): Buffer => {
      const out = Buffer.alloc(bytes);
      readSync(fd, out, 0, bytes, at);
      return out;
    };
    if (kind === 'init') {
      response.writeHead(200, { 'Content-Type': 'video/mp4', 'Content-Length': found.offset });
      response.end(read(0, found.offset));
      return;
    }
    response.writeHead(200, { 'Content-Type': 'video/mp4', 'Cache-Control': 'max-age=60' });
    const segment = Number(number);
    const parts = found.parts[segment % found.parts.length];
    for (const [i, part] of parts.entries()) {
      const due = began + segment * task.segmentSeconds + (i + 1) * task.partSeconds;
      await sleep(due - Date.now() / 1000);
      if (response.destroyed) return;
      response.write(read(part.at, part.bytes));
    }
    response.end();
  } finally {
    closeSync(fd);
  }
});
server.on('error', fail);
server.listen(task.port);
