/**
 * The applications. A profile has a `label` and `serve(session)`, which starts its servers, and
 * `use(session)`, which runs its clients to their end.
 */
import * as dns from './dns.mjs';
import * as mqtt from './mqtt.mjs';
import * as ssh from './ssh.mjs';
import * as stream from './stream.mjs';
import * as voip from './voip.mjs';
import * as web from './web.mjs';

export const PROFILES = [web, stream, mqtt, ssh, dns, voip];
