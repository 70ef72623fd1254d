"""Recordings from strangers: whatever they hold, they are samples or one line, and nothing is left of the process."""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streaming import confined
from streaming.apart import Limits, decode
from streaming.audio import AudioChunk, AudioError
from streaming.files import read_audio, read_open
from tests.media import KINDS, encoded
from tests.streaming.test_files import NOISE, RATE, chirp, flac

DEFAULT = Limits()
linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at processes in /proc")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def open_files() -> int:
    return len(names(Path("/proc/self/fd")))


def children() -> set[int]:
    """Of this process, the dead that nobody has asked for among them."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No process, no descriptor, no temporary file."""
    if not Path("/proc/self/fd").exists():
        yield
        return
    before, files = children(), open_files()
    yield
    deadline = time.monotonic() + 5  # the event loop's own go a moment later; others' may go too
    while (children() - before or open_files() > files) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children() - before and open_files() <= files


async def refused(data: bytes | Path, *says: str, limits: Limits = DEFAULT) -> None:
    with pytest.raises(AudioError) as error:
        await decode(data, "a song.m4a", limits)
    message = str(error.value)
    assert "\n" not in message and message.startswith("a song.m4a ") and "/" not in message.split("`")[0], message
    assert any(words in message for words in says), message


@pytest.mark.parametrize("kind", ["phone.m4a", "browser.webm", "noindex.mp3", "browser.ogg"])
async def test_it_hears_what_read_audio_hears(tmp_path: Path, kind: str) -> None:
    path = encoded(tmp_path / kind, chirp())
    for data in (path, path.read_bytes()):
        audio, expected = await decode(data, kind), read_audio(path)
        assert audio.rate == expected.rate
        assert np.array_equal(audio.samples, expected.samples)


async def test_it_resamples_where_that_is_wanted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(), RATE)
    audio = await decode(tmp_path / "a.wav", "a.wav", Limits(rate=16_000))
    assert audio.rate == 16_000 and audio.seconds == pytest.approx(2.0)


async def test_errors_name_the_file_as_its_owner_does(tmp_path: Path) -> None:
    secret = tmp_path / "upload-7f3a"
    secret.write_bytes(b"<html>nothing to hear</html>")
    await refused(secret, "cannot be read as audio")
    await refused(tmp_path / "missing", "cannot be opened")
    await refused(b"", "is empty (0 bytes)")
    for name, shown in {"a\n\0\x1b[2Jb": "a [2Jb ", " ": "the recording ", "x" * 5_000: "x" * 100 + " "}.items():
        with pytest.raises(AudioError) as error:
            await decode(b"", name)
        assert str(error.value).startswith(shown)


async def test_an_hour_of_silence_and_a_wav_that_claims_4_gb(tmp_path: Path) -> None:
    for told in (3600 * 8_000, 0):
        path = flac(tmp_path / "silence.flac", 3600 * 8_000, told)
        await refused(path.read_bytes(), "at most 60 s can be heard", limits=Limits(seconds=60))
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    for size in (0xFFFFFFF0, 0x7FFFFFF0, 0x7FF00000):
        wav = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + fmt + b"data" + struct.pack("<I", size)
        try:
            assert (await decode(wav + bytes(32_000), "a.wav")).seconds == 1
        except AudioError as error:
            assert "is truncated" in str(error)


@linux
async def test_memory_processor_and_time_are_bounded(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48_000, 1, subtype="PCM_16") as file:
        for _ in range(10):
            file.write(np.zeros(48_000 * 59, np.int16))
    path = flac(tmp_path / "silence.flac", 10 * 3600 * 8_000, 10 * 3600 * 8_000)
    await refused(tmp_path / "long.wav", "it needed more than 300 MB of memory", limits=Limits(memory_mb=300))
    await refused(path, "more than 1 s of the processor", limits=Limits(seconds=1e6, cpu_s=1, memory_mb=4_000))
    await refused(path, "it took more than 0.05 s", limits=Limits(seconds=1e6, wall_s=0.05))


@linux
@pytest.mark.parametrize(("number", "says"), [(signal.SIGKILL, "was killed"), (signal.SIGSEGV, "(SIGSEGV)")])
async def test_a_decoder_that_dies(tmp_path: Path, number: signal.Signals, says: str) -> None:
    path = flac(tmp_path / "silence.flac", 10 * 3600 * 8_000, 10 * 3600 * 8_000)
    before = children()
    working = asyncio.create_task(refused(path, says, limits=Limits(seconds=1e6)))
    while not (started := children() - before):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    os.kill(started.pop(), number)
    await asyncio.wait_for(working, 5)


@linux
@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.02, 0.2, 0.5])
async def test_cancelled_it_kills_and_reaps(tmp_path: Path, after_s: float) -> None:
    path = flac(tmp_path / "silence.flac", 10 * 3600 * 8_000, 10 * 3600 * 8_000)
    before = children()
    working = asyncio.create_task(decode(path.read_bytes(), "a.flac", Limits(seconds=1e6)))
    await asyncio.sleep(after_s)
    working.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert time.monotonic() - began < 1
    assert children() == before


async def test_many_at_once(tmp_path: Path) -> None:
    files = [encoded(tmp_path / kind, chirp(1 + n / 4)) for n, kind in enumerate(list(KINDS)[:6])]
    heard = await asyncio.gather(*(decode(file, file.name) for file in files), refused(b"no sound", "cannot be read"))
    for n, audio in enumerate(heard[:-1]):
        assert isinstance(audio, AudioChunk) and audio.seconds == pytest.approx(1 + n / 4, abs=0.1)


def test_the_process_is_bound_before_it_reads(tmp_path: Path) -> None:
    """What a decoder that had been taken over could do: nothing is opened, written or started."""
    attempts = f"""if True:
        import os, socket, subprocess
        from streaming.confined import bind
        bind({{"cpu_s": 5, "memory_mb": 1_000}})
        for attempt in (
            lambda: open("/etc/passwd"),
            lambda: open({str(tmp_path / "new")!r}, "w").write("x"),
            socket.socket,
            lambda: bytearray(2_000_000_000),
            os.pipe,
        ):
            try:
                attempt()
            except (OSError, MemoryError):
                continue
            print("something could be done")"""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", attempts], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_a_system_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no module `resource`: nothing is bound, and nothing is wrong."""
    monkeypatch.setitem(sys.modules, "resource", None)
    importlib.reload(confined).bind({"cpu_s": 0, "memory_mb": 0})


async def test_a_system_without_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = encoded(tmp_path / "phone.m4a", chirp())
    assert (await decode(path.read_bytes(), "phone.m4a")).seconds == pytest.approx(2.0, abs=0.1)
    assert names(tmp_path) == [path.name]


def mutated(data: bytes, seed: int) -> bytes:
    """Bits turned over, bytes set, pieces cut out, doubled, or moved: mostly in the headers."""
    rng, broken = random.Random(seed), bytearray(data)
    for _ in range(rng.choice((1, 3, 10, 100))):
        reach = min(len(broken), rng.choice((64, 400, len(broken))))
        at = rng.randrange(max(1, reach))
        match rng.randrange(5):
            case 0:
                broken[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                broken[at : at + 4] = rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01"))
            case 2:
                del broken[at : at + rng.randrange(1, 200)]
            case 3:
                broken[at:at] = broken[at : at + rng.randrange(1, 200)]
            case 4:
                del broken[max(1, at) :]
        if not broken:
            break
    return bytes(broken)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("media")
    files = {kind: encoded(folder / kind, NOISE[:RATE]).read_bytes() for kind in KINDS}
    for name in ("a.wav", "a.flac", "a.ogg", "a.aiff"):
        soundfile.write(folder / name, NOISE[:RATE], RATE)
        files[name] = (folder / name).read_bytes()
    return files


@pytest.mark.parametrize("kind", [*KINDS, "a.wav", "a.flac", "a.ogg", "a.aiff"])
def test_broken_containers_are_samples_or_one_line(whole: dict[str, bytes], kind: str, tmp_path: Path) -> None:
    """In one process for all of them, which ends if a decoder crashes: hundreds of starts would take minutes."""
    rounds = int(os.environ.get("FUZZ_ROUNDS", "40"))
    program = """if True:
        import pathlib, sys, time
        import numpy as np
        from streaming.audio import AudioError
        from streaming.files import read_audio
        for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
            began = time.monotonic()
            try:
                audio = read_audio(path, 60)
                assert 0 < audio.seconds <= 60 and np.isfinite(audio.samples).all() and abs(audio.samples).max() <= 1
            except AudioError as error:
                assert "\\n" not in str(error) and str(path) in str(error), error
            except Exception as error:
                raise RuntimeError(path) from error
            assert time.monotonic() - began < 10, path"""
    for seed in range(rounds):
        (tmp_path / f"{seed:05}").write_bytes(mutated(whole[kind], seed))
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


async def test_broken_containers_apart(whole: dict[str, bytes]) -> None:
    rng = random.Random(0)
    for seed in range(20):
        kind = rng.choice(sorted(whole))
        try:
            audio = await decode(mutated(whole[kind], 1_000 + seed), kind, Limits(seconds=60, wall_s=20))
            assert 0 < audio.seconds <= 60
        except AudioError as error:
            assert str(error).startswith(kind) and "\n" not in str(error)


def test_only_what_decoding_needs_is_loaded() -> None:
    """The process starts for every recording: torch alone would take seconds."""
    code = "import sys; import streaming.files; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnxruntime", "transformers", "livekit", "pydantic"} & set(loaded)


def test_read_open_takes_what_is_in_memory(whole: dict[str, bytes]) -> None:
    import io

    assert read_open(io.BytesIO(whole["phone.m4a"]), "a").seconds == pytest.approx(1.0, abs=0.1)
    assert read_open(io.BytesIO(whole["a.flac"]), "a").seconds == 1.0
