import { expect, it } from 'vitest';
import { encodedBundle, vocabularyLine } from '../../src/notebook/richModels';
import { encodeSession, getLayout, TIME_EDGES_MICROS, Vocabulary } from '../../src/tokens';
import { frame, SYN } from '../tokens/frames';

it('time tokens are shown as what they say', () => {
  const vocabulary = new Vocabulary(['web'], { edgesMicros: TIME_EDGES_MICROS });
  const session = encodeSession([frame(SYN, 0), frame(SYN, 2000)], 'web', vocabulary, getLayout('compact'));
  const { 'text/plain': text } = encodedBundle(session);
  expect(text).toContain('\n<|dt:1778us|> 2 0 0');
  expect(text).toContain('\nlabel 0 2 0 0');
  expect(vocabularyLine(vocabulary)['text/plain']).toContain('labels web 260, time tokens 261 to 292');
});
