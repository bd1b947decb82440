// Links of a static site: everything that a page names within the site must exist, and nothing may be loaded from a
// network. Links for readers to other sites are counted, not followed.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Scripts and data are not markup: what looks like a link in them is none. */
const withoutScripts = (html) => html.replace(/(<script\b[^>]*>)[\s\S]*?<\/script>/g, '$1</script>');

const decode = (text) =>
  text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))).replaceAll('&amp;', '&');

/** Ids and names that `#anchor` may mean. */
function anchors(html) {
  return new Set(
    [...html.matchAll(/\s(?:id|name)=(?:"([^"]*)"|'([^']*)')/g)].map((m) => decode(m[1] ?? m[2])),
  );
}

/**
 * @param {string} folder the site
 * @returns {{ pages: number, links: number, external: number, problems: string[] }}
 */
export function checkLinks(folder) {
  const files = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.html'))
    .map((name) => join(folder, name));
  const pages = new Map(files.map((file) => [file, withoutScripts(readFileSync(file, 'utf8'))]));
  const known = new Map();
  const problems = [];
  let links = 0;
  let external = 0;
  for (const [file, html] of pages) {
    const name = relative(folder, file);
    for (const [, tag, attribute, quoted, single] of html.matchAll(
      /<(\w+)\b[^>]*?\s(href|src|srcset|poster|data-src)=(?:"([^"]*)"|'([^']*)')/g,
    )) {
      const target = decode(quoted ?? single);
      if (/^(data|mailto|javascript):/.test(target)) continue;
      if (/^(https?:)?\/\//.test(target)) {
        if (tag === 'a') external++;
        else problems.push(`${name}: <${tag} ${attribute}> loads ${target} from the network`);
        continue;
      }
      links++;
      const [path, anchor] = decodeURI(target).split('#');
      const found = path === '' ? file : join(dirname(file), path);
      if (!existsSync(found) || statSync(found).isDirectory()) {
        problems.push(`${name}: ${target} does not exist`);
      } else if (anchor && pages.has(found)) {
        if (!known.has(found)) known.set(found, anchors(pages.get(found)));
        if (!known.get(found).has(anchor)) problems.push(`${name}: ${target}: no such place on that page`);
      }
    }
    for (const [, address] of html.matchAll(/(?:@import\s+|url\()\s*["']?((?:https?:)?\/\/[^"')\s]+)/g))
      problems.push(`${name}: a style loads ${address} from the network`);
  }
  return { pages: files.length, links, external, problems };
}
