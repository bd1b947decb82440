/**
 * A telephone, at either end: `phone.mjs call PLAN` or `phone.mjs answer PLAN`. SIP (RFC 3261)
 * over TCP for the call, RTP (RFC 3550) with 20 ms of sound a packet, RTCP reports every second.
 */
import dgram from 'node:dgram';
import dns from 'node:dns/promises';
import net from 'node:net';
import { performance } from 'node:perf_hooks';

const [role, text] = process.argv.slice(2);
const plan = JSON.parse(text);
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** A SIP message of about the usual length. */
const sip = (first, cseq, body = '') =>
  [
    first,
    'Via: SIP/2.0/TCP client.example.com:5060;branch=z9hG4bK74bf9',
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@example.com>;tag=9fxced76sl',
    `To: "Bob" <sip:bob@${plan.host}>`,
    'Call-ID: 3848276298220188511@client.example.com',
    `CSeq: ${cseq}`,
    'Contact: <sip:alice@client.example.com;transport=tcp>',
    'Content-Type: application/sdp',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
const sdp = ['v=0', 'o=- 2890844526 2890844526 IN IP4 host', 's=-', 'c=IN IP4 host', 't=0 0',
  `m=audio ${plan.mediaPort} RTP/AVP 0 8 18 101`, 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:18 G729/8000', 'a=rtpmap:101 telephone-event/8000', 'a=ptime:20', ''].join('\r\n'); // prettier-ignore

/** Sends sound and reports to (port, address) for `seconds`. */
async function talk(sound, reports, port, address, seconds) {
  const packet = Buffer.alloc(12 + plan.payload, 0xd5);
  packet.writeUInt16BE(0x8000 | (plan.payload === 160 ? 0 : 18), 0);
  const start = performance.now();
  for (let n = 0; n * 0.02 < seconds; n++) {
    packet.writeUInt16BE(n & 0xffff, 2);
    packet.writeUInt32BE(n * 160, 4);
    sound.send(packet, port, address);
    if (n % 50 === 25) reports.send(Buffer.alloc(52, 0x81), port + 1, address);
    await sleep(Math.max(0, start + (n + 1) * 20 - performance.now()) / 1000);
  }
}

/** Two sockets, on a media port and the one behind it. */
async function mediaSockets(port, address) {
  return Promise.all(
    [port, port + 1].map(
      (p) =>
        new Promise((resolve, reject) => {
          const socket = dgram.createSocket('udp4');
          socket.on('error', reject);
          socket.on('message', () => {});
          socket.bind(p, address, () => resolve(socket));
        }),
    ),
  );
}

/** Resolves with the next SIP message that arrives. */
const nextMessage = (socket) => new Promise((resolve) => socket.once('data', resolve));

async function call() {
  const { address } = await dns.lookup(plan.host, { family: 4 });
  const [sound, reports] = await mediaSockets(plan.mediaPort);
  const socket = net.connect(5060, address).setNoDelay(true);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.write(sip(`INVITE sip:bob@${plan.host} SIP/2.0`, '1 INVITE', sdp));
  for (;;) if (String(await nextMessage(socket)).includes(' 200 OK')) break;
  socket.write(sip(`ACK sip:bob@${plan.host} SIP/2.0`, '1 ACK'));
  await talk(sound, reports, plan.mediaPort, address, plan.talkSeconds);
  socket.write(sip(`BYE sip:bob@${plan.host} SIP/2.0`, '2 BYE'));
  await nextMessage(socket);
  socket.end();
  await new Promise((resolve) => socket.once('close', resolve));
  sound.close();
  reports.close();
}

async function answer() {
  const [sound, reports] = await mediaSockets(plan.mediaPort, plan.address);
  net
    .createServer(async (socket) => {
      socket.setNoDelay(true);
      await nextMessage(socket);
      socket.write(sip('SIP/2.0 100 Trying', '1 INVITE'));
      socket.write(sip('SIP/2.0 180 Ringing', '1 INVITE'));
      await sleep(plan.ringSeconds);
      socket.write(sip('SIP/2.0 200 OK', '1 INVITE', sdp));
      await nextMessage(socket);
      const caller = socket.remoteAddress.replace('::ffff:', '');
      const talking = talk(sound, reports, plan.mediaPort, caller, plan.talkSeconds);
      await nextMessage(socket);
      await talking;
      socket.write(sip('SIP/2.0 200 OK', '2 BYE'));
    })
    .listen(5060, '0.0.0.0');
}

await (role === 'call' ? call() : answer());
