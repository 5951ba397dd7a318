"""What every Python program here does with a record: its id and data, one line each, on disk before the next one is looked at."""

import sys

URL, FILE = sys.argv[1:3]
# Where the program has to make the next attempt itself: what the server asks for with `retry: 2000`.
WAIT_SECONDS = 2

_file = open(FILE, "ab", buffering=0)


def received(id, data):
    _file.write(f"{id}\t{data}\n".encode())


def rebuilt(error):
    """A line for the driver, which counts them: the library gave up and its user has to make a new object."""
    print(f"rebuilt: {type(error).__name__}", flush=True)
