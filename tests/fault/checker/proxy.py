"""What stands on the wires: forwards bytes between two parties, and cuts a connection at a given byte when it is told to."""

import asyncio
import socket
import struct
import threading

UP, DOWN = "up", "down"  # towards the server, towards the client
PIECE = 65536


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy, client, server):
        self.proxy, self.ends = proxy, (client, server)
        self.over = False
        self.greeting = b""       # what its client said first
        self.held_until = 0.0     # by the loop's clock

    async def run(self):
        (client_in, client_out), (server_in, server_out) = self.ends
        await asyncio.gather(self._pump(UP, client_in, server_out), self._pump(DOWN, server_in, client_out))

    async def _pump(self, direction, reader, writer):
        try:
            while not self.over:
                data = await reader.read(PIECE)
                if not data:
                    break
                if direction == UP:
                    self.greeting = self.greeting or data
                while not self.over and self.held_until > self.proxy.now():
                    await asyncio.sleep(self.held_until - self.proxy.now())
                data, cut = self.proxy.count(direction, data, self)
                writer.write(data)
                await writer.drain()
                if cut:
                    self.cut()
        except OSError:
            pass
        finally:
            # One that has said goodbye in one direction has nothing more to hear either: neither gRPC nor libpq closes by half.
            await asyncio.sleep(0)
            self.end()

    def end(self):
        """As its peers would."""
        self.over = True
        for _, writer in self.ends:
            writer.close()

    def cut(self):
        """As a network would: what is under way is gone, and both are reset."""
        self.over = True
        for _, writer in self.ends:
            own = writer.get_extra_info("socket")
            if own is not None and own.family == socket.AF_INET:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """
    Listens at a TCP port of the loopback interface that it chooses, or at a unix socket's path. `target` gives, for each new
    connection, the host and port or the path to go on to. The thread is its own; every method may be called by any.
    """

    def __init__(self, target, path=None):
        self.target, self.path, self.port = target, path, None
        self.cuts = 0             # connections that were cut
        self._links = set()
        self._armed = None        # (direction, bytes that still pass)
        self._word = None         # (what a client says, whether the server still hears it)
        self._unheard = None      # the connection whose next answer is lost
        self._fired = threading.Event()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_unix_server(self._accept, self.path) if self.path else asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = None if self.path else self._server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _accept(self, reader, writer):
        target = self.target()
        try:
            server = await (asyncio.open_unix_connection(str(target)) if self.path else asyncio.open_connection(*target))
        except OSError:
            writer.close()
            return
        link = Link(self, (reader, writer), server)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)

    def count(self, direction, data, link):
        """How much of it still passes, and whether the cut comes then. In the loop's thread."""
        if direction == DOWN and link is self._unheard:
            self._unheard = None
            self._hit()
            return b"", True
        if direction == UP and self._word is not None and self._word[0] in data:
            (word, heard), self._word = self._word, None
            if not heard:
                self._hit()
                return data[:data.index(word)], True
            self._unheard = link
            return data, False
        if self._armed is None or self._armed[0] != direction:
            return data, False
        left = self._armed[1]
        if len(data) < left:
            self._armed = (direction, left - len(data))
            return data, False
        self._armed = None
        self._hit()
        return data[:left], True

    def _hit(self):
        self.cuts += 1
        self._fired.set()

    def cut_after(self, direction, count, patience):
        """
        Once `count` more bytes (over all connections) have passed in that direction, the connection that carries the last of them
        is cut right behind it. When so much does not pass within `patience` seconds, one is cut where it stands. Waits for it.
        """
        self._fired.clear()
        self._do(lambda: setattr(self, "_armed", (direction, max(count, 1))))
        if not self._fired.wait(patience):
            self._do(self._cut_one)

    def now(self):
        return self._loop.time()

    def slow(self, greeting, seconds):
        """Nothing passes for so long on any connection whose client has greeted with that. Does not wait."""
        def hold():
            for link in self._links:
                if greeting in link.greeting:
                    link.held_until = self.now() + seconds
        self._do(hold)

    def cut_at(self, word, heard, patience):
        """
        Cuts the next connection on which a client says `word`: before the server has heard it, or once it has and before it is
        answered. Waits for it, for `patience` seconds at most.
        """
        self._fired.clear()
        self._do(lambda: setattr(self, "_word", (word, heard)))
        if not self._fired.wait(patience):
            self._do(self._disarm)

    def _disarm(self):
        self._word = self._unheard = None

    def _cut_one(self):
        if self._armed is not None:
            self._armed = None
            for link in list(self._links)[:1]:
                link.cut()
                self._hit()

    def cut_all(self):
        """The cable is out."""
        def cut():
            for link in list(self._links):
                link.cut()
                self._hit()
        self._do(cut)

    def _do(self, function):
        """In the loop's thread, and done when this returns."""
        done = threading.Event()

        def run():
            try:
                function()
            finally:
                done.set()
        self._loop.call_soon_threadsafe(run)
        done.wait(10)

    def close(self):
        def stop():
            self._server.close()
            for link in list(self._links):
                link.end()
            self._loop.call_later(0.1, self._loop.stop)
        self._loop.call_soon_threadsafe(stop)
        self._thread.join(5)
