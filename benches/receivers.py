"""HTTP receivers for the benchmark of the relay: one process, a port for each endpoint.

usage: receivers.py SEEN PORTS FAILING
Prints the ports; appends a line to SEEN for each request: time, port, webhook-id, status. Of PORTS the first FAILING answer 500
until SIGUSR1. Signatures are left to the tests: to verify them here would measure Python.
"""

import asyncio
import signal
import sys
import time

ANSWERS = {
    204: b"HTTP/1.1 204 No Content\r\n\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
}


class Receiver(asyncio.Protocol):
    def __init__(self, port, status, seen):
        self.port, self.status, self.seen, self.received = port, status, seen, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            headers = dict(line.lower().split(b": ", 1) if line.lower().startswith(b"content-length") else line.split(b": ", 1)
                           for line in self.received[:end].split(b"\r\n")[1:])
            size = end + 4 + int(headers[b"content-length"])
            if len(self.received) < size:
                return
            self.received = self.received[size:]
            status = self.status()
            self.seen.write(f"{time.time():.6f} {self.port} {headers[b'webhook-id'].decode()} {status}\n")
            self.transport.write(ANSWERS[status])


async def main():
    seen = open(sys.argv[1], "a", buffering=1)
    number, failing = int(sys.argv[2]), int(sys.argv[3])
    repaired = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: repaired.append(True))
    ports = []
    for at in range(number):
        def make(at=at):
            return Receiver(ports[at], lambda: 500 if at < failing and not repaired else 204, seen)

        server = await loop.create_server(make, "127.0.0.1", 0, backlog=1000)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
