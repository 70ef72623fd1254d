"""The server: its routes, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import mimetypes
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from voicechat.chat import VoiceChat
from web.admission import Admission
from web.connection import Limits, admit
from web.metrics import Metrics
from web.options import Options, is_loopback

STATIC = Path(__file__).parent / "static"
MAX_FRAME = 24 * 2**20  # bytes; the sound in one is limited further
PING_S = 20.0

# The page and the kiosk work with the cable pulled: a browser is told to fetch nothing from elsewhere.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' ws: wss: blob: data:",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
    )
)


def application(chats: dict[str, VoiceChat], options: Options) -> FastAPI:
    """Everything behind one port. `chats` are the models by name, the first being the default."""
    metrics, leaving = Metrics(), asyncio.Event()
    local = is_loopback(options.host)
    admission = Admission(options.seats, options.per_address, options.origins, options.token, local)
    limits = Limits(options.max_session_min * 60, options.idle_min * 60)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None, None]:
        watching = asyncio.create_task(metrics.watch_loop())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    app = FastAPI(title="voicechat", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.leaving = leaving
    app.state.drop = lambda _: None  # the server knows the connections

    @app.websocket("/v1/realtime")
    @app.websocket("/realtime")
    async def realtime(socket: WebSocket) -> None:
        await admit(socket, admission, chats, limits, metrics, leaving, app.state.drop)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """The process lives."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """A new conversation would be let in."""
        told = {"models": list(chats), "seats": admission.seats, "free": admission.free}
        status = "stopping" if leaving.is_set() else "ready" if admission.free else "full"
        return JSONResponse({"status": status, **told}, 200 if status == "ready" else 503)

    @app.get("/metrics")
    async def exposition() -> Response:
        body, kind = metrics.exposition()
        return Response(body, headers={"Content-Type": kind})

    @app.get("/kiosk")
    async def kiosk(request: Request) -> Response:
        if options.kiosk and not request.url.query:
            return Response(status_code=307, headers={"Location": f"/kiosk?{options.kiosk}"})
        return FileResponse(STATIC / "kiosk.html", headers={"Cache-Control": "no-cache"})

    @app.middleware("http")
    async def policy(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await go_on(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Permissions-Policy"] = "microphone=(self)"
        if request.url.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-cache"  # a new version is taken at once
        return response

    mimetypes.add_type("text/javascript", ".js")  # whatever the machine's own table says
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _mount_page(app, chats)
    return app


def _mount_page(app: FastAPI, chats: dict[str, VoiceChat]) -> None:
    """Last: it takes every path that is left."""
    from web.page import mount

    mount(app, list(chats), next(iter(chats.values())).config)


class Server(uvicorn.Server):
    """uvicorn, which says goodbye before it closes connections."""

    def drop(self, socket: WebSocket) -> None:
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None and socket.client == getattr(connection, "client", None):
                transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.leaving.set()
        while any("websocket" in type(c).__name__.lower() for c in self.server_state.connections):
            if self.force_exit:
                break
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def serve(app: FastAPI, options: Options, listening: socket.socket, certificate: Path | None, key: Path | None) -> None:
    """Until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        proxy_headers=False,
        server_header=False,
    )
    server = Server(config)
    app.state.drop = server.drop
    server.run(sockets=[listening])
