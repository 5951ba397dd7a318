"""Checks that what the server sends is docs/openapi.yaml, and prints it with every object closed, so that a member that is not described is
found: clients are told to pass over those.

    tighten.py OPENAPI_YAML OPENAPI_JSON
"""

import json
import sys

import yaml

with open(sys.argv[1]) as source, open(sys.argv[2]) as sent:
    written, description = yaml.safe_load(source), json.load(sent)
assert written == description, "the server sends another description"


def close(schema):
    if isinstance(schema, list):
        for member in schema:
            close(member)
    elif isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            schema.setdefault("unevaluatedProperties" if "oneOf" in schema else "additionalProperties", False)
        for member in schema.values():
            close(member)


close(description["components"]["schemas"])
json.dump(description, sys.stdout)
