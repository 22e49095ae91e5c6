"""Sends events to a topic and stores how many it has sent. After it was killed, it sends again those that may not have
arrived.
"""

import pathlib
import sys
import time

from events import make_events
from kafka import KafkaProducer

servers, topic, kind, seed, count, position_file = sys.argv[1:]
events = make_events(kind, seed, int(count))
position = pathlib.Path(position_file)
sent = int(position.read_text()) if position.exists() else 0

producer = KafkaProducer(bootstrap_servers=servers, acks="all")
while sent < len(events):
    for key, value, _ in events[sent : sent + 25]:
        producer.send(topic, key=key and key.encode(), value=None if value is None else value.encode())
        producer.flush()
        time.sleep(0.002)
    sent += len(events[sent : sent + 25])
    fresh = position.with_suffix(".new")
    fresh.write_text(str(sent))
    fresh.rename(position)
producer.close()
