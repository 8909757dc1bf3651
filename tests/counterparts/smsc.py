"""An SMSC: smpp34's server, with each submit_sm that it takes as a JSON document on a line of a file.

smsc.py PORT INBOX
"""

import asyncio
import json
import sys

import smpp34


async def main(port, inbox):
    server = smpp34.Server(host="127.0.0.1", port=port, system_id="SMSC")
    await server.start()
    with open(inbox, "a", encoding="utf-8") as file:
        count = 0
        while True:
            event = await server.next()
            if not isinstance(event, smpp34.SubmitSmEvent):
                continue
            taken = {
                "to": event.destination_addr,
                "from": event.source_addr,
                "esm_class": event.esm_class,
                "data_coding": event.data_coding,
                "short_message": bytes(event.short_message).hex(),
            }
            file.write(json.dumps(taken) + "\n")
            file.flush()
            count += 1
            event.accept(message_id=f"smsc-{count}")


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
