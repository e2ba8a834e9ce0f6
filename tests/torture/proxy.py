"""A proxy between clients and a server which cuts their connections, each at a byte of its own."""

import asyncio
import socket
import struct
import threading
import weakref

# How long a half-open connection looks alive to each side.
HALF_OPEN = 0.2
KINDS = ("RST", "FIN", "half-open")


class Proxy:
    """Listens on a port of the loopback, and speaks to the server through its Unix socket, in a thread of its own."""

    def __init__(self, server_socket, chance, longest):
        self.server_socket, self.chance, self.longest = server_socket, chance, longest
        self.cuts = dict.fromkeys(KINDS, 0)
        self.writers = weakref.WeakSet()
        # The share of connections that are cut.
        self.share = 0.9
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        listening = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = listening.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        listening.close()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        # The server must not wait for a client that nobody speaks for any more.
        for writer in list(self.writers):
            writer.transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0))

    def stop(self):
        """Cuts what is left."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def serve(self, client_reader, client_writer):
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self.server_socket)
        except OSError:
            client_writer.transport.abort()
            return
        self.writers |= {client_writer, server_writer}
        cut = Cut(self, client_writer, server_writer)
        await asyncio.gather(cut.carry(client_reader, server_writer, 0), cut.carry(server_reader, client_writer, 1))


class Cut:
    """How one connection ends: after so many bytes from the client, or from the server."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server, self.done = proxy, client, server, False
        self.left = [None, None]
        self.kind = proxy.chance.choice(KINDS)
        if proxy.chance.random() < proxy.share:
            side = proxy.chance.randrange(2)
            self.left[side] = proxy.chance.randint(0, proxy.longest[side])

    async def carry(self, reader, writer, side):
        try:
            while not self.done and (data := await reader.read(65536)):
                left = self.left[side]
                if left is not None and len(data) > left:
                    if not self.done:
                        writer.write(data[:left])
                        await writer.drain()
                        await self.cut()
                    return
                if left is not None:
                    self.left[side] = left - len(data)
                writer.write(data)
                await writer.drain()
            if not self.done:
                writer.close()
        except OSError:
            if not self.done:
                writer.close()

    async def cut(self):
        self.done = True
        self.proxy.cuts[self.kind] += 1
        if self.kind == "half-open":
            # Nothing comes any more, and nobody says so. The client gives up first.
            await asyncio.sleep(HALF_OPEN)
            reset(self.client)
            await asyncio.sleep(self.proxy.chance.uniform(0, 2 * HALF_OPEN))
            reset(self.server)
        elif self.kind == "RST":
            reset(self.client)
            reset(self.server)
        else:
            self.client.close()
            self.server.close()


def reset(writer):
    """Ends a connection without a farewell."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_INET:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # it is closed
    writer.transport.abort()
