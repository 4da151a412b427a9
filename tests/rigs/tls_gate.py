"""TLS in front of a PostgreSQL server that was built without it.

`python -m tests.rigs.tls_gate CERTIFICATE KEY PORT SOCKET` says on which port it listens, and lets in
whoever comes until its input ends. Who asks for TLS gets it and goes on to the server's PORT; who does
not goes on to its Unix SOCKET, so that the server's own access rules tell the two apart.
"""

import asyncio
import logging
import ssl
import struct
import sys
from contextlib import suppress

_TLS_WANTED = struct.pack(">ii", 8, 80877103)
_GSSAPI_WANTED = struct.pack(">ii", 8, 80877104)
_PIECE = 65_536


async def _serve(certificate: str, key: str, port: int, path: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def let_in(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await client.readexactly(len(_TLS_WANTED))
            if first == _GSSAPI_WANTED:
                to_client.write(b"N")
                first = await client.readexactly(len(_TLS_WANTED))
            if first == _TLS_WANTED:
                to_client.write(b"S")
                await to_client.start_tls(context)
                server, to_server = await asyncio.open_connection("127.0.0.1", port)
            else:
                server, to_server = await asyncio.open_unix_connection(path)
                to_server.write(first)
            await asyncio.gather(_pass_on(client, to_server), _pass_on(server, to_client))
        to_client.close()

    listening = await asyncio.start_server(let_in, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    # Whoever started this may be killed; its end of the pipe is then closed.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
    sink.close()


if __name__ == "__main__":
    # It warns of every end of a stream under TLS.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
