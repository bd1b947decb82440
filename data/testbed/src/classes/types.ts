/** What a class of traffic is. */
import type { Random } from '../lib/random';
import type { Conditions } from '../net/conditions';
import type { ObjectRecord } from '../programs/client';
import type { Catalogue } from '../servers/media';
import type { Session, SessionTruth, Shared } from '../session';

export type Service = 'streaming' | 'conferencing' | 'social' | 'extra';

/**
 * What apps and operators set and networks do not: the largest receive windows of the client and the
 * servers in bytes (window scale and every window follow from them), and the largest packet that the
 * servers send or let themselves be sent (load balancers and tunnels make it less than Ethernet's).
 */
export interface Tuning {
  clientWindow: number;
  serverWindow: number;
  serverMtu: number;
}

export interface PlanInput {
  rng: Random;
  /** Host names of the session, each with one or two addresses. */
  names: string[];
  conditions: Conditions;
  media: Catalogue;
  /** A session of 10,000 packets and more is wanted. */
  long: boolean;
}

export interface TrafficClass {
  name: string;
  service: Service;
  /** One line: what it is and what runs. */
  description: string;
  /** What must be installed for it, by the names of `store/programs.ts`; "ffmpeg" has the titles made. */
  programs: string[];
  /** How the application's makers and operators have set up their ends. */
  tuning: Tuning;
  /** Whether sizes depend on how the network behaved (adaptive bitrate). */
  adaptive: boolean;
  /** Once for each run, before the first session. */
  prepare?(shared: Shared): Promise<void>;
  /** The session's script: everything the user does and all sizes, from the seed alone. */
  plan(input: PlanInput): unknown;
  /** Starts the servers. */
  serve(session: Session): Promise<void>;
  /** Runs the clients to their end. */
  use(session: Session): Promise<void>;
  /** Objects that only the servers know of. */
  objects?(session: Session): ObjectRecord[];
  /** Throws where a session is not what it should be; it is then made again. */
  check?(truth: SessionTruth): void;
}
