"""Prints, as JSON, what state, log and quarantine must contain after all events of both producers have come."""

import json
import sys

from events import make_events

seed, count = sys.argv[1:]
newest, logged, bad = {}, [], []
for kind in ["deltas", "row changes"]:
    for _, value, meaning in make_events(kind, seed, int(count)):
        if meaning is None:
            bad.append(value)
            continue
        logged.append([meaning["id"], meaning["order"][0], meaning["name"], meaning["age"], meaning["live"]])
        if meaning["id"] not in newest or meaning["order"] > newest[meaning["id"]]["order"]:
            newest[meaning["id"]] = meaning
state = [
    [row["id"], row["name"], row["age"], row["order"][0], row["ts"], row.get("balance")]
    for row in sorted(newest.values(), key=lambda row: row["id"])
    if row["live"]
]
print(json.dumps({"state": state, "logged": logged, "bad": bad}))
