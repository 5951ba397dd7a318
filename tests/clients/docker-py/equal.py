"""Whether two servers give docker-py the same events.

Queries are a JSON list of objects with since, until and filters. Events whose times are less than 10 ms apart may change places: moby
keeps concurrent ones in an order of its own.
"""

import json
import sys

import docker

CONCURRENT_NANOS = 10_000_000


def ask(url, query):
    client = docker.DockerClient(base_url=url, version="auto", timeout=30)
    try:
        return [json.dumps(event, sort_keys=True) for event in client.events(decode=True, **query)]
    finally:
        client.close()


def differ(theirs, ours):
    if sorted(theirs) != sorted(ours):
        missing, added = [e for e in theirs if e not in ours], [e for e in ours if e not in theirs]
        return f"{len(ours)} events instead of {len(theirs)}; missing {missing}, too many {added}"
    time = lambda event: json.loads(event)["timeNano"]
    for a, b in zip(theirs, ours):
        if a != b and abs(time(a) - time(b)) >= CONCURRENT_NANOS:
            return f"another order:\n{a}\n{b}"
    return None


engine, shipslog, queries = sys.argv[1:]
with open(queries, encoding="utf-8") as file:
    queries = json.load(file)
total = 0
for query in queries:
    theirs, ours = ask(engine, query), ask(shipslog, query)
    why = differ(theirs, ours)
    if why:
        sys.exit(f"{query}: {why}")
    total += len(theirs)
print(f"{len(queries)} queries, {total} events")
