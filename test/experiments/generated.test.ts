import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateTwins, openExperimentData } from '../../src/experiments';
import { temporaryFolder } from './toy';

test('a trace is as long as its twin, or as the model makes it', async () => {
  const { sessions } = await openExperimentData(
    'bundled',
    { classes: ['ssh'], trainSessions: 1, testSessions: 1 },
    1,
  );
  const frames = (await sessions.find(({ split }) => split === 'test')!.frames()).slice(0, 5);
  const generate = async (more: { packets: number; ownLength?: boolean }) => {
    const { files } = await generateTwins({
      model: 'demo',
      label: 'ssh',
      twins: [{ path: 'twin', frames }],
      sampling: { temperature: 1 },
      tries: 100,
      continueAfterEnd: true,
      seed: 1,
      dir: join(temporaryFolder(), 'out'),
      threads: 1,
      ...more,
    });
    return files.map(({ twinPackets, packets }) => ({ twinPackets, packets }));
  };
  // The prompt is counted in `packets` only.
  expect(await generate({ packets: 30 })).toEqual([{ twinPackets: 4, packets: 4 }]);
  expect(await generate({ packets: 3 })).toEqual([{ twinPackets: 2, packets: 2 }]);
  expect(await generate({ packets: 30, ownLength: true })).toEqual([{ twinPackets: 4, packets: 29 }]);
  expect(await generate({ packets: Infinity, ownLength: true })).toEqual([{ twinPackets: 4, packets: 4 }]);
});
