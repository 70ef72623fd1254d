"""Bytes over HTTP into a file: resumed where they were cut off, never more than promised, over https to the end."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from voicechat.parts.manifest import Hub

if TYPE_CHECKING:
    import httpx

CONNECT_S, READ_S = 15.0, 30.0  # without an answer, without a byte
TRIES = 4  # in all, as long as each brings something

Progress = Callable[[str, int, int], None]
"""Told of the file, the bytes that are there, and how many there will be (0: not known)."""


class Unavailable(Exception):
    """This source does not have it, now; the message is why, without the passwords of its addresses."""

    def __init__(self, why: str) -> None:
        super().__init__(re.sub(r"(?<=//)[^/\s@]*@", "", why))


def hub_url(source: Hub) -> str:
    """Raises Unavailable where the hub is not to be asked."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise Unavailable("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT")
    return source.url.replace("https://huggingface.co", endpoint.rstrip("/")) if endpoint else source.url


def download(url: str, to: Path, size: int | None, largest: int, progress: Progress) -> None:
    """The bytes behind `url` in the file `to`, which may hold the first of them already.

    `size` is what they must come to, `largest` what they may, where that is not known. Raises Unavailable; OSError for
    a disk that does not take them.
    """
    import httpx

    def stays_https(request: httpx.Request) -> None:
        if url.startswith("https:") and request.url.scheme != "https":
            raise Unavailable(f"{url} leads to {request.url}, which is not https")

    limits = httpx.Timeout(READ_S, connect=CONNECT_S)
    hooks = {"request": [stays_https]}
    why = f"{url} gives nothing"
    with httpx.Client(timeout=limits, follow_redirects=True, event_hooks=hooks) as client:
        for _ in range(TRIES):
            before = _size(to)
            if size is not None and before >= size:
                return
            try:
                _go_on(client, url, to, before, size or largest, size or 0, progress)
                if before and not to.exists():
                    continue
                if size is None or _size(to) == size:
                    return
                why = f"{url} broke off after {_size(to)} of {size} bytes"
            except httpx.HTTPStatusError as error:
                raise Unavailable(f"{url} answers {error.response.status_code}") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = f"{url} cannot be reached ({error or type(error).__name__})"
            if _size(to) == before:
                break
    raise Unavailable(why)


def _go_on(client: httpx.Client, url: str, to: Path, before: int, largest: int, total: int, progress: Progress) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={before}-"} if before else {})
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code == 416 and before:  # there is no such rest: what is here is not its beginning
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


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
