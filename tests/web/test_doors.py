"""Every route of the running application is named: open, or shut. The token guards all that is open but two."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from websockets.sync.client import connect

from tests.conftest import Served, start
from voicechat.chat import VoiceChat
from web.application import application
from web.doors import DOORS, SOCKETS, TOKEN_BYTES, Who, door_at
from web.guesses import FREE
from web.options import parse
from web.server import HANDSHAKE_S, HEADER_S, MAX_HEADER, PER_ADDRESS

# What is open, by the route that answers.
OPEN = {
    "/healthz", "/readyz", "/metrics", "/kiosk", "/token", "/clips", "/v1/audio/speech", "/favicon.ico", "/static",
    "/static/js", *SOCKETS,
    "/static/{path:path}",  # Gradio's, behind the folder of ours
    "/", "/theme.css", "/assets/{path:path}",  # of Gradio, what the page is made of
}  # fmt: skip
# Gradio's, which answer nobody. A newer Gradio that adds one fails the test until somebody has looked at it.
SHUT = {
    "/config", "/gradio_api/api/{api_name}", "/gradio_api/app_id", "/gradio_api/call/v2/{api_name}",
    "/gradio_api/call/v2/{api_name}/{event_id}", "/gradio_api/call/{api_name}",
    "/gradio_api/call/{api_name}/{event_id}", "/gradio_api/cancel", "/gradio_api/component_server",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/gradio_api/deep_link",
    "/gradio_api/dev/reload", "/gradio_api/file/{path:path}", "/gradio_api/file={path_or_url:path}",
    "/gradio_api/heartbeat/{session_hash}", "/gradio_api/info", "/gradio_api/login_check",
    "/gradio_api/openapi.json", "/gradio_api/process_recording", "/gradio_api/proxy={url_path:path}",
    "/gradio_api/queue/data", "/gradio_api/queue/join", "/gradio_api/queue/status", "/gradio_api/reset",
    "/gradio_api/run/{api_name}", "/gradio_api/runs", "/gradio_api/startup-events", "/gradio_api/stream/{event_id}",
    "/gradio_api/stream/{event_id}/close", "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}", "/gradio_api/theme.css",
    "/gradio_api/token", "/gradio_api/undo-vibe-edit", "/gradio_api/upload", "/gradio_api/upload_progress",
    "/gradio_api/user", "/gradio_api/vibe-code", "/gradio_api/vibe-edit", "/gradio_api/vibe-starter-queries",
    "/login", "/logout", "/manifest.json", "/monitoring", "/monitoring/summary", "/monitoring/{key}",
    "/openapi.json", "/pwa_icon", "/pwa_icon/{size}", "/robots.txt", "/svelte/{path:path}",
}  # fmt: skip
ASSET = re.compile(r"\./assets/[\w.-]+\.js")


@pytest.fixture(scope="module")
def guarded():
    """A server with a token."""
    served = start("--model", "echo", "--voice", "tone", "--token", "sesame", "--metrics-port", "0")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def open_():
    """A server without one."""
    served = start("--model", "echo", "--voice", "tone")
    yield served
    served.stop()


def ask(
    served: Served, method: str, path: str, body: bytes | str | None = None, source: str = "127.0.0.1", **headers: str
) -> HTTPResponse:
    """One request from the address `source`, with its answer's body as `text`."""
    line = HTTPConnection("127.0.0.1", served.port, timeout=20, source_address=(source, 0))
    line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = line.getresponse()
    answer.text = answer.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
    line.close()
    return answer


def routes(listed: list[BaseRoute], prefix: str = "") -> list[tuple[str, set[str]]]:
    """(path, methods) of every route, those of mounted applications too."""
    found: list[tuple[str, set[str]]] = []
    for route in listed:
        if isinstance(route, WebSocketRoute):
            found.append((prefix + route.path, {"WEBSOCKET"}))
        elif isinstance(route, Mount):
            inner = getattr(route.app, "routes", None)
            found += [(prefix + route.path, {"GET"})] if inner is None else routes(inner, prefix + route.path)
        elif isinstance(route, Route):
            found.append((prefix + route.path, set(route.methods or ())))
        elif hasattr(route, "original_router"):  # FastAPI's, of what it includes
            found += routes(route.original_router.routes, prefix + route.include_context.prefix)
        else:
            raise AssertionError(f"a kind of route that nobody has looked at: {route!r}")
    return found


@pytest.fixture(scope="module")
def walked() -> list[tuple[str, set[str]]]:
    options = parse(["--model", "echo", "--voice", "tone"], {})
    chat = VoiceChat(options.config("echo"))
    found = routes(application({"echo": chat}, options).routes)
    chat.close()
    return found


def test_every_route_is_in_one_list(walked):
    unknown = {path for path, _ in walked if path not in OPEN and path.rstrip("/") not in SHUT}
    assert not unknown, "routes that nobody has looked at: add them to SHUT, or open a door in web/doors.py"
    assert {path for path, _ in walked} >= OPEN


def test_what_is_shut_answers_404(walked, open_):
    """To every method, whatever is sent along."""
    shut = [(path, methods) for path, methods in walked if path not in OPEN]
    assert len(shut) > 60
    for path, methods in shut:
        example = re.sub(r"{[^}]*}", "x", path)
        for method in {*methods, "GET", "POST"}:
            answer = ask(open_, method, example, b"{}" if method == "POST" else None)
            assert answer.status == 404, f"{method} {example}"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/file=/etc/passwd", "/static/../server.py", "/static/%2e%2e/server.py",
        "/static/%2e%2e%2fserver.py", "/assets/..%2findex.html", "//", "//healthz", "/healthz/", "/HEALTHZ", "/static/",
        "/static/.hidden", "/assets/", "/kiosk/", "/gradio_api", "/gradio_api/", "/gradio_api/upload?x=/healthz",
        "/assets/a/b.js", "/docs", "/redoc", "/v1", "/v1/realtime/", "/%00", "/static/%00", "/healthz%0a", "/?x=/../..",
        "/themeXcss", "/faviconXico",
    ],
)  # fmt: skip
def test_no_path_leads_around_the_doors(open_, path):
    if path.startswith("/?"):
        assert ask(open_, "GET", path).status == 200
    else:
        assert ask(open_, "GET", path).status == 404


def test_an_upload_is_neither_taken_nor_kept(open_):
    """As a stranger's page would send it: of 60 MB no more than a little is read."""
    with socket.create_connection(("localhost", open_.port), timeout=20) as line:
        line.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 60000000\r\n\r\n"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 404")
        sent = 0
        with pytest.raises(OSError):  # the connection is closed, not read from for as long as it likes
            while sent < 60_000_000:
                sent += line.send(b"x" * 65_536)
    assert sent < 20_000_000


def test_the_page_comes_whole_and_its_deep_links_are_not_followed(open_):
    page = ask(open_, "GET", "/?deep_link=x&__theme=dark")
    assert page.status == 200 and "voicechat" in page.text
    assert ask(open_, "GET", ASSET.search(page.text)[0][1:]).status == 200
    assert ask(open_, "HEAD", "/").status == 200


def test_every_answer_has_the_safe_headers(open_):
    for path in ("/", "/kiosk", "/static/page.js", "/healthz", "/nowhere", "/theme.css"):
        headers = ask(open_, "GET", path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in headers


# ---- the token ----------------------------------------------------------------------------------


def test_the_token_guards_every_door_but_two(guarded):
    for n, path in enumerate((
        "/", "/kiosk", "/kiosk?push=1", "/theme.css", "/static/page.js", "/static/kiosk.html", "/static/token.html",
        "/static/js/iframeResizer.contentWindow.min.js", "/metrics", "/assets/Blocks.js",
    )):  # fmt: skip
        assert door_at(path.partition("?")[0]), path
        assert ask(guarded, "GET", path).status == 401, path
        wrong = ask(guarded, "GET", path, source=f"127.0.1.{n + 1}", Authorization="Bearer sesam")
        assert wrong.status == 401, path
    assert ask(guarded, "GET", "/healthz").status == 200
    assert ask(guarded, "GET", "/readyz").status == 200
    assert {door.path.pattern for door in DOORS if door.who is Who.ANYBODY} == {"/healthz", "/readyz", "/token"}


def test_programs_show_it_by_the_header(guarded):
    answer = ask(guarded, "GET", "/metrics", Authorization="Bearer sesame")
    assert answer.status == 200 and "voicechat_sessions" in answer.text
    with connect(guarded.wire, additional_headers={"Authorization": "Bearer sesame"}) as wire:
        assert "session.created" in wire.recv(10)


def sign_in(served: Served, token: str, page: str | None = None, source: str = "127.0.0.1", **headers: str):
    fields = {"token": token} if page is None else {"token": token, "page": page}
    headers = {"Content_Type": "application/x-www-form-urlencoded", **headers}
    return ask(served, "POST", "/token", urlencode(fields), source, **headers)


def test_a_browser_shows_it_once(guarded):
    """By the form, which leads back to the page that was asked for; then its cookie opens every door."""
    form = ask(guarded, "GET", "/kiosk?push=1&invite=a%20b")
    assert form.status == 401 and 'name="page" value="kiosk?push=1&amp;invite=a%20b"' in form.text
    assert "no-store" in form.headers["Cache-Control"]
    led = sign_in(guarded, " sesame ", "kiosk?push=1&invite=a%20b")
    assert (led.status, led.headers["Location"]) == (303, "./kiosk?push=1&invite=a%20b")
    cookie = led.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie and "Secure" not in cookie
    assert "sesame" not in cookie and "sesame" not in led.headers["Location"]
    shown = cookie.partition(";")[0]
    for path in ("/", "/kiosk", "/static/page.js", "/metrics", "/theme.css"):
        assert ask(guarded, "GET", path, Cookie=shown).status == 200, path
    assert ask(guarded, "GET", "/token", Cookie=shown).text == '{"known":true}'
    assert ask(guarded, "GET", "/token").text == '{"known":false}'
    with connect(guarded.wire, additional_headers={"Cookie": shown}) as wire:
        assert "session.created" in wire.recv(10)


def test_over_tls_the_cookie_stays_there(guarded):
    """A proxy has taken the TLS off: the page's origin tells."""
    answer = sign_in(guarded, "sesame", Origin=f"https://127.0.0.1:{guarded.port}")
    assert answer.status == 204 and "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "page", ["//evil.example", "https://evil.example", "\\evil", "static/x", "..", "kiosk\nX: y", "?é"]
)
def test_the_form_leads_nowhere_else(guarded, page):
    led = sign_in(guarded, "sesame", page)
    assert (led.status, led.headers["Location"]) == (303, "./")


def test_what_was_asked_for_is_only_shown_as_text(guarded):
    form = sign_in(guarded, "wrong", '"><script>alert(1)</script>', source="127.0.2.9")
    assert form.status == 401 and "<script>alert" not in form.text and "&lt;script&gt;alert" in form.text
    assert "This is not the token" in form.text


def test_guessing_is_slowed_by_address(guarded):
    """Whether by the form, the header or a sub-protocol; nobody else waits."""
    here = "127.0.3.1"
    for n in range(FREE):
        guess = {"Authorization": f"Bearer guess-{n}"}
        answer = (
            sign_in(guarded, f"guess-{n}", "", here) if n % 2 else ask(guarded, "GET", "/metrics", source=here, **guess)
        )
        assert answer.status == 401
    for answer in (
        sign_in(guarded, "sesame", "", here),
        sign_in(guarded, "sesame", None, here),
        ask(guarded, "GET", "/metrics", source=here, Authorization="Bearer sesame"),
    ):
        assert answer.status == 429 and answer.headers["Retry-After"] == "1"
        assert "too many wrong tokens" in answer.text.lower()
    with connect(
        guarded.wire, subprotocols=["realtime", "openai-insecure-api-key.sesame"], source_address=(here, 0)
    ) as wire:
        assert "too many wrong tokens" in wire.recv(10)
    assert sign_in(guarded, "sesame", None, "127.0.3.2").status == 204
    time.sleep(1.1)
    assert sign_in(guarded, "sesame", None, here).status == 204


def test_the_token_is_in_no_log(tmp_path):
    """Neither when it is right nor when it is nearly right; nor where the server says how the kiosk is opened."""
    log = tmp_path / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "web", "--model", "echo", "--voice", "tone", "--port", "0"]
        environment = {**os.environ, "VOICECHAT_TOKEN": "open-sesame", "VOICECHAT_DEBUG": "1"}
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    while (found := re.search(r":(\d+) - kiosk", log.read_text())) is None:
        time.sleep(0.1)
    served = Served(process, int(found[1]))
    for token in ("open-sesame", "open-sesam"):
        sign_in(served, token, "kiosk")
        ask(served, "GET", "/metrics", Authorization=f"Bearer {token}")
        ask(served, "GET", f"/kiosk?token={token}", Origin="null")
        ask(served, "GET", f"/{token}")
        with connect(served.wire, subprotocols=["realtime", f"openai-insecure-api-key.{token}"]) as wire:
            wire.recv(10)
    served.stop()
    assert "kiosk#token=..." in log.read_text() and "sesam" not in log.read_text()


def test_figures_have_a_port_of_their_own(guarded):
    """For this machine alone, without the token, and nothing else is there."""
    port = guarded.metrics_port
    figures = Served(guarded.process, port)
    assert "voicechat_sessions" in ask(figures, "GET", "/metrics").text
    for path in ("/", "/readyz", "/token", "/v1/realtime", "/static/page.js"):
        assert ask(figures, "GET", path).status == 404, path
    assert ask(figures, "GET", "/metrics", Host="rebound.example").status == 421
    with pytest.raises(Exception, match="403"), connect(f"ws://127.0.0.1:{port}/v1/realtime"):
        pass


# ---- other websites -----------------------------------------------------------------------------


def test_pages_of_other_websites_get_public_files_and_nothing_else(open_):
    evil = {"Origin": "https://evil.example"}
    for method, path in (
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("GET", "/token"),
        ("POST", "/token"),
        ("GET", "/healthz"),
    ):
        assert ask(open_, method, path, "token=x" if method == "POST" else None, **evil).status == 403, path
    for path in ("/", "/static/page.js", "/theme.css"):
        answer = ask(open_, "GET", path, **evil)
        assert answer.status == 200 and "Access-Control-Allow-Origin" not in answer.headers
    own = {"Origin": f"http://127.0.0.1:{open_.port}"}
    assert ask(open_, "POST", "/token", "token=x", **own).status == 204


def test_a_server_of_this_machine_goes_by_no_other_name(open_):
    """A website whose DNS points here could read what its pages fetch."""
    for host in ("evil.example", f"evil.example:{open_.port}", "127.0.0.1.evil.example", ""):
        assert ask(open_, "GET", "/metrics", Host=host).status == 421, host
    assert ask(open_, "GET", "/metrics", Host=f"localhost:{open_.port}").status == 200


def test_a_proxy_that_keeps_the_name_to_itself_is_told(serve, capfd):
    """A page learns by what it was refused, and the operator once for each website."""
    served = serve("--model", "echo", "--voice", "tone", "--host", "0.0.0.0")
    page = "https://talk.example"
    for _ in range(3):
        with pytest.raises(Exception, match="403"), connect(served.wire, origin=page):
            pass
    told = ask(served, "GET", f"/readyz?{urlencode({'origin': page})}")
    expected = f"http://127.0.0.1:{served.port}"
    assert f'"origin":{{"allowed":false,"expected":["{expected}","{expected.replace("http", "https")}"]}}' in told.text
    lines = [line for line in capfd.readouterr().err.splitlines() if page in line]
    assert len(lines) == 1 and "refused" in lines[0] and f"--origin {page}" in lines[0] and "localhost" in lines[0]


# ---- limits -------------------------------------------------------------------------------------


def test_a_body_is_as_long_as_its_door_allows(open_):
    assert ask(open_, "POST", "/token", "x" * (TOKEN_BYTES + 1)).status == 413
    assert ask(open_, "POST", "/token", iter([b"x" * 1000] * 5)).status == 413
    assert ask(open_, "POST", "/token", Content_Length="x").status in (400, 413)
    assert ask(open_, "GET", "/readyz", "a body").status == 413
    assert ask(open_, "GET", "/readyz", iter([b"x"])).status == 413


def test_headers_bodies_and_handshakes_are_neither_long_nor_slow(open_, serve):
    secure = serve("--model", "echo", "--voice", "tone", "--tls")
    with socket.create_connection(("127.0.0.1", open_.port), timeout=HEADER_S + 5) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with pytest.raises(OSError):
            for _ in range(10 * MAX_HEADER // 1000):
                line.sendall(b"X: " + b"x" * 1000 + b"\r\n")
                time.sleep(0.001)
            assert line.recv(100).startswith(b"HTTP/1.1 4")
            raise OSError
    slow, silent = (socket.create_connection(("127.0.0.1", open_.port), timeout=HEADER_S + 5) for _ in range(2))
    kept = socket.create_connection(("127.0.0.1", open_.port), timeout=HEADER_S + 5)
    kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert kept.recv(10_000)
    kept.sendall(b"GET /he")  # slowly, the second time
    body = socket.create_connection(("127.0.0.1", open_.port), timeout=HEADER_S + 5)
    body.sendall(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntok")
    greeting = socket.create_connection(("127.0.0.1", secure.port), timeout=HANDSHAKE_S + 5)
    greeting.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of TLS's
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < HEADER_S + 3:
            slow.sendall(b"X")
            kept.sendall(b"X")
            time.sleep(0.25)
    except OSError:
        pass
    assert HEADER_S - 1 < time.monotonic() - begin < HEADER_S + 2
    assert body.recv(100).startswith(b"HTTP/1.1 408")
    for line in (slow, silent, kept, body, greeting):
        with line:
            assert _gone(line)
    assert time.monotonic() - begin < max(HEADER_S, HANDSHAKE_S) + 3


def test_one_address_does_not_hold_every_connection(serve):
    """Another one is let in still."""
    served = serve("--model", "echo", "--voice", "tone", "--host", "0.0.0.0")
    here = _own_address()
    lines = [socket.create_connection((here, served.port), timeout=5) for _ in range(PER_ADDRESS)]
    time.sleep(0.5)
    with socket.create_connection((here, served.port), timeout=5) as crowded:
        assert crowded.recv(100).startswith(b"HTTP/1.1 503")
    assert ask(served, "GET", "/healthz").status == 200  # from 127.0.0.1
    for line in lines:
        line.close()
    time.sleep(0.5)
    with socket.create_connection((here, served.port), timeout=5) as again:
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert again.recv(100).startswith(b"HTTP/1.1 200")


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.connect(("192.0.2.1", 9))  # asks the routing table, no more
        except OSError:
            pytest.skip("this machine is in no network")
        return udp.getsockname()[0]


def _gone(line: socket.socket) -> bool:
    try:
        while line.recv(10_000):  # of the answer before
            pass
        return True
    except ConnectionError:
        return True
