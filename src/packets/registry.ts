import type { Protocol } from './protocol';

/** Parent protocol (or `link`) -> key -> protocol: the one place that knows what may follow what. */
const table = new Map<string, Map<number, Protocol>>();
const byName = new Map<string, Protocol>();
/** Parent protocol -> protocols that are known by their look, in the order in which they are asked. */
const byLook = new Map<string, Protocol[]>();

/**
 * Makes a protocol known to {@link decodePacket}, {@link encodePacket} and {@link show}; a later registration of
 * the same place replaces the earlier one. docs/adding-a-protocol.md walks through an example.
 */
export function registerLayer(protocol: Protocol): void {
  byName.set(protocol.name, protocol);
  for (const [parent, key] of protocol.under) {
    let keys = table.get(parent);
    if (!keys) table.set(parent, (keys = new Map()));
    keys.set(key, protocol);
  }
  for (const parent of protocol.recognisedIn ?? []) {
    const others = (byLook.get(parent) ?? []).filter(({ name }) => name !== protocol.name);
    byLook.set(parent, [...others, protocol]);
  }
}

/** The protocols that recognise themselves in the payload of `parent`. */
export function protocolsRecognisedIn(parent: string): readonly Protocol[] | undefined {
  return byLook.get(parent);
}

/** The protocol that follows `parent` under `key`, if it is known. */
export function nextProtocol(parent: string, key: number): Protocol | undefined {
  return table.get(parent)?.get(key);
}

/** A protocol by its name. */
export function protocolNamed(name: string): Protocol | undefined {
  return byName.get(name);
}

/** The key under which `parent` announces `child`: the other direction of {@link nextProtocol}. */
export function keyOf(parent: string, child: string | undefined): number | undefined {
  return byName.get(child ?? '')?.under.find(([name]) => name === parent)?.[1];
}
