"""Prints a small log as an export: every mark, losses, records of the recorder, some that are missing. It is of a tenth of a second, so that any replay is short."""

import json

SECONDS = 1_795_000_000


def record(seq, event, **marks):
    nanos = SECONDS * 10**9 + seq * 10**6
    # 1,795,000,000 s are 11:06:40 on that day.
    time = f"2026-11-18T11:06:40.{nanos % 10**9:09}Z"
    event = {**event, "scope": "local", "time": SECONDS, "timeNano": nanos}
    return {"id": f"7f3c9a1e-{seq}", "seq": seq, "time": time, "received": time, "source": ("local", "other")[seq % 2], **marks, "event": event}


def container(action, **attributes):
    return {"Type": "container", "Action": action, "Actor": {"ID": "f4155d", "Attributes": {"name": "api", "image": "busybox", **attributes}}}


def own(action, **attributes):
    return {"Type": "recorder", "Action": action, "Actor": {"ID": "local", "Attributes": attributes}}


EVENTS = [
    (own("start", version="0.1.0"), {}),
    (own("gap", reason="daemon-restart", until="2026-11-18T11:06:40.05Z", **{"from": "2026-11-18T11:06:40Z"}), {}),
    (container("start"), {}),
    (container("exec_start: true"), {"noise": "healthcheck"}),
    (container("die", exitCode="137"), {}),
    (own("gap", reason="first-contact", until="2026-11-18T11:06:40.01Z"), {}),
    (container("kill", signal="=9"), {"cut": {"bytes": 2_000_000}}),
    (own("gap"), {"foreign": True}),
    ({"Type": "image", "Action": "create", "Actor": {"ID": "sha256:1"}}, {}),
]
# An export that lacks records makes a log that lacks them.
for seq in [*range(1, 60), *range(66, 91)]:
    event, marks = EVENTS[(seq - 1) % len(EVENTS)]
    print(json.dumps(record(seq, event, **marks), separators=(",", ":")))
