"""Whether httpx, pandas and duckdb read the exports of a server as what they are.

httpx takes zstd on the way, which the server sends in many frames; pandas and duckdb read files. Each must find every record, with its id, its
times and its message.
"""

import io
import json
import sys

import duckdb
import httpx
import pandas

# Often, since where a chunk ends depends on how bytes come.
ROUNDS = 20
PAGE = 10_000

url, directory = sys.argv[1:]


def export(query, **headers):
    answer = httpx.get(f"{url}/api/v1/export?{query}", headers=headers, timeout=60)
    answer.raise_for_status()
    return answer


def history():
    """Every record by way of pages, which nothing compresses."""
    records, page = [], ""
    while page is not None:
        cursor = f"&cursor={page}" if page else ""
        answer = httpx.get(f"{url}/api/v1/events?limit={PAGE}{cursor}", timeout=60).json()
        records += answer["records"]
        page = answer["page"]["next"]
    return records


def same(what, got, expected):
    if list(got) != list(expected):
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        sys.exit(f"{what}: {len(got)} values instead of {len(expected)}, others from the {at + 1}th on: {got[at:at + 1]} {expected[at:at + 1]}")


records = history()
ids = [record["id"] for record in records]
times = [record["time"] for record in records]

for _ in range(ROUNDS):
    answer = export("format=jsonl")
    if answer.headers.get("content-encoding") != "zstd":
        sys.exit(f"httpx: takes zstd and was sent {answer.headers.get('content-encoding')}")
    same("httpx, zstd on the way", [json.loads(line) for line in answer.text.splitlines()], records)
streamed = []
with httpx.stream("GET", f"{url}/api/v1/export", timeout=60) as answer:
    streamed += [json.loads(line) for line in answer.iter_lines()]
same("httpx, line by line", streamed, records)

jsonl, csv = export("format=jsonl", **{"Accept-Encoding": "identity"}).content, export("format=csv").content
rows = pandas.read_json(io.BytesIO(jsonl), lines=True, dtype=False)
same("pandas, jsonl", rows["id"].tolist(), ids)
same("pandas, jsonl: messages", rows["event"].tolist(), [record["event"] for record in records])
table = pandas.read_csv(io.BytesIO(csv), dtype=str, keep_default_na=False)
same("pandas, csv", table["id"].tolist(), ids)
moments = pandas.to_datetime(table["time"], format="ISO8601", utc=True)
same("pandas, csv: times", moments.astype("int64").tolist(), pandas.to_datetime(pandas.Series(times), format="ISO8601", utc=True).astype("int64").tolist())

for name, query, reader in [
    ("log.jsonl", "format=jsonl", "read_json('{}', format='newline_delimited')"),
    ("log.jsonl.zst", "format=jsonl&compression=zstd", "read_json('{}', format='newline_delimited')"),
    ("log.jsonl.gz", "format=jsonl&compression=gzip", "read_json('{}', format='newline_delimited')"),
    ("log.csv", "format=csv", "read_csv('{}', all_varchar=true)"),
    ("log.csv.gz", "format=csv&compression=gzip", "read_csv('{}', all_varchar=true)"),
]:
    path = f"{directory}/{name}"
    with open(path, "wb") as file:
        file.write(export(query, **{"Accept-Encoding": "identity"}).content)
    found = duckdb.sql(f"SELECT id FROM {reader.format(path)}").fetchall()
    same(f"duckdb, {name}", sorted(id for (id,) in found), sorted(ids))
kinds = duckdb.sql(f"SELECT event.Type, count(*) FROM read_json('{directory}/log.jsonl', format='newline_delimited') GROUP BY ALL").fetchall()
expected = {}
for record in records:
    expected[record["event"]["Type"]] = expected.get(record["event"]["Type"], 0) + 1
same("duckdb, jsonl: events by type", sorted(kinds), sorted(expected.items()))
print(f"httpx, pandas and duckdb read {len(records)} records")
