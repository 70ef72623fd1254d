"""Bytes over HTTP into a file: resumed where they were cut off, never more than were promised, checked at the end."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from voicechat.parts.manifest import Hub, Wheel

CONNECT_S, READ_S = 15.0, 30.0  # without an answer, without a byte
TRIES = 4  # in all, as long as each brings something
JSON = "application/vnd.pypi.simple.v1+json"

Progress = Callable[[str, int, int], None]
"""Told of the file, the bytes that are there, and how many there will be (0: not known)."""


class Unavailable(Exception):
    """This source does not have it, now; the message is why."""


def index() -> str:
    """Of Python packages."""
    return os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_INDEX_URL") or "https://pypi.org/simple"


def hub_url(source: Hub) -> str:
    """Raises Unavailable where the hub is not to be asked."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise Unavailable("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT")
    return source.url.replace("https://huggingface.co", endpoint.rstrip("/")) if endpoint else source.url


def wheel_url(wheel: Wheel) -> str:
    """Where the index says that a wheel lies. Raises Unavailable."""
    import httpx

    page = f"{index().rstrip('/')}/{wheel.project}/"
    try:
        answer = httpx.get(page, headers={"Accept": f"{JSON}, text/html;q=0.5"}, timeout=READ_S, follow_redirects=True)
        answer.raise_for_status()
        if answer.headers.get("content-type", "").startswith(JSON):
            links = {str(file["filename"]): str(file["url"]) for file in answer.json()["files"]}
        else:
            found = re.findall(r'href="([^"#]+)[^"]*"[^>]*>\s*([^<\s]+)\s*<', answer.text)
            links = {name: url for url, name in found}
    except httpx.HTTPStatusError as error:
        raise Unavailable(f"{page} answers {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"{page} cannot be read ({error or type(error).__name__})") from None
    if wheel.file not in links:
        raise Unavailable(f"{page} has no {wheel.file}")
    return urljoin(str(answer.url), links[wheel.file])


def download(url: str, to: Path, size: int | None, largest: int, progress: Progress) -> None:
    """The bytes behind `url` in the file `to`, which may hold the first of them already.

    `size` is what they must come to, `largest` what they may, where that is not known. Raises Unavailable; OSError for
    a disk that does not take them.
    """
    import httpx

    limits = httpx.Timeout(READ_S, connect=CONNECT_S)
    with httpx.Client(timeout=limits, follow_redirects=True) as client:
        for left in reversed(range(TRIES)):
            before = to.stat().st_size if to.exists() else 0
            if size is not None and before >= size:
                return
            try:
                _go_on(client, url, to, before, size or largest, size or 0, progress)
                if size is None or to.stat().st_size == size:
                    return
                why = f"{url} broke off after {to.stat().st_size} of {size} bytes"
            except httpx.HTTPStatusError as error:
                raise Unavailable(f"{url} answers {error.response.status_code}") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = f"{url} cannot be reached ({error or type(error).__name__})"
            if not left or not to.exists() or to.stat().st_size == before:
                raise Unavailable(why)


def _go_on(client: object, url: str, to: Path, before: int, largest: int, total: int, progress: Progress) -> None:
    import httpx

    assert isinstance(client, httpx.Client)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={before}-"} if before else {})
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416:  # there is no such rest: what is here is not its beginning
            to.unlink()
            return
        answer.raise_for_status()
        resumed = answer.headers.get("content-range", "").startswith(f"bytes {before}-")
        done = before if answer.status_code == 206 and resumed else 0
        with to.open("ab" if done else "wb") as file:
            for block in answer.iter_raw():
                done += len(block)
                if done > largest:
                    file.close()
                    to.unlink()
                    raise Unavailable(f"{url} gives more than the {largest} bytes that it should")
                file.write(block)
                progress(to.name.removesuffix(".part"), done, total)


def sum_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
