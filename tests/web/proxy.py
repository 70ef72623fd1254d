"""A reverse proxy in front of a server, as people set them up: it keeps the name that it was called by to itself."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress


class Proxy:
    """Listens on `port`. Knows only whole requests in one piece, which is what browsers send on this machine."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pass, args=(client, server, self._renamed), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, bytes), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, change) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(change(data))
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _renamed(self, data: bytes) -> bytes:
        return re.sub(rb"(?<=\r\nHost: )[^\r]*", b"127.0.0.1:%d" % self._to, data, count=1)
