"""PyPI aiosseclient: parses, and takes a last_id to go on with."""

import asyncio

import aiohttp
from aiosseclient import aiosseclient

from received import URL, WAIT_SECONDS, rebuilt, received


async def main():
    last_id = None
    while True:
        try:
            async for event in aiosseclient(URL, last_id=last_id):
                last_id = event.id or last_id
                if event.event == "message" and event.data:
                    received(event.id, event.data)
        except (aiohttp.ClientError, OSError) as error:
            rebuilt(error)
        await asyncio.sleep(WAIT_SECONDS)


asyncio.run(main())
