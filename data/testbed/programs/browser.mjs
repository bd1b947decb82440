/** A small browser: per page the HTML first, then its objects over parallel connections. */
import http from 'node:http';
import { lookup } from './lookup.mjs';

const plan = JSON.parse(process.argv[2]);
const agent = new http.Agent({
  keepAlive: true,
  keepAliveMsecs: 45_000,
  maxSockets: plan.connections,
});
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const headers = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'Accept-Language': 'en-US,en;q=0.5',
};

const get = (host, path) =>
  new Promise((resolve, reject) => {
    http
      .get({ host, path, agent, headers, lookup }, (response) => {
        response.resume();
        response.on('end', resolve);
        response.on('error', reject);
      })
      .on('error', reject);
  });

for (const page of plan.pages) {
  await get(plan.site, page.path);
  await Promise.all(page.objects.map((object) => get(plan.assets, object.path)));
  await sleep(page.thinkSeconds);
}
agent.destroy();
