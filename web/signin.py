"""Signing in: the form that asks a person for the token once, and the cookie by which the browser is known after."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from web.metrics import Metrics
from web.seats import NotLetIn
from web.token import Guessing, Token

FORM = Path(__file__).parent / "static" / "token.html"
REMEMBERED_S = 400 * 86_400  # the longest that browsers keep a cookie
PAGES = re.compile(r"(kiosk)?(\?[\w.~%&=+!*'(),;:@/|-]*)?", re.ASCII)  # where a form may lead, from the top


async def sign_in(request: Request, token: Token, metrics: Metrics) -> Response:
    """`POST /token`: with the right one the browser is given the cookie.

    From the form it is led on to the page that it asked for; a script, which names no page, gets 204.
    """
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    given, page = fields.get("token", [""])[0].strip(), fields.get("page", [None])[0]
    try:
        token.try_(request.client.host if request.client else "", [given] if given else [])
    except NotLetIn as refused:
        metrics.refused(refused.code)
        return refusal(refused) if page is None else _form(page, _told(refused), refused)
    response = Response(status_code=204)
    if page is not None:
        response = Response(status_code=303, headers={"Location": f"./{page if PAGES.fullmatch(page) else ''}"})
    if token.secret is not None:
        name, value = token.cookie
        over_tls = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
        response.set_cookie(
            name, value, max_age=REMEMBERED_S, secure=over_tls, httponly=True, samesite="strict"
        )  # fmt: skip
    return response


def form(url: URL) -> Response:
    """The form, in the place of the page at `url`."""
    page = url.path.rpartition("/")[2] + (f"?{url.query}" if url.query else "")
    return _form(page, "", None)


def refusal(refused: NotLetIn) -> Response:
    """For scripts and programs: one line."""
    return PlainTextResponse(f"{refused}\n", _status(refused), _headers(refused))


def _form(page: str, told: str, refused: NotLetIn | None) -> Response:
    html = FORM.read_text(encoding="utf-8").replace("{told}", escape(told)).replace("{page}", escape(page))
    return HTMLResponse(html, _status(refused), _headers(refused))


def _told(refused: NotLetIn) -> str:
    if isinstance(refused, Guessing):
        return f"Too many wrong tokens came from your address. Wait {refused.wait_s} seconds, then try again."
    return "This is not the token. Check it, and try again."


def _status(refused: NotLetIn | None) -> int:
    return 429 if isinstance(refused, Guessing) else 401


def _headers(refused: NotLetIn | None) -> dict[str, str]:
    wait = {"Retry-After": str(refused.wait_s)} if isinstance(refused, Guessing) else {"WWW-Authenticate": "Bearer"}
    return {**wait, "Cache-Control": "no-store"}
