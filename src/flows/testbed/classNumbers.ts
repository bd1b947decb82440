import { medianNumbers, sessionNumbers, type SessionNumbers } from '../sessionNumbers';
import { toSession } from '../session';
import type { TestbedDataset, TestbedSession } from './dataset';

/** A class of a packed set, counted from its manifest. */
export interface ClassCounts {
  label: string;
  service: string;
  train: number;
  test: number;
  packets: number;
  /** Sessions of 10,000 packets and more. */
  long: number;
  flows: number;
  tcpFlows: number;
  /** Shares of the TCP flows: begun with a full handshake, ended by FIN or RST. */
  handshakes: number;
  closed: number;
}

/** Counts the selected sessions of each class. */
export function classCounts({ manifest, sessions, classes }: TestbedDataset): ClassCounts[] {
  const chosen = new Set(sessions.map((s) => s.id));
  return classes.map((label) => {
    const own = manifest.sessions.filter((s) => s.label === label && chosen.has(s.id));
    const sum = (of: (s: (typeof own)[number]) => number): number => own.reduce((n, s) => n + of(s), 0);
    const tcpFlows = sum((s) => s.tcpFlows);
    return {
      label,
      service: own[0].service,
      train: own.filter((s) => s.split === 'train').length,
      test: own.filter((s) => s.split === 'test').length,
      packets: sum((s) => s.packets),
      long: own.filter((s) => s.packets >= 10_000).length,
      flows: sum((s) => s.flows),
      tcpFlows,
      handshakes: sum((s) => s.handshakes) / tcpFlows,
      closed: sum((s) => s.closed) / tcpFlows,
    };
  });
}

/** The session of a class whose number of packets is the median. @throws RangeError for a class without sessions. */
export function typicalSession({ sessions }: TestbedDataset, label: string): TestbedSession {
  const own = sessions.filter((s) => s.label === label).sort((a, b) => a.packets - b.packets);
  if (own.length === 0) throw new RangeError(`no session of ${label}`);
  return own[(own.length - 1) >> 1];
}

/** The median session of each class, measured on at most so many sessions of it, evenly spread. */
export function classNumbers(
  { sessions, classes }: TestbedDataset,
  perClass = Infinity,
): ({ label: string; sessions: number } & SessionNumbers)[] {
  return classes.map((label) => {
    const own = sessions.filter((s) => s.label === label);
    const taken = Math.min(own.length, perClass);
    const each = Array.from({ length: taken }, (_, i) => own[Math.floor((i * own.length) / taken)]);
    return { label, ...medianNumbers(each.map((s) => sessionNumbers(toSession(s.id, s.frames())))) };
  });
}
