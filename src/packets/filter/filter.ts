import type { Frame } from '../../capture';
import { compile } from './compile';
import type { Test } from './link';
import { parse } from './parser';
import { FrameView } from './view';

/** What a filter looks at. */
export type FilterableFrame = Pick<Frame, 'data' | 'wireLen' | 'linkType'>;

/** Is the frame wanted? */
export type FrameFilter = (frame: FilterableFrame) => boolean;

/**
 * A filter in the language of tcpdump (pcap-filter(7)): `tcp port 443 and not host 192.0.2.1`,
 * `tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn`. docs/captures.md lists the words. An empty text accepts all.
 *
 * Accepts what `tcpdump -r FILE 'expression'` prints: so `and` and `or` bind equally, tags are seen only after `vlan`, and
 * a frame cut before a byte that is asked for is rejected. Only the bytes asked for are read: nothing is decoded.
 *
 * @throws NetssmError `filter_syntax`, with the place in the text.
 *
 * @example
 * const wanted = parseFilter('udp port 53');
 * for await (const frame of await openCapture('x.pcapng')) if (wanted(frame)) console.log(frame.tsMicros);
 */
export function parseFilter(text: string): FrameFilter {
  const node = parse(text);
  if (!node) return () => true;
  const view = new FrameView();
  const tests = new Map<number, Test>();
  let lastType = -1;
  let test: Test = () => true;
  return (frame) => {
    if (frame.linkType !== lastType) {
      lastType = frame.linkType;
      let found = tests.get(lastType);
      if (!found) tests.set(lastType, (found = compile(node, lastType)));
      test = found;
    }
    view.set(frame.data, frame.wireLen);
    return test(view) && !view.failed;
  };
}
