/** Name lookups that are asked once and kept, as a browser does: a `lookup` for http and net. */
import dns from 'node:dns/promises';

const answers = new Map();

export function lookup(host, options, callback) {
  if (!answers.has(host)) answers.set(host, dns.lookup(host, { family: 4 }));
  answers
    .get(host)
    .then(
      ({ address, family }) =>
        options.all ? callback(null, [{ address, family }]) : callback(null, address, family),
      callback,
    );
}
