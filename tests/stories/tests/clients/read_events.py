"""Subscribes to the published events of suggestions as any subscriber of NATS does, until one was routed.

Usage: read_events.py NATS_URL
Prints one JSON object. Knows the stream's name, its subjects, and how CloudEvents stand in NATS messages.
"""

import asyncio
import json
import sys
from urllib.parse import unquote

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy


async def main(url):
    connection = await nats.connect(url, connect_timeout=10)
    stream = connection.jetstream()
    events = await stream.subscribe(
        "seva.events.suggestion.>",
        stream="SEVA_EVENTS",
        ordered_consumer=True,
        config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
    )
    subjects = []
    while True:
        message = await events.next_msg(timeout=20)
        subjects.append(message.subject)
        attributes = {
            name.removeprefix("ce-"): unquote(value, errors="strict")
            for name, value in message.headers.items()
            if name.startswith("ce-")
        }
        if attributes["type"] == "suggestion.routed.v1":
            print(json.dumps({"attributes": attributes, "data": json.loads(message.data), "subjects": subjects}))
            await connection.close()
            return


asyncio.run(main(*sys.argv[1:]))
