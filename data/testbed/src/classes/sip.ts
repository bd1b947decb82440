import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, waitFor } from '../lib/process';
import type { Session } from '../session';
import type { TrafficClass } from './types';

interface SipScript {
  host: string;
  transport: 'udp' | 'tcp';
  codecs: string[];
  talkSeconds: number;
  callerPort: number;
  caller: string;
  callee: string;
}

/** The codec modules by the names of the codecs they bring. */
const CODECS: Record<string, string> = {
  'PCMU/8000/1': 'g711',
  'PCMA/8000/1': 'g711',
  'G722/16000/1': 'g722',
  'opus/48000/2': 'opus',
  'GSM/8000/1': 'gsm',
};

/** A telephone call: SIP sets it up and ends it, RTP and RTCP carry it. */
export const sip: TrafficClass = {
  name: 'sip',
  service: 'conferencing',
  adaptive: false,
  programs: ['baresip'],
  tuning: { clientWindow: 2 ** 22, serverWindow: 2 ** 22, serverMtu: 1500 },
  description: 'baresip at both ends: SIP over UDP or TCP, RTP with G.711, G.722, GSM or Opus, RTCP',

  plan({ rng, names }): SipScript {
    return {
      host: rng.pick(names),
      transport: rng.pick(['udp', 'udp', 'tcp'] as const),
      codecs: rng.sample(Object.keys(CODECS), rng.integer(2, 5)),
      talkSeconds: rng.exponential(1.2, 0, 20) + 5,
      callerPort: rng.integer(5060, 5099),
      caller: `${rng.pick(['anna', 'ben', 'carla', 'dev', 'emil'])}${rng.integer(1, 999)}`,
      callee: `${rng.pick(['hotline', 'office', 'desk', 'room', 'ext'])}${rng.integer(1, 999)}`,
    };
  },

  async serve(session) {
    const script = session.script as SipScript;
    const address = session.conditions.names[script.host][0];
    await session.serveFrom(address); // the phone offers it for the voice
    const folder = writePhone(session, 'callee', address, 5060, script.callee, ';answermode=auto');
    const phone = session.serve(['baresip', '-4', '-f', folder]);
    await waitFor(() => phone.output().includes('baresip is ready'), 10, `the callee (${phone.output()}${phone.errors()})`);
  },

  async use(session) {
    const script = session.script as SipScript;
    const { client, names } = session.conditions;
    const folder = writePhone(session, 'caller', client, script.callerPort, script.caller, '');
    const at = Date.now() / 1000;
    // The resolver gives a name's addresses in any order; the callee answers on the first of them.
    const target = names[script.host].length > 1 ? names[script.host][0] : script.host;
    const dial = `/dial sip:${script.callee}@${target};transport=${script.transport}`;
    const phone = session.client(['baresip', '-4', '-f', folder, '-e', dial]);
    await waitFor(() => /Call established/.test(phone.output()), 15, `the call (${phone.output().slice(-600)})`);
    await sleep(script.talkSeconds);
    phone.kill('SIGINT'); // hangs up and leaves
    await phone.done;
    session.note({ at, seconds: Date.now() / 1000 - at, kind: 'call', name: script.codecs[0], bytes: 0 });
  },

  check({ flows }) {
    const media = flows.filter((f) => f.protocol === 'udp' && f.packetsUp > 50 && f.packetsDown > 50);
    if (media.length === 0) throw new Error('no voice in both directions');
  },
};

/** A phone's configuration folder. */
function writePhone(session: Session, name: string, address: string, port: number, user: string, more: string): string {
  const { codecs, transport } = session.script as SipScript;
  const folder = join(session.folder, name);
  mkdirSync(folder, { recursive: true });
  const modules = [...new Set(codecs.map((codec) => CODECS[codec]))];
  const config = [
    `sip_listen ${address}:${port}`, 'module_path /usr/lib/baresip/modules', 'call_local_timeout 60',
    'audio_player aubridge,nil', 'audio_source ausine,440', 'audio_alert aubridge,nil', 'ausrc_srate 48000', 'ausrc_channels 2',
    'rtp_tos 184', 'rtcp_mux no', 'jitter_buffer_delay 5-10', `dns_server ${session.conditions.resolver}:53`,
    ...['stdio', ...modules, 'ausine', 'aubridge', 'uuid', 'account', 'menu'].map((m) => `module${['account', 'menu'].includes(m) ? '_app' : ''} ${m}.so`),
  ]; // prettier-ignore
  writeFileSync(join(folder, 'config'), `${config.join('\n')}\n`);
  const account = `<sip:${user}@${address}:${port};transport=${transport}>;regint=0;audio_codecs=${codecs.join(',')}${more}`;
  writeFileSync(join(folder, 'accounts'), `${account}\n`);
  writeFileSync(join(folder, 'contacts'), '');
  writeFileSync(join(folder, 'uuid'), '4b0f3d0e-8f5c-4f6a-9b1a-000000000000\n');
  return folder;
}
