# SPDX-License-Identifier: Apache-2.0
"""A plain TCP forwarder that is a process of its own and so can be stopped: then it takes
connections, as every stopped process does, and not a byte passes. What is behind it goes on."""

import asyncio
import contextlib
import signal
import socket
import sys

PIECE = 64 * 1024


class Wire:
    """Has host, port and ca_file, as the server behind it."""

    def __init__(self, server, start_child, log):
        self.host, self.ca_file = server.host, server.ca_file
        self.port = self._free_port()
        self.process = start_child(
            [sys.executable, __file__, str(self.port), server.host, str(server.port)], log)

    def _free_port(self):
        with socket.socket() as s:
            s.bind((self.host, 0))
            return s.getsockname()[1]

    @contextlib.contextmanager
    def frozen(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.kill()
        self.process.wait()


async def pump(reader, writer):
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def forward(reader, writer, host, port):
    try:
        there = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))


async def main(port, host, target):
    server = await asyncio.start_server(
        lambda r, w: forward(r, w, host, int(target)), host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
