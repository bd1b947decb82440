import { browser } from '../servers/browser';
import { servedObjects, startNginx } from '../servers/nginx';
import { LEAST_SECONDS } from '../programs/client';
import type { Random } from '../lib/random';
import type { TrafficClass } from './types';

interface Page {
  path: string;
  /** Seconds spent on it, and where the user scrolls to meanwhile (loads lazy pictures). */
  readSeconds: number;
  scrolls: number;
  /** The user clicks on before it has loaded. */
  impatient: boolean;
}

interface BrowseScript {
  site: string;
  http2: boolean;
  pages: Page[];
  files: Record<string, number>;
  /** Pages' text: path -> HTML. */
  html: Record<string, string>;
}

/** Pages in headless Chromium: style sheets, scripts, fonts and pictures from several hosts. */
export const browse: TrafficClass = {
  name: 'browse',
  service: 'social',
  adaptive: false,
  programs: ['nginx', 'chromium'],
  tuning: { clientWindow: 2 ** 22, serverWindow: 2 ** 18, serverMtu: 1456 },
  description: 'headless Chromium; nginx over TLS with HTTP/2 or HTTP/1.1',

  plan({ rng, names }): BrowseScript {
    const [site, ...others] = rng.sample(names, rng.integer(3, 5));
    const files: Record<string, number> = {};
    const html: Record<string, string> = {};
    const shared = assets(rng, files, 'common', others, { css: [1, 3], js: [1, 4], font: [0, 2], img: [1, 3] });
    const pages = Array.from({ length: rng.integer(2, 3) }, (_, p): Page => {
      const own = assets(rng, files, `p${p}`, others, { css: [0, 1], js: [0, 2], font: [0, 0], img: [3, 8] });
      const path = `/page${p}.html`;
      html[path] = document(`Page ${p}`, [...shared, ...own], rng.size(3000, 20_000));
      return {
        path,
        readSeconds: rng.exponential(1.4, 0.5, 5),
        scrolls: rng.integer(0, 3),
        impatient: rng.chance(0.12),
      };
    });
    return { site, http2: rng.chance(0.7), pages, files, html };
  },

  async serve(session) {
    const { files, html, http2 } = session.script as BrowseScript;
    const all: Record<string, number | Buffer> = { ...files, '/favicon.ico': 1150 };
    for (const [path, bytes] of Object.entries(files))
      all[path] = body(path, bytes, session.filler(bytes));
    for (const [path, text] of Object.entries(html)) all[path] = Buffer.from(text);
    const more = '    add_header Access-Control-Allow-Origin *;';
    await startNginx(session, { http2, files: all, more, sslBuffer: '4k' });
  },

  async use(session) {
    const { site, pages } = session.script as BrowseScript;
    const chromium = await browser(session);
    const began = Date.now();
    try {
      for (const page of pages) {
        await chromium.open(`https://${site}${page.path}`, page.impatient ? 0.35 : 12);
        for (let i = 1; i <= page.scrolls; i++) await chromium.scroll(i / page.scrolls, page.readSeconds / page.scrolls);
        if (page.scrolls === 0) await chromium.rest(page.readSeconds);
      }
      await chromium.rest(Math.max(0, LEAST_SECONDS - (Date.now() - began) / 1000));
    } finally {
      await chromium.close();
    }
  },

  objects: ({ folder }) => servedObjects(folder, kindOf),

  check({ objects, script }) {
    const { pages } = script as BrowseScript;
    const opened = objects.filter((o) => o.kind === 'html').length;
    if (opened < pages.length) throw new Error(`${opened} of ${pages.length} pages were served`);
  },
};

const kindOf = (name: string): string => (name.endsWith('.html') ? 'html' : (/^\/(\w+)\//.exec(name)?.[1] ?? 'other'));

type Counts = Record<'css' | 'js' | 'font' | 'img', [number, number]>;
interface Asset {
  url: string;
  kind: keyof Counts;
}

const SIZES: Record<keyof Counts, [number, number]> = {
  css: [2000, 18_000],
  js: [3000, 35_000],
  font: [10_000, 25_000],
  img: [1500, 20_000],
};

/** Draws some assets, on hosts of their own kind. */
function assets(rng: Random, files: Record<string, number>, set: string, hosts: string[], counts: Counts): Asset[] {
  return (Object.keys(counts) as (keyof Counts)[]).flatMap((kind, k) =>
    Array.from({ length: rng.integer(...counts[kind]) }, (_, i) => {
      const path = `/${kind}/${set}-${i}.${{ css: 'css', js: 'js', font: 'woff2', img: 'jpg' }[kind]}`;
      files[path] = rng.size(...SIZES[kind]);
      return { url: `https://${hosts[k % hosts.length]}${path}`, kind };
    }),
  );
}

function document(title: string, list: Asset[], bytes: number): string {
  const of = (kind: string): string[] => list.filter((a) => a.kind === kind).map((a) => a.url);
  const fonts = of('font').map((url, i) => `@font-face{font-family:f${i};src:url(${url})}body{font-family:f${i}}`);
  const pictures = of('img').map(
    (url, i) => `<p><img src="${url}" width="640" height="480" ${i > 4 ? 'loading="lazy"' : ''}></p>`,
  );
  const text = '<p>The quick brown fox jumps over the lazy dog, again and again.</p>\n';
  const head = [
    `<!doctype html><html><head><meta charset="utf-8"><title>${title}</title>`,
    ...of('css').map((url) => `<link rel="stylesheet" href="${url}">`),
    `<style>${fonts.join('')}</style>`,
    ...of('js').map((url) => `<script src="${url}" defer></script>`),
    '</head><body>',
  ];
  const page = [...head, ...pictures].join('\n');
  return `${page}\n${text.repeat(Math.max(1, Math.round((bytes - page.length) / text.length)))}</body></html>`;
}

/** A body of the right kind: style sheets and scripts that parse, else bytes that do not compress. */
function body(path: string, bytes: number, filler: Buffer): Buffer {
  if (!/\.(css|js)$/.test(path)) return filler;
  const text = `/* ${filler.toString('base64').slice(0, Math.max(0, bytes - 8))} */\n`;
  return Buffer.from(text.slice(0, bytes - 4) + '*/\n');
}
