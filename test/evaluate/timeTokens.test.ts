import { expect, it } from 'vitest';
import { tokenEvents } from '../../src/evaluate';
import { eightSessions } from '../tokens/sessions';

it('token events: a time token is one, and no byte of the packet behind it', async () => {
  const [plain, timed] = [await eightSessions(), await eightSessions({ timeTokens: true })];
  const of = (dataset: typeof plain) => tokenEvents(dataset, [0, 1], () => 0);
  const [before, events] = [of(plain), of(timed)];
  expect(events.packets).toBe(before.packets);
  expect(events.count - before.count).toBe(before.packets - 2);
  // The flow's last packet is found as before, its time among what may be copied.
  const copied = (e: typeof events) =>
    [...e.copyFlow.subarray(0, e.count)].filter((token) => token >= 0).length;
  expect(copied(events)).toBeGreaterThan(copied(before));
  plain.close();
  timed.close();
});
