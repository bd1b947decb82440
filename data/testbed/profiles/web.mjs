/** Page browsing: HTML, style sheets, scripts and images over parallel keep-alive connections. */
import { startNginx } from '../lib/nginx.mjs';

export const label = 'web';

export function plan({ rng, names }) {
  const [site, assets] = rng.sample(names, 2);
  const pages = Array.from({ length: rng.integer(2, 3) }, (_, page) => ({
    path: `/page${page}.html`,
    size: rng.integer(4000, 14000),
    thinkSeconds: rng.uniform(0.6, 1.4),
    objects: [
      ...objects(rng, page, 'css', 1, 2, 2000, 9000),
      ...objects(rng, page, 'js', 1, 3, 4000, 18000),
      ...objects(rng, page, 'img', 4, 8, 1500, 14000),
    ],
  }));
  return { site, assets, connections: 4, pages };
}

const objects = (rng, page, kind, low, high, smallest, largest) =>
  Array.from({ length: rng.integer(low, high) }, (_, i) => ({
    path: `/${kind}/${page}-${i}.${kind}`,
    size: rng.integer(smallest, largest),
  }));

export async function serve(session) {
  const files = {};
  for (const page of session.plan.pages) {
    files[page.path] = page.size;
    for (const object of page.objects) files[object.path] = object.size;
  }
  await startNginx(session, files);
}

export const use = (session) => session.program('browser.mjs', session.plan);
