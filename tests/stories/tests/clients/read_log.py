"""Reads the log as an operator does, until the commit that opened a case is found.

Usage: read_log.py NATS_URL SEED_FILE CASE_ID
Prints one JSON object.
"""

import asyncio
import json
import sys

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


async def main(url, seed_file, case_id):
    connection = await nats.connect(
        url, nkeys_seed=seed_file, inbox_prefix="_INBOX_operator", connect_timeout=10
    )
    stream = connection.jetstream()
    config = ConsumerConfig(
        name="operator-0",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=30,
    )
    await stream.add_consumer("SEVA_LOG", config)
    log = await stream.pull_subscribe_bind(consumer="operator-0", stream="SEVA_LOG")
    read = 0
    while True:
        for message in await log.fetch(1, timeout=20):
            read += 1
            commit = json.loads(message.data)
            for record in commit["records"]:
                if case_id == f"cas_{record['noun_id'].removeprefix('cas_')}":
                    found = {
                        "actor": record["actor"],
                        "events": [event["type"] for event in record["events"]],
                        "read": read,
                        "sequence": message.metadata.sequence.stream,
                        "subject": message.subject,
                    }
                    print(json.dumps(found))
                    await connection.close()
                    return


asyncio.run(main(*sys.argv[1:]))
