/** A session's network conditions: drawn from its seed, the same way for every class. */
import type { Tuning } from '../classes/types';
import type { Random } from '../lib/random';
import {
  drawClient,
  drawClientMac,
  drawNames,
  drawRouterMac,
  drawServers,
  PORT_RANGES,
} from './pools';

/** The bottleneck's rate changes during the session: at `atSeconds` to `factor` times the first rate. */
export interface RateStep {
  atSeconds: number;
  factor: number;
}

export interface Conditions {
  client: string;
  clientMac: string;
  routerMac: string;
  /** The resolver's address; drawn from the same pool as the servers. */
  resolver: string;
  /** Every address the application's servers have, as a CDN does. */
  servers: string[];
  /** More one-way delay to some of the servers, ms. */
  fartherMs: Record<string, number>;
  /** Host name -> its addresses, in the order the resolver gives them. */
  names: Record<string, string[]>;
  portRange: string;
  /** Routers really passed; each takes one from the TTL. */
  hops: number;
  mtu: number;
  /** The bottleneck towards the client and away from it. */
  downMbit: number;
  upMbit: number;
  rateSteps: RateStep[];
  /** How long a packet may wait in the bottleneck's queue. */
  queueMs: number;
  /** Added in each direction. */
  delayMs: number;
  jitterMs: number;
  loss: number;
  /** Mean length of a burst of losses, packets. */
  lossBurst: number;
  reorder: number;
  congestion: 'cubic' | 'bbr' | 'reno';
  /** The application's own, not drawn: see `Tuning`. */
  clientWindow: number;
  serverWindow: number;
  serverMtu: number;
  timestamps: boolean;
  sack: boolean;
  windowScaling: boolean;
}

export const SERVER_COUNT = 6;
export const NAME_COUNT = 10;

/**
 * Draws the conditions.
 * @param tuning the application's own settings, the same in each of its sessions
 * @param long a session that must move 10 MB in a minute needs a link that can: at least 6 Mbit/s, rare losses
 */
export function drawConditions(
  rng: Random,
  tuning: Tuning = { clientWindow: 2 ** 22, serverWindow: 2 ** 22, serverMtu: 1500 },
  long = false,
): Conditions {
  const [resolver, ...servers] = drawServers(rng, 1 + SERVER_COUNT);
  const names: Record<string, string[]> = {};
  for (const [i, name] of drawNames(rng, NAME_COUNT).entries())
    names[name] = [servers[i % servers.length], ...(rng.chance(0.4) ? [servers[(i + 2) % servers.length]] : [])];
  const fartherMs: Record<string, number> = {};
  for (const address of servers) if (rng.chance(0.35)) fartherMs[address] = round(rng.uniform(1, 15), 1);
  const downMbit = round(Math.max(long ? 6 : 0, rng.logUniform(2, 50)), 1);
  return {
    client: drawClient(rng),
    clientMac: drawClientMac(rng),
    routerMac: drawRouterMac(rng),
    resolver,
    servers,
    fartherMs,
    names,
    portRange: rng.pick(PORT_RANGES),
    hops: rng.integer(1, 5),
    mtu: rng.pick([1500, 1500, 1500, 1500, 1500, 1500, 1492, 1480, 1400]),
    downMbit,
    upMbit: round(rng.logUniform(Math.max(1, downMbit / 10), Math.max(2, downMbit)), 1),
    rateSteps: rng.chance(0.2)
      ? [{ atSeconds: round(rng.uniform(3, 12), 1), factor: round(rng.logUniform(long ? 0.8 : 0.4, 1.8), 2) }]
      : [],
    queueMs: Math.round(rng.logUniform(40, 350)),
    delayMs: round(rng.logUniform(2, 45), 1),
    jitterMs: rng.chance(0.6) ? round(rng.logUniform(0.1, 4), 2) : 0,
    loss: rng.chance(0.35) ? round(rng.logUniform(0.0005, long ? 0.001 : 0.01), 5) : 0,
    lossBurst: rng.pick([1, 1, 1.5, 3]),
    reorder: rng.chance(0.08) ? round(rng.logUniform(0.0005, 0.004), 5) : 0,
    congestion: rng.pick(['cubic', 'cubic', 'bbr', 'reno'] as const),
    ...tuning,
    timestamps: rng.chance(0.75),
    sack: rng.chance(0.9),
    windowScaling: rng.chance(0.97),
  };
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
