"""PyPI aiohttp-sse-client: reconnects by itself when a response ends; when it breaks off, or nobody listens, it raises."""

import asyncio

import aiohttp
from aiohttp_sse_client.client import EventSource

from received import URL, WAIT_SECONDS, rebuilt, received


async def main():
    last_id = ""
    while True:
        # A parameter, which the library's own header overrules once it has one.
        url = f"{URL}&last_event_id={last_id}" if last_id else URL
        try:
            async with EventSource(url) as source:
                async for event in source:
                    last_id = event.last_event_id
                    if event.type is None:
                        received(event.last_event_id, event.data)
        except (aiohttp.ClientError, OSError) as error:
            rebuilt(error)
            await asyncio.sleep(WAIT_SECONDS)


asyncio.run(main())
