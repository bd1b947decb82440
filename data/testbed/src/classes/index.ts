/** The classes: ten in three services, and three more. */
import { background } from './background';
import { browse } from './browse';
import { chat } from './chat';
import { dash } from './dash';
import { feed } from './feed';
import { hls } from './hls';
import { live } from './live';
import { mqtt } from './mqtt';
import { progressive } from './progressive';
import { sip } from './sip';
import { ssh } from './ssh';
import { tlsconf } from './tlsconf';
import { webrtc } from './webrtc';
import type { TrafficClass } from './types';

export const CLASSES: TrafficClass[] = [
  dash, hls, progressive, live,
  webrtc, sip, tlsconf,
  feed, browse, chat,
  mqtt, ssh, background,
]; // prettier-ignore
