"""Limits of one request: how much it may bring, how long that may take, how long its answer may go unread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Send

from web.doors import Door

SEND_S = 30.0  # a client that takes nothing for so long is cut off


class Body:
    """Receives a body that is not longer, and takes no longer, than the door allows."""

    def __init__(self, receive: Receive, door: Door) -> None:
        self._receive, self._door = receive, door
        self._bytes = 0
        self._until = asyncio.get_running_loop().time() + door.body_s
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            told = f"this took longer than {self._door.body_s:.0f} s to arrive: send it again over a better line\n"
            raise HTTPException(408, told, {"Connection": "close"}) from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._door.body:
            raise too_long(self._door)
        self._whole = not message.get("more_body", False)
        return message


class Sending:
    """Sends on, with the headers that every answer has; a client that does not read is cut off."""

    def __init__(self, send: Send, drop: Callable[[], None], headers: Mapping[str, str]) -> None:
        self._send, self._drop, self._headers = send, drop, headers

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.lower().encode(), value.encode()) for name, value in self._headers.items()]
            names = {name for name, _ in added}
            message["headers"] = [pair for pair in message.get("headers", []) if pair[0].lower() not in names] + added
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(message)
        except TimeoutError:
            self._drop()
            raise


def brings_body(headers: Headers) -> bool:
    """Whether a request says that a body follows its header."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def too_much(headers: Headers, door: Door) -> str:
    """What is wrong with a body, by what its header says of it, unread; "" where nothing is."""
    if not door.body and brings_body(headers):
        return "nothing may be sent to this address"
    length = headers.get("content-length", "0")
    return "" if length.isdecimal() and int(length) <= door.body else too_long(door).detail.strip()


def too_long(door: Door) -> HTTPException:
    """The answer to a body that is longer than its door allows."""
    size = f"{door.body / 2**20:.0f} MiB" if door.body >= 2**20 else f"{door.body} bytes"
    return HTTPException(413, f"this is too long: send at most {size}\n", {"Connection": "close"})
