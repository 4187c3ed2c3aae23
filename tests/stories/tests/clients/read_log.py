"""Reads the log as any subscriber of NATS does, until the commit that opened a case is found.

Usage: read_log.py NATS_URL CASE_ID
Prints one JSON object.
"""

import asyncio
import json
import sys

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy


async def main(url, case_id):
    connection = await nats.connect(url, connect_timeout=10)
    stream = connection.jetstream()
    log = await stream.subscribe(
        "seva.log.>", ordered_consumer=True, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    )
    read = 0
    while True:
        message = await log.next_msg(timeout=20)
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
