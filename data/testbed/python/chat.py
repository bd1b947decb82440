"""A messenger over WebSocket with uploads over HTTPS, on aiohttp.

    chat.py serve TASK.json    the service: /chat (WebSocket), /upload, /file/N
    chat.py talk TASK.json     one user's client, following the session's script
"""
import asyncio
import json
import ssl
import sys
import time

import aiohttp
from aiohttp import web

role, path = sys.argv[1:3]
with open(path) as file:
    task = json.load(file)
script = task["script"]


def text(size):
    return ("lorem ipsum dolor sit amet " * (size // 26 + 1))[:size]


def blob(size):
    with open(task["filler"], "rb") as file:
        return file.read(size)


async def serve():
    async def chat(request):
        socket = web.WebSocketResponse(heartbeat=script["heartbeatSeconds"], compress=False)
        await socket.prepare(request)
        await socket.send_json({"type": "roster", "data": text(script["historyBytes"])})
        began = time.time()

        async def friends():
            for event in script["incoming"]:
                await asyncio.sleep(max(0, began + event["at"] - time.time()))
                await socket.send_json({"type": event["type"], "data": text(event["bytes"])})

        talking = asyncio.create_task(friends())
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "message":
                await socket.send_json({"type": "ack", "id": time.time_ns()})
        talking.cancel()
        return socket

    async def upload(request):
        size = 0
        async for chunk in request.content.iter_chunked(65536):
            size += len(chunk)
        return web.json_response({"id": size, "url": f"/file/{size}"})

    async def download(request):
        return web.Response(body=blob(int(request.match_info["size"])), content_type="image/jpeg")

    app = web.Application(client_max_size=64 << 20)
    app.add_routes([web.get("/chat", chat), web.post("/upload", upload), web.get("/file/{size}", download)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(task["cert"], task["key"])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 443, ssl_context=context).start()
    await asyncio.Event().wait()


async def talk():
    context = ssl.create_default_context(cafile=task["ca"])
    log = open(task["log"], "a", buffering=1)

    def note(at, kind, name, size, ended=None):
        record = {"at": round(at, 4), "seconds": round(time.time() - at, 4), "kind": kind, "name": name, "bytes": size}
        log.write(json.dumps({**record, **({"ended": ended} if ended else {})}) + "\n")

    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, headers=script["headers"]) as http:
        async with http.ws_connect(f"https://{script['chatHost']}/chat", heartbeat=None, autoping=True) as socket:

            async def read():
                async for message in socket:
                    if message.type == aiohttp.WSMsgType.TEXT:
                        note(time.time(), "incoming", json.loads(message.data)["type"], len(message.data))

            reading = asyncio.create_task(read())
            files = f"https://{script['fileHost']}"
            for step in script["steps"]:
                await asyncio.sleep(step["thinkSeconds"])
                at, kind, size = time.time(), step["kind"], step["bytes"]
                if kind == "message":
                    for _ in range(step["typing"]):
                        await socket.send_json({"type": "typing"})
                        await asyncio.sleep(0.25)
                    await socket.send_json({"type": "message", "data": text(size)})
                    note(at, "message", "message", size)
                elif kind == "upload":
                    form = aiohttp.FormData()
                    form.add_field("file", blob(size), filename="photo.jpg", content_type="image/jpeg")
                    try:
                        limit = aiohttp.ClientTimeout(total=step.get("giveUpSeconds") or 50)
                        async with http.post(f"{files}/upload", data=form, timeout=limit) as answer:
                            await answer.read()
                        note(at, "upload", "/upload", size)
                    except asyncio.TimeoutError:
                        note(at, "upload", "/upload", 0, "aborted")
                    await socket.send_json({"type": "message", "data": text(180)})
                else:
                    async with http.get(f"{files}/file/{size}") as answer:
                        note(at, "download", f"/file/{size}", len(await answer.read()))
            await asyncio.sleep(script["lingerSeconds"])
            await socket.close()
            await reading
    await asyncio.sleep(0.2)
    log.close()


asyncio.run(serve() if role == "serve" else talk())
