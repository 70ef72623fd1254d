"""A server that holds the conversation: where it is, whom it lets in, and what can be wrong with it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from voicechat.errors import ConfigError

TOKEN_VARIABLE = "VOICECHAT_TOKEN"
OPEN_S = 5.0  # to answer in
PING_S = 10.0  # a server that is silent for twice as long has gone
SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
START = "start one with `python -m web`, which prints its address"


@dataclass(frozen=True, slots=True)
class Server:
    """How it is reached, and what is asked of it; None leaves it to the server."""

    url: str  # of the Realtime protocol, ws:// or wss://
    token: str | None = None
    certificate: Path | None = None  # trusted, beside those that the system trusts
    model: str | None = None
    voice: str | None = None
    instructions: str | None = None

    @classmethod
    def of(cls, address: str, token: str | None, certificate: Path | None, model: str | None, voice: str | None,
           instructions: str | None) -> Server:  # fmt: skip
        """From what a user gives. Raises ConfigError for what cannot be meant."""
        model = None if model == "auto" else model
        url = realtime_url(address, model)
        if certificate is not None and url.startswith("ws:"):
            raise ConfigError(f"--certificate is for TLS: give --server wss://{urlsplit(url).netloc}, or leave it out")
        token = token or os.environ.get(TOKEN_VARIABLE) or None
        if token is not None and not re.fullmatch(r"[!-~]+", token):
            raise ConfigError("the token cannot be used: it has spaces or letters that no header carries; copy it anew")
        server = cls(url, token, certificate, model, voice, instructions or None)
        server.trusted()
        return server

    @property
    def where(self) -> str:
        """For messages: no path, no password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def trusted(self) -> ssl.SSLContext | None:
        """Whose certificates are believed. Raises ConfigError."""
        if self.url.startswith("ws:"):
            return None
        context = ssl.create_default_context()
        with suppress(OSError):  # ssl.SSLError is one
            context.load_verify_locations(made_here())
        if self.certificate is not None:
            try:
                context.load_verify_locations(self.certificate)
            except ssl.SSLError:
                raise ConfigError(f"--certificate {self.certificate} holds no certificate: give a PEM file") from None
            except OSError as error:
                raise ConfigError(f"--certificate {self.certificate} cannot be read ({error.strerror})") from None
        return context

    async def open(self) -> ClientConnection:
        """A conversation that can begin: let in, model and voice as wanted. Raises ConfigError."""
        connection = await self._connect()
        try:
            await _Greeting(self, connection).run()
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _connect(self) -> ClientConnection:
        try:
            return await connect(
                self.url,
                additional_headers={"Authorization": f"Bearer {self.token}"} if self.token else None,
                ssl=self.trusted(),
                proxy=None if _is_local(urlsplit(self.url).hostname or "") else True,
                compression=None,  # sound does not shrink
                open_timeout=OPEN_S,
                close_timeout=1,
                ping_interval=PING_S,
                ping_timeout=PING_S,
            )
        except (OSError, InvalidHandshake, InvalidURI) as error:
            raise ConfigError(self._why_not(error)) from None

    def _why_not(self, error: Exception) -> str:
        """One line: what failed, and what to do."""
        where, host = self.where, urlsplit(self.url).hostname
        match error:
            case ssl.SSLCertVerificationError(verify_code=62 | 64):  # the name, the address
                return f"the certificate of {where} is for other names than {host}: give one of its names in --server"
            case ssl.SSLCertVerificationError():
                return (
                    f"the certificate of {where} is not trusted ({error.verify_message}): copy the server's "
                    "certificate.pem here (~/.cache/voicechat/tls there) and give --certificate certificate.pem"
                )
            case ssl.SSLError():
                return f"{where} speaks no TLS ({error.reason}): try --server {where.replace('wss:', 'ws:', 1)}"
            case TimeoutError():
                return f"{where} does not answer within {OPEN_S:.0f} s: check host, port and firewall"
            case socket.gaierror():
                return f"no machine called {host!r} is known: check the name in --server"
            case InvalidStatus(response=response):
                return f"{where} is no voicechat server (it answered HTTP {response.status_code}): {START}"
            case ConnectionResetError() | InvalidHandshake() if self.url.startswith("ws:"):
                return (
                    f"{where} is no voicechat server, or one with TLS: try --server {where.replace('ws:', 'wss:', 1)}"
                )
            case OSError() if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
                return f"no server is at {where}: {START}"
            case OSError():
                return f"{where} cannot be reached ({error.strerror or error}): check host and network"
        return f"{where} is no voicechat server ({error}): {START}"


def realtime_url(address: str, model: str | None = None) -> str:
    """The Realtime protocol's address, with our extras, on the server at `address`. Raises ConfigError."""
    try:
        parts = urlsplit(address)
        scheme, host, _ = SCHEMES.get(parts.scheme), parts.hostname, parts.port
    except ValueError:
        scheme = host = None
    if scheme is None or not host:
        meant = f"ws://{address}" if re.fullmatch(r"[\w.-]+(:\d+)?", address) else "ws://localhost:7860"
        raise ConfigError(f"--server {address!r} is no address: did you mean --server {meant}?")
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime"):
        path += "/v1/realtime"
    ours = {"extras": "1"} | ({"model": model} if model else {})
    query = dict(parse_qsl(parts.query)) | ours
    return urlunsplit((scheme, parts.netloc, path, urlencode(query), ""))


def made_here() -> Path:
    """Where `python -m web --tls` keeps the certificate that it makes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voicechat" / "tls" / "certificate.pem"


def _is_local(host: str) -> bool:
    """Whether it is this machine, which no proxy reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Greeting:
    """What is said before the conversation."""

    def __init__(self, server: Server, connection: ClientConnection) -> None:
        self._server, self._connection = server, connection

    async def run(self) -> None:
        """Raises ConfigError."""
        server = self._server
        created = await self._next("session.created")
        model = str(created.get("session", {}).get("model"))
        if server.model is not None and model != server.model:
            raise ConfigError(f"{server.where} has no model {server.model!r}: leave out --model, and {model!r} answers")
        await self._send("voicechat.played", item_id="none", audio_ms=0)  # only with extras it is no error
        session: dict[str, Any] = {"type": "realtime"}
        if server.voice is not None:
            session["audio"] = {"output": {"voice": server.voice}}
        if server.instructions is not None:
            session["instructions"] = server.instructions
        await self._send("session.update", session=session)
        await self._next("session.updated")

    async def _send(self, type: str, **fields: Any) -> None:
        with suppress(ConnectionClosed):  # told when reading
            await self._connection.send(json.dumps({"type": type, "event_id": type, **fields}))

    async def _next(self, wanted: str) -> dict[str, Any]:
        """The next event of that type."""
        where, event = self._server.where, dict[str, Any]()
        try:
            async with asyncio.timeout(OPEN_S):
                while event.get("type") != wanted:
                    event = json.loads(await self._connection.recv())
                    if event["type"] == "error":
                        raise ConfigError(self._refusal(event["error"]))
        except TimeoutError:
            raise ConfigError(f"{where} lets in and says nothing, so it is no voicechat server: {START}") from None
        except ConnectionClosed as closed:
            raise ConfigError(f"{where} closed the connection at once ({closed}): see what it printed") from None
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{where} speaks another language, so it is no voicechat server: {START}") from None
        return event

    def _refusal(self, error: dict[str, Any]) -> str:
        message, where = str(error.get("message")), self._server.where
        if error.get("event_id") == "voicechat.played":
            return f"{where} does not understand run_local.py (no extras): update that server, or choose another"
        if error.get("code") == "invalid_api_key":
            return f"{where}: {message}, then give it as --token or in {TOKEN_VARIABLE}"
        return f"{where}: {message}"
