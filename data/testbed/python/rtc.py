"""A WebRTC peer on aiortc: real ICE, DTLS, SRTP, Opus and VP8.

    rtc.py serve TASK.json     the other party: HTTPS signalling at /offer, answers with media
    rtc.py call TASK.json      calls, talks for a while, hangs up

With "turn" in the task all media goes through a TURN server over TLS, as where UDP is blocked.
"""
import asyncio
import fractions
import json
import math
import socket
import ssl
import sys
import time

import aiohttp
import aioice.ice
import aioice.turn
import av
import numpy
from aiohttp import web
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
    rtcrtpreceiver,
)
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

role, path = sys.argv[1:3]
with open(path) as file:
    task = json.load(file)
script = task["script"]


class NullDecoder:
    """Nobody looks at the pictures: what arrives is not decoded."""

    def decode(self, encoded_frame):
        return []


# aiortc 1.4 gives two header extensions of one bundle the same id, and then cannot read its own packets.
for extension in HEADER_EXTENSIONS["video"]:
    if extension.uri.endswith("abs-send-time"):
        extension.id = 3

rtcrtpreceiver.get_decoder = lambda codec: NullDecoder()


class Voice(AudioStreamTrack):
    """Talk spurts: a tone with noise while speaking, near silence between."""

    async def recv(self):
        frame = await super().recv()
        t = self._timestamp / 8000
        speaking = math.sin(2 * math.pi * t / script["spurtSeconds"]) > -0.2
        n = frame.samples
        wave = numpy.random.normal(0, 900 if speaking else 8, n)
        if speaking:
            wave += 5000 * numpy.sin(2 * numpy.pi * (180 + 60 * math.sin(t)) * (t + numpy.arange(n) / 8000))
        frame.planes[0].update(wave.astype(numpy.int16).tobytes())
        return frame


class Camera(VideoStreamTrack):
    """A moving picture: a background, a blob that moves, a little noise."""

    def __init__(self, width, height, fps):
        super().__init__()
        self.size, self.fps, self.count, self.began = (height, width), fps, 0, None
        y, x = numpy.mgrid[0:height, 0:width]
        self.x, self.y = x / width, y / height
        self.back = (96 + 60 * self.x + 40 * numpy.sin(8 * self.y)).astype(numpy.float32)

    async def recv(self):
        self.began = self.began or time.time()
        self.count += 1
        await asyncio.sleep(max(0, self.began + self.count / self.fps - time.time()))
        t = self.count / self.fps
        cx, cy = 0.5 + 0.3 * math.sin(t), 0.5 + 0.2 * math.cos(1.7 * t)
        blob = 80 * numpy.exp(-((self.x - cx) ** 2 + (self.y - cy) ** 2) * 30)
        luma = self.back + blob + numpy.random.normal(0, script["noise"], self.size)
        height, width = self.size
        planes = numpy.full((height * 3 // 2, width), 128, numpy.uint8)
        planes[:height] = luma.clip(0, 255)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = int(t * 90000), fractions.Fraction(1, 90000)
        return frame


def mark(pc):
    """Marks the call's packets AF41 (RFC 4594), as conferencing clients do in managed networks."""
    ice = pc.getSenders()[0].transport.transport._connection
    for protocol in ice._protocols:
        transport = protocol.transport
        relayed = getattr(transport, "_TurnTransport__inner_protocol", None)
        transport = relayed.transport if relayed else transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 34 << 2)


def media(pc):
    pc.addTrack(Voice())
    if script["video"]:
        pc.addTrack(Camera(script["width"], script["height"], script["fps"]))


async def serve():
    # Only the addresses of the application's media server, not all that the machine has.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: task["addresses"][:1]
    peers = set()

    async def offer(request):
        body = await request.json()
        pc = RTCPeerConnection()
        peers.add(pc)
        await pc.setRemoteDescription(RTCSessionDescription(**body["description"]))
        pc.on("connectionstatechange", lambda: pc.connectionState == "connected" and mark(pc))
        media(pc)
        await pc.setLocalDescription(await pc.createAnswer())
        answer = pc.localDescription
        return web.json_response({"sdp": answer.sdp, "type": answer.type})

    async def bye(request):
        await request.read()
        for pc in peers:
            await pc.close()
        peers.clear()
        return web.Response(status=204)

    async def roster(request):
        return web.Response(body=b"{" + b" " * script["rosterBytes"] + b"}", content_type="application/json")

    app = web.Application(client_max_size=1 << 20)
    app.add_routes([web.post("/offer", offer), web.post("/bye", bye), web.get("/roster", roster)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(task["cert"], task["key"])
    runner = web.AppRunner(app)
    await runner.setup()
    for address in task["addresses"]:
        await web.TCPSite(runner, address, 443, ssl_context=context).start()
    await asyncio.Event().wait()


async def call():
    turn = task.get("turn")
    if turn:
        gather = aioice.ice.Connection.get_component_candidates

        async def relayed(self, component, addresses, timeout=5):
            return await gather(self, component, [], timeout)

        aioice.ice.Connection.get_component_candidates = relayed
        servers = [RTCIceServer(urls=f"turns:{turn['host']}:{turn['port']}?transport=tcp", username="user", credential="secret")]
    else:
        servers = [RTCIceServer(urls=f"stun:{task['stun']}:3478")]
    context = ssl.create_default_context(cafile=task["ca"])
    base = f"https://{script['host']}"
    records = []

    async def send(http, kind, method, url, **body):
        at = time.time()
        async with http.request(method, base + url, ssl=context, headers=script["headers"], **body) as response:
            text = await response.text()
        records.append({"at": round(at, 4), "seconds": round(time.time() - at, 4), "kind": kind, "name": url, "bytes": len(text)})
        return text

    async with aiohttp.ClientSession() as http:
        await send(http, "roster", "GET", "/roster")
        pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        connected = asyncio.Event()

        @pc.on("connectionstatechange")
        def changed():
            if pc.connectionState == "connected":
                connected.set()

        media(pc)
        await pc.setLocalDescription(await pc.createOffer())
        description = {"sdp": pc.localDescription.sdp, "type": pc.localDescription.type}
        answer = json.loads(await send(http, "signalling", "POST", "/offer", json={"description": description}))
        await pc.setRemoteDescription(RTCSessionDescription(**answer))
        await asyncio.wait_for(connected.wait(), 20)
        mark(pc)
        at = time.time()
        await asyncio.sleep(script["talkSeconds"])
        stats = await pc.getStats()
        sent = sum(s.bytesSent for s in stats.values() if s.type == "outbound-rtp")
        got = sum(s.packetsReceived for s in stats.values() if s.type == "inbound-rtp")
        if got < 20:
            raise RuntimeError(f"only {got} media packets arrived")
        records.append({"at": round(at, 4), "seconds": round(time.time() - at, 4), "kind": "call", "name": "media", "bytes": sent})
        await send(http, "signalling", "POST", "/bye")
        await pc.close()
    with open(task["log"], "a") as log:
        log.writelines(json.dumps(record) + "\n" for record in records)


asyncio.run(serve() if role == "serve" else call())
