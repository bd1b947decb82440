/** The classes: ten in three services, and three more. */
import { dash } from './dash';
import { feed } from './feed';
import { hls } from './hls';
import { live } from './live';
import { progressive } from './progressive';
import { sip } from './sip';
import { tlsconf } from './tlsconf';
import { webrtc } from './webrtc';
import type { TrafficClass } from './types';

export const CLASSES: TrafficClass[] = [dash, hls, progressive, live, webrtc, sip, tlsconf, feed];
