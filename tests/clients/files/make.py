"""Prints a log as an export: large enough for many frames, with values that a format may trip over."""

import json

ODD = ['plain', 'a "quoted" one', "one, with; marks", "two\nlines\r\n", "  blanks ", "ünï ☃ 🚢", "=1+1", "\\N", "null", "", "'"]
BASE = 1_795_000_000 * 10**9

for seq in range(1, 20_001):
    nanos = BASE + seq * 12_345_678
    seconds, rest = divmod(nanos, 10**9)
    clock = seconds % 86_400
    # 1,795,000,000 s lie on one day, and so do all of these.
    time = f"2026-11-18T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}.{rest:09}Z"
    noise = f"{seq * 2654435761**8:x}" * 4
    attributes = {"name": ODD[seq % len(ODD)], "image": f"i{seq % 7}", "noise": noise}
    event = {"Type": ("container", "network")[seq % 2], "Action": "start", "Actor": {"ID": f"{seq * 2654435761:064x}", "Attributes": attributes}, "scope": "local", "time": seconds, "timeNano": nanos}
    record = {"id": f"7f3c9a1e-{seq}", "seq": seq, "time": time, "received": time, "source": "local", "event": event}
    print(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
