"""PyPI httpx-sse: parses; its README has the loop that reconnects, with `Last-Event-ID` and `retry`."""

import time

import httpx
from httpx_sse import connect_sse

from received import URL, WAIT_SECONDS, rebuilt, received

last_event_id = ""
delay = WAIT_SECONDS
# Longer than the comments that the server sends in silence are apart.
with httpx.Client(timeout=httpx.Timeout(10, read=30)) as client:
    while True:
        try:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            with connect_sse(client, "GET", URL, headers=headers) as source:
                for event in source.iter_sse():
                    last_event_id = event.id
                    if event.retry is not None:
                        delay = event.retry / 1000
                    if event.event == "message" and event.data:
                        received(event.id, event.data)
        except httpx.TransportError as error:
            rebuilt(error)
        time.sleep(delay)
