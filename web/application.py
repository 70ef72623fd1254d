"""The application: what is at each door."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from voicechat.chat import VoiceChat
from web import signin
from web.admission import Admission
from web.clips import Clips
from web.connection import Limits, admit
from web.gate import Gate
from web.metrics import Metrics
from web.options import Options
from web.speech import Speech

STATIC = Path(__file__).parent / "static"


def application(chats: dict[str, VoiceChat], options: Options, metrics_port: int | None = None) -> FastAPI:
    """Everything behind one port. `chats` are the models by name, the first being the default."""
    metrics, leaving, admission, clips = Metrics(), asyncio.Event(), Admission.of(options), Clips()
    speech = Speech(next(iter(chats.values())))
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
    async def readyz(request: Request) -> JSONResponse:
        """A new conversation would be let in; with `?origin=`, whether one of a page from there would be."""
        seats = admission.seats
        told: dict[str, Any] = {"models": list(chats), "seats": seats.seats, "free": seats.free}
        status = "stopping" if leaving.is_set() else "ready" if seats.free else "full"
        if (origin := request.query_params.get("origin")) is not None:
            told["origin"] = admission.origins.judge(origin, request.headers.get("host"), request.url.scheme == "https")
        return JSONResponse({"status": status, **told}, 200 if status == "ready" else 503)

    @app.get("/token")
    async def signed_in(request: Request) -> JSONResponse:
        """Whether this browser has shown the token."""
        return JSONResponse({"known": admission.token.knows(request.cookies)})

    @app.post("/token")
    async def token(request: Request) -> Response:
        return await signin.sign_in(request, admission.token, metrics)

    @app.get("/metrics")
    async def exposition() -> Response:
        body, kind = metrics.exposition()
        return Response(body, headers={"Content-Type": kind})

    @app.get("/kiosk")
    async def kiosk(request: Request) -> Response:
        if options.kiosk and not request.url.query:
            return Response(status_code=307, headers={"Location": f"/kiosk?{options.kiosk}"})
        return FileResponse(STATIC / "kiosk.html", headers={"Cache-Control": "no-cache"})

    @app.post("/clips")
    async def clip(request: Request) -> Response:
        return await clips.take(request)

    @app.post("/v1/audio/speech")
    async def speak(request: Request) -> Response:
        return await speech.take(request)

    @app.get("/favicon.ico")
    async def icon() -> Response:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    mimetypes.add_type("text/javascript", ".js")  # whatever the machine's own table says
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _mount_page(app, chats)
    app.add_middleware(
        Gate, admission=admission, metrics=metrics, metrics_port=metrics_port, drop=lambda it: app.state.drop(it)
    )  # fmt: skip
    return app


def _mount_page(app: FastAPI, chats: dict[str, VoiceChat]) -> None:
    """Last: it takes every path that is left."""
    from web.page import mount

    first = next(iter(chats.values()))
    mount(app, list(chats), replace(first.config, voice=first.voice.name))  # by name, and not where its files lie
