"""PyPI sseclient: reconnects by itself when a connection ends; when it is reset, or nobody listens, it raises.

Then it takes a last_id to go on with.
"""

import time

from sseclient import SSEClient

from received import URL, WAIT_SECONDS, rebuilt, received


class Client(SSEClient):
    def _connect(self):
        # Across connections the library keeps the whole lines of a block that the cut left unfinished. Where only the
        # empty line was missing it would give that record now, and once more when the server sends it again.
        self.buf = ""
        super()._connect()


last_id = None
while True:
    try:
        for event in Client(URL, last_id=last_id):
            last_id = event.id or last_id
            if event.event == "message" and event.data:
                received(event.id, event.data)
    except OSError as error:  # requests' own errors are such, too
        rebuilt(error)
        time.sleep(WAIT_SECONDS)
