"""An endpoint of its own before a database, which can go down, fall silent, and come back."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 65_536


class Relay:
    """Takes connections on 127.0.0.1 and passes every byte on to a Unix socket, and back."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = str(upstream)
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._speaks = threading.Event()
        self._speaks.set()
        self._greets = False
        self.port = 0

    def silence(self, *, greets: bool = False) -> None:
        """Go on taking connections and what comes on them, and pass nothing on.

        One that `greets` passes on the first that a client sends, and all answers: a client without
        TLS or password is let in, and hears nothing more.
        """
        self._greets = greets
        self._speaks.clear()

    def speak(self) -> None:
        """Pass on what was kept, and all that comes."""
        self._speaks.set()

    def up(self) -> None:
        """Listen, at the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Take no connections any more, and break those that are open."""
        with self._lock:
            ends, self._open = [self._listener, *self._open], set()
            self._listener = None
        self._speaks.set()
        for end in ends:
            if end is not None:
                # A thread that waits in a socket notices the shutdown, and not that it is closed.
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            with self._lock:
                if listener is not self._listener:
                    client.close()
                    return
                server.connect(self._upstream)
                self._open |= {client, server}
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on, args=(source, sink, sink is client), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        first = True
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if not (self._greets and (first or answers)):
                    self._speaks.wait()
                sink.sendall(data)
                first = False
        with self._lock:
            self._open -= {source, sink}
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def relay(upstream: Path) -> Iterator[Relay]:
    """A relay that is up, to the Unix socket at this path."""
    made = Relay(upstream)
    made.up()
    try:
        yield made
    finally:
        made.down()
