"""Requests as nobody should send them: each is refused or cut off, none is the server's fault, none is news."""

from __future__ import annotations

import os
import random
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bench.served import Served

METHODS = ("GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "GÉT", "CONNECT")
PATHS = (
    "/", "/kiosk", "/token", "/clips", "/metrics", "/readyz", "/healthz", "/static/page.js", "/theme.css",
    "/assets/x.js", "/favicon.ico", "/v1/realtime", "/static/js/x", "/static/.", "/static/x%00", "/kiosk?%ff",
    "/readyz?origin=%ff%00", "/clips?name=%ff%0d%0a", "/token?x", "/%ff", "*",
    "/static/page.js?%", "//", "/v1/audio/speech",
)  # fmt: skip
HEADERS = (
    "Host: é", "Host:", "Origin: null", "Origin: http://localhost", "Origin: ÿ", 'Cookie: a="',
    "Cookie: voicechat_x=ÿ; ;;=", "Authorization: Bearer ÿ", "Authorization: Bearer", "Content-Length: 5",
    "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip",
    "Content-Type: multipart/form-data; boundary=x", "Expect: 100-continue", "Upgrade: websocket",
    "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x", "Range: bytes=0-1,5-",
    "Range: bytes=-", "If-Modified-Since: x", 'If-None-Match: "', "X-Forwarded-Host: evil",
)  # fmt: skip
BODIES = (
    b"", b"token", b"&".join([b"a=b"] * 1000), b"token=%ff%fe", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"\xff" * 50,
    b"token=x&page=%0d%0aX:y", b"token=" + b"a" * 3000,
)  # fmt: skip
BROKEN = b"\x81\x82\x00\x00\x00\x00\xe2\x82"  # a WebSocket's text frame with half a character of UTF-8


@pytest.fixture(scope="module", params=[(), ("--token", "sesame")], ids=["open", "with a token"])
def served(request, tmp_path_factory):
    errors = tmp_path_factory.mktemp("server") / "stderr"
    with Served(["--model", "echo", "--voice", "tone", *request.param], errors) as server:
        yield server, errors


def request_of(rng: random.Random) -> bytes:
    body = rng.choice(BODIES)
    headers = rng.sample(HEADERS, rng.randint(0, 5))
    if rng.random() < 0.9:
        headers = ["Host: localhost", *(header for header in headers if not header.startswith("Host"))]
    if rng.random() < 0.3:
        headers.append(f"Content-Length: {len(body)}")
    head = "\r\n".join((f"{rng.choice(METHODS)} {rng.choice(PATHS)} HTTP/1.1", *headers, "", ""))
    return head.encode("latin-1") + body


def status(port: int, data: bytes, half_closed: bool) -> str:
    """The first answer's status, or how there was none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.3) as line:
            line.sendall(data)
            if half_closed:
                line.shutdown(socket.SHUT_WR)
            return line.recv(100)[9:12].decode("latin-1") or "closed"
    except (TimeoutError, ConnectionError, OSError) as error:
        return type(error).__name__


def test_no_request_is_the_servers_fault(served):
    server, errors = served
    port, rng = int(server.url.rsplit(":", 1)[1]), random.Random(0)
    told = Counter(status(port, request_of(rng), rng.random() < 0.3) for _ in range(1500))
    assert not [code for code in told if code.startswith("5")], told
    assert {"400", "404", "405", "413"} <= set(told)
    assert status(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", False) == "200"
    assert quiet(errors)


def test_what_comes_behind_the_end_is_no_news(served):
    """Two broken frames at once: the first one ends the connection."""
    server, errors = served
    with connect(server.url.replace("http", "ws", 1) + "/v1/realtime") as wire:
        with suppress(OSError):  # where a token is wanted, it may have been shut out by now
            os.write(wire.socket.fileno(), BROKEN + BROKEN)
        with pytest.raises(ConnectionClosed):
            while True:
                wire.recv(10)
    assert quiet(errors)


def quiet(errors: Path) -> bool:
    """Nothing was written but which origins were refused."""
    lines = errors.read_text().splitlines()
    return [line for line in lines if "was refused; pages of this server" not in line] == []
