"""TLS in front of a server that has none: takes connections at PORT and passes on what is in them.

tls.py PORT TARGET_PORT CERTIFICATE KEY
"""

import asyncio
import ssl
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def main(port, target, certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def serve(reader, writer):
        inside, outside = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, outside), pump(inside, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
