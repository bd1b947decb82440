import type { TestbedSession } from '../flows';
import type { TrueObject } from './semantics';

/** What a session really served, as segments are matched with it. */
export function trueObjects(session: TestbedSession): TrueObject[] {
  return session.truth.objects.map(({ at, bytes, clientPort }) => ({ start: at, bytes, flow: clientPort }));
}
