"""A bare aiohttp server that parses a JSON body and sends it back: what the framework alone costs.

``spoolog bench create`` runs it in a process of its own beside a real server. There is no queue, no
validation and no log here, and there must not be.
"""

import asyncio
import sys

import orjson
import uvloop
from aiohttp import web


async def echo(request: web.Request) -> web.Response:
    """Answer with the document that was sent."""
    document = orjson.loads(await request.read())
    return web.Response(body=orjson.dumps(document), status=201, content_type="application/json")


async def serve() -> None:
    """Listen on a free loopback port until standard input is closed."""
    application = web.Application()
    application.router.add_post("/echo", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        sys.stdout.write(f"listening on http://{host}:{port}\n")
        sys.stdout.flush()
        # The parent holds the other end: when it is gone, so are we.
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve())
