"""Makes the producers' events: a list of (key, value) of one format. The same seed makes the same events, and 5 % of
the values are not events.
"""

import datetime
import json
import random
import uuid

START = datetime.datetime(2026, 11, 29, 8, 11, 59, tzinfo=datetime.timezone.utc)
NAMES = ["Ada", "Grace", "Zoë", "李", "O'Neil", "😀"]


def make_events(kind, seed, count):
    """Good events come with their meaning, for the model; bad ones come with None."""
    rng = random.Random(f"{kind} {seed}")
    make = deltas(rng) if kind == "deltas" else row_changes(rng)
    bad = bad_deltas(rng) if kind == "deltas" else bad_row_changes(rng)
    return [next(bad) if rng.random() < 0.05 else next(make) for _ in range(count)]


def deltas(rng):
    """Makes deltas, which have no key. Some are sent late, because event_order decides and not the order of sending."""
    orders = list(range(1, 100_000))
    while True:
        order = orders.pop(rng.randrange(5))
        at = START + datetime.timedelta(seconds=order, microseconds=order * 1000)
        op = rng.choice(["insert", "update", "update", "delete"])
        event = {"id": rng.randint(1, 60), "name": rng.choice(NAMES), "age": rng.randint(0, 99), "op": op}
        event |= {"event_order": order, "ts": written(rng, at)}
        meaning = {**event, "order": [order, 0], "ts": None if event["ts"] is None else micros(at), "live": op != "delete"}
        if rng.random() < 0.3:
            event["id"] = str(event["id"])
        yield None, json.dumps(event), meaning


def written(rng, at):
    """The time in one of the formats that people use, all of them with milliseconds."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return rng.choice([
        str(at.replace(tzinfo=None)),
        str(at),
        at.isoformat(),
        at.astimezone(zone).isoformat(),
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        at.timestamp(),
        round(at.timestamp() * 1000),
        str(round(at.timestamp() * 1000)),
        None,
    ])


def row_changes(rng):
    """Makes row changes, whose key is the id. The clock sometimes stands still, and then the order of sending decides.
    """
    rows, clock, sent = {}, int(START.timestamp() * 1000), 0
    while True:
        clock += rng.choice([0, 0, 1, 7])
        sent += 1
        id = rng.randint(1001, 1060)
        before = rows.get(id)
        op = "c" if before is None else rng.choice(["u", "u", "d"])
        after = None if op == "d" else {"id": id, "name": rng.choice(NAMES), "age": rng.randint(0, 99), "balance": rng.randint(0, 9)}
        rows[id] = after
        row = before if op == "d" else after
        meaning = {**row, "order": [clock, sent], "ts": clock * 1000, "live": op != "d"}
        yield str(id), json.dumps({"op": op, "before": before, "after": after, "ts_ms": clock}), meaning


def micros(at):
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def bad_deltas(rng):
    good = {"id": 1, "name": "Bad", "age": 1, "op": "insert", "event_order": 10**9, "ts": str(START)}
    changes = [
        {"id": str(uuid.UUID(int=rng.getrandbits(128)))}, {"id": 1.5}, {"id": "007"}, {"id": "٣"}, {"id": "-0"}, {"id": 2**63},
        {"event_order": 1.5}, {"event_order": "first"}, {"run": "x"}, {"ts": "2026-02-30"}, {"ts": "2026-01-01T00:00:00+16:00"},
        {"ts": "yesterday"}, {"age": 2**31}, {"name": "a\0b"}, {"name": "\ud800"}, {"op": "upsert"}, {"id": None}, {"x": ["\0"]},
    ]
    values = [json.dumps(good | change) for change in changes]
    values += ["null", "42", "[]", "{}", '{"foo":1}', '{"id":', "", "[" * 5000 + "]" * 5000]
    while True:
        yield None, rng.choice(values), None


def bad_row_changes(rng):
    row = {"id": 1001, "name": "Bad", "age": 1}
    last = 9 * 10**12
    values = [json.dumps(value) for value in [
        {"op": "c", "before": None, "after": None, "ts_ms": last}, {"op": "u", "before": row, "after": row},
        {"op": "d", "before": None, "after": None, "ts_ms": last}, {"op": "d", "before": row, "after": row, "ts_ms": last},
        {"op": "u", "before": row, "after": row | {"id": 1002}, "ts_ms": last}, {"op": "r", "before": None, "after": row, "ts_ms": last},
        {"op": "c", "before": None, "after": {"name": "no id"}, "ts_ms": last}, {"op": "c", "before": None, "after": row, "ts_ms": "now"},
        {"op": "c", "before": None, "after": row | {"id": 1.5}, "ts_ms": last}, {"payload": {"op": "c", "after": row, "ts_ms": last}},
    ]]
    # A record without a value has a key here, because the client refuses a record that has neither.
    values.append(None)
    while True:
        yield "1001", rng.choice(values), None
