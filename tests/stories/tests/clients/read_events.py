"""Subscribes to the published events of suggestions as an analyst does, until one was routed.

Usage: read_events.py NATS_URL SEED_FILE
Prints one JSON object. Knows the stream's name, its subjects, how an analyst's consumers are called, and how CloudEvents stand in NATS messages.
"""

import asyncio
import json
import sys
from urllib.parse import unquote

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


async def main(url, seed_file):
    connection = await nats.connect(
        url, nkeys_seed=seed_file, inbox_prefix="_INBOX_analyst", connect_timeout=10
    )
    stream = connection.jetstream()
    config = ConsumerConfig(
        name="analyst-0",
        filter_subject="seva.events.suggestion.>",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=30,
    )
    await stream.add_consumer("SEVA_EVENTS", config)
    events = await stream.pull_subscribe_bind(consumer="analyst-0", stream="SEVA_EVENTS")
    subjects = []
    while True:
        for message in await events.fetch(1, timeout=20):
            subjects.append(message.subject)
            attributes = {
                name.removeprefix("ce-"): unquote(value, errors="strict")
                for name, value in message.headers.items()
                if name.startswith("ce-")
            }
            if attributes["type"] == "suggestion.routed.v1":
                found = {"attributes": attributes, "data": json.loads(message.data), "subjects": subjects}
                print(json.dumps(found))
                await connection.close()
                return


asyncio.run(main(*sys.argv[1:]))
