/**
 * The titles that the streaming classes play: made once by ffmpeg from its own test pictures (with
 * noise that comes and goes, so that segment sizes vary as they do in films), encoded by libx264 and
 * aac at several bitrates and packaged for each class. Kept in a cache folder between runs.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lib/process';

/** Video bitrates, kbit/s. */
export const LADDER = [150, 235, 375, 560, 750, 1050, 1750, 2800];
export const AUDIO_KBIT = 64;
export const TITLE_SECONDS = 64;
/** Segments of DASH and HLS, of live streams, and the parts live segments are sent in. */
export const [SEGMENT_SECONDS, LIVE_SECONDS, PART_SECONDS] = [2, 2, 0.25];

/** Counts changes of what is made here: other versions' titles are not used. */
const VERSION = 2;

/** What the pictures of each title are. */
const TITLES: Record<string, string> = {
  nature: `mandelbrot=size=320x180:rate=25:maxiter=80:end_scale=0.02`,
  sports: `testsrc2=size=320x180:rate=25`,
  talk: `life=size=160x90:rate=25:mold=10:ratio=0.3:death_color=#203040:life_color=#d0e0a0,scale=320:180`,
};

/** One encoding: a file a player can ask for, whole or in ranges. */
export interface MediaFile {
  path: string;
  bytes: number;
}

export interface Title {
  name: string;
  /** Segment sizes by representation: video[ladder index][segment], bytes. */
  dash: { video: number[][]; audio: number[] };
  hls: number[][];
  progressive: MediaFile[];
  /** live[ladder index][segment] = sizes of the parts. */
  live: { video: number[][][]; audio: number[][] };
}

export interface Catalogue {
  /** The folder that servers serve under /media/. */
  root: string;
  titles: Title[];
}

/** Makes the titles that the cache does not have, and lists what there is. */
export async function makeMedia(cache: string, say: (text: string) => void): Promise<Catalogue> {
  const root = join(cache, `v${VERSION}`);
  mkdirSync(root, { recursive: true });
  const titles: Title[] = [];
  for (const [name, picture] of Object.entries(TITLES)) {
    const list = join(root, name, 'title.json');
    if (!existsSync(list)) {
      say(`encoding the title "${name}" at ${LADDER.length} bitrates (once; kept in ${cache})`);
      const part = join(root, `${name}.part`);
      rmSync(part, { recursive: true, force: true });
      await encode(part, picture, name);
      writeFileSync(join(part, 'title.json'), JSON.stringify(describe(part, name)));
      rmSync(join(root, name), { recursive: true, force: true });
      renameSync(part, join(root, name));
    }
    titles.push(JSON.parse(readFileSync(list, 'utf8')) as Title);
  }
  return { root, titles };
}

const FFMPEG = ['ffmpeg', '-nostdin', '-hide_banner', '-loglevel', 'error', '-y'];

async function encode(folder: string, picture: string, name: string): Promise<void> {
  for (const sub of ['dash', 'hls', 'progressive', 'live']) mkdirSync(join(folder, sub), { recursive: true });
  const noise = [3, 7, 13].map((every, i) => `noise=alls=${[40, 25, 60][i]}:allf=t:enable='lt(mod(t+${i},${every}),${every / 2.5})'`);
  const keys = ['-g', '50', '-keyint_min', '50', '-sc_threshold', '0'];
  const length = ['-t', String(TITLE_SECONDS)];
  const rungs = LADDER.flatMap((kbit, i) => [
    '-map', '0:v', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...keys, '-threads', '2',
    '-b:v', `${kbit}k`, '-maxrate', `${Math.round(kbit * 1.3)}k`, '-bufsize', `${kbit * 4}k`,
    '-metadata', `title=${name}`, join(folder, `v${i}.mp4`),
  ]); // prettier-ignore
  await run([
    ...FFMPEG, ...length, '-f', 'lavfi', '-i', `${picture},${noise.join(',')}`, ...length, '-f', 'lavfi',
    '-i', `aevalsrc=0.2*sin(2*PI*(200+100*sin(t/3))*t)+0.1*random(0):s=44100`,
    ...rungs, '-map', '1:a', '-c:a', 'aac', '-ac', '2', '-b:a', `${AUDIO_KBIT}k`, join(folder, 'a.m4a'),
  ]); // prettier-ignore
  const copy = ['-c', 'copy'];
  const inputs = [...LADDER.keys()].flatMap((i) => ['-i', join(folder, `v${i}.mp4`)]);
  const maps = [...LADDER.keys()].flatMap((i) => ['-map', `${i}:v`]);
  await run([
    ...FFMPEG, ...inputs, '-i', join(folder, 'a.m4a'), ...maps, '-map', `${LADDER.length}:a`, ...copy,
    '-f', 'dash', '-seg_duration', String(SEGMENT_SECONDS), '-adaptation_sets', 'id=0,streams=v id=1,streams=a',
    '-init_seg_name', 'init-$RepresentationID$.mp4', '-media_seg_name', 'seg-$RepresentationID$-$Number$.m4s',
    join(folder, 'dash', 'manifest.mpd'),
  ]); // prettier-ignore
  for (const i of LADDER.keys()) {
    const both = ['-i', join(folder, `v${i}.mp4`), '-i', join(folder, 'a.m4a'), '-map', '0:v', '-map', '1:a', ...copy];
    await run([
      ...FFMPEG, ...both, '-f', 'hls', '-hls_time', String(SEGMENT_SECONDS), '-hls_list_size', '0',
      '-hls_segment_filename', join(folder, 'hls', `${i}-%d.ts`), join(folder, 'hls', `${i}.m3u8`),
    ]); // prettier-ignore
    await run([...FFMPEG, ...both, '-movflags', '+faststart', join(folder, 'progressive', `${i}.mp4`)]);
    await run([...FFMPEG, '-i', join(folder, `v${i}.mp4`), ...fragmented(join(folder, 'live', `v${i}.mp4`))]);
  }
  const master = LADDER.flatMap((kbit, i) => [`#EXT-X-STREAM-INF:BANDWIDTH=${kbit * 1300}`, `${i}.m3u8`]);
  writeFileSync(join(folder, 'hls', 'master.m3u8'), ['#EXTM3U', ...master, ''].join('\n'));
  await run([...FFMPEG, '-i', join(folder, 'a.m4a'), ...fragmented(join(folder, 'live', 'a.mp4'))]);
  for (const file of readdirSync(folder)) if (/\.(mp4|m4a)$/.test(file)) rmSync(join(folder, file));
}

const fragmented = (path: string): string[] => [
  '-c', 'copy', '-movflags', '+empty_moov+default_base_moof', '-frag_duration', String(PART_SECONDS * 1e6), path,
]; // prettier-ignore

/** Lists sizes, so that plans and players know what there is. */
function describe(folder: string, name: string): Title {
  const size = (...path: string[]): number => statSync(join(folder, ...path)).size;
  const count = (sub: string, pattern: RegExp): number => readdirSync(join(folder, sub)).filter((f) => pattern.test(f)).length;
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
  const rungs = [...LADDER.keys()];
  const segments = count('dash', /^seg-0-/);
  const audio = LADDER.length;
  return {
    name,
    dash: {
      video: rungs.map((r) => range(segments).map((s) => size('dash', `seg-${r}-${s + 1}.m4s`))),
      audio: range(count('dash', new RegExp(`^seg-${audio}-`))).map((s) => size('dash', `seg-${audio}-${s + 1}.m4s`)),
    },
    hls: rungs.map((r) => range(count('hls', new RegExp(`^${r}-`))).map((s) => size('hls', `${r}-${s}.ts`))),
    progressive: rungs.map((r) => ({ path: `progressive/${r}.mp4`, bytes: size('progressive', `${r}.mp4`) })),
    live: {
      video: rungs.map((r) => liveParts(join(folder, 'live', `v${r}.mp4`))),
      audio: liveParts(join(folder, 'live', 'a.mp4')),
    },
  };
}

/** Sizes of the fragments (moof + mdat) of an MP4, LIVE_SECONDS of them to a segment. */
export function liveParts(path: string): number[][] {
  const bytes = readFileSync(path);
  const parts: number[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'moof') parts.push(length);
    else if (type === 'mdat' && parts.length > 0) parts[parts.length - 1] += length;
    at += length;
  }
  const perSegment = LIVE_SECONDS / PART_SECONDS;
  return Array.from({ length: Math.floor(parts.length / perSegment) }, (_, i) =>
    parts.slice(i * perSegment, (i + 1) * perSegment),
  );
}
