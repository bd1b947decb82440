import { NetssmError } from '../util';
import './decode';
import type { LayerFields, ProtocolName } from './layers';
import type { EncodeLayer } from './protocol';
import { protocolNamed } from './registry';

const NO_BYTES = new Uint8Array(0);

/**
 * The bytes of a packet from its layers, outermost first. A field that is undefined is computed (lengths, header
 * lengths, checksums, the number of the next protocol) or takes its usual value; a number is kept, right or wrong.
 * So the layers of a decoded packet, with its bytes from `payloadOffset` on, give the same bytes again.
 *
 * @throws NetssmError `protocol_unknown`, `address_invalid`.
 */
export function encodePacket(layers: readonly EncodeLayer[], payload: Uint8Array = NO_BYTES): Uint8Array {
  let bytes = payload;
  for (let i = layers.length - 1; i >= 0; i--) {
    const protocol = protocolNamed(layers[i].protocol);
    if (!protocol) {
      throw new NetssmError('protocol_unknown', `no protocol named "${layers[i].protocol}" (layer ${i})`, {
        hint: 'Register it with registerLayer first.',
      });
    }
    const context = { outer: layers[i - 1], ip: nearestIp(layers, i), inner: layers[i + 1] };
    bytes = protocol.encode(layers[i].fields as object, bytes, context);
  }
  return bytes;
}

function nearestIp(layers: readonly EncodeLayer[], below: number): EncodeLayer | undefined {
  for (let i = below - 1; i >= 0; i--) {
    if (layers[i].protocol === 'ipv4' || layers[i].protocol === 'ipv6') return layers[i];
  }
  return undefined;
}

/** A layer for {@link encodePacket}, its fields checked by type: `layer('tcp', { sourcePort: 443, flags: 2 })`. */
export function layer<Name extends ProtocolName>(
  protocol: Name,
  fields: Partial<LayerFields[Name]> = {},
): { protocol: Name; fields: Partial<LayerFields[Name]> } {
  return { protocol, fields };
}
