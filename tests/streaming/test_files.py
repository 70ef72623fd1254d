"""Files as phones, browsers and other programs leave them; what is wrong with one is told in a line."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streaming.audio import AudioError
from streaming.files import read_audio
from tests.media import KINDS, encoded

RATE = 48_000
NOISE = np.random.default_rng(1).uniform(-0.3, 0.3, 5 * RATE).astype(np.float32)


def chirp(seconds: float = 2.0) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * (200 + 400 * at) * at)).astype(np.float32)


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    """The best correlation over all shifts, 0 to 1."""
    size = 1 << (len(heard) + len(said)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    return float(np.abs(product).max() / (np.linalg.norm(heard) * np.linalg.norm(said)))


def refused(path: Path, *says: str, limit_s: float = 600.0) -> None:
    with pytest.raises(AudioError) as error:
        read_audio(path, limit_s)
    message = str(error.value)
    assert "\n" not in message and str(path) in message
    for words in says:
        assert re.search(words, message), message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_phones_and_browsers_record(tmp_path: Path, kind: str, channels: int) -> None:
    path = encoded(tmp_path / kind, np.stack([chirp()] * channels, axis=1))
    audio = read_audio(path)
    assert audio.rate == RATE
    assert audio.seconds == pytest.approx(2.0, abs=0.1)
    assert likeness(audio.samples, chirp()) > 0.98


@pytest.mark.parametrize("kind", ["phone.m4a", "browser.webm", "browser.ogg", "noindex.mp3"])
def test_the_content_decides_not_the_name(tmp_path: Path, kind: str) -> None:
    path = encoded(tmp_path / "recording.wav", chirp(), kind=kind)
    assert read_audio(path).seconds == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("codec", [{"b": "64000"}, {"b": "0", "global_quality": "600", "flags": "+qscale"}])
@pytest.mark.parametrize("sound", [chirp(2.25), np.concatenate([NOISE, 0 * NOISE, NOISE])])
def test_an_mp3_without_an_index_is_heard_whole(tmp_path: Path, codec: dict[str, str], sound: np.ndarray) -> None:
    path = encoded(tmp_path / "noindex.mp3", sound, codec=codec)
    assert read_audio(path).seconds == pytest.approx(len(sound) / RATE, abs=0.1)


def test_what_libsndfile_thinks_of_an_mp3_is_no_reason_to_refuse_it(tmp_path: Path) -> None:
    """By its first frames, which are small, it would be far longer than it is."""
    sound = np.concatenate([np.zeros(RATE), *[NOISE] * 3]).astype(np.float32)
    path = encoded(tmp_path / "noindex.mp3", sound, codec={"b": "0", "global_quality": "10", "flags": "+qscale"})
    assert soundfile.info(path).duration > 20
    assert read_audio(path, limit_s=16.5).seconds == pytest.approx(16, abs=0.1)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_long_ogg_keeps_its_place(tmp_path: Path, subtype: str) -> None:
    """Longer than what is decoded in one step."""
    soundfile.write(tmp_path / "a.ogg", chirp(8.0), RATE, subtype=subtype)
    assert likeness(read_audio(tmp_path / "a.ogg").samples, chirp(8.0)) > 0.98


def test_the_sound_of_a_video(tmp_path: Path) -> None:
    path = encoded(tmp_path / "film.mp4", chirp(), kind="phone.m4a", video=False)
    assert read_audio(path).seconds == pytest.approx(2.0, abs=0.1)
    path = encoded(tmp_path / "film.mp4", chirp(), kind="fragments.mp4", video=True)
    assert likeness(read_audio(path).samples, chirp()) > 0.98


def test_a_video_without_sound(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "silent.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))
    refused(tmp_path / "silent.mp4", "holds no sound: give")


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("kind", ["faststart.m4a", "fragments.mp4", "browser.webm", "index.mp3", "plain.mka"])
def test_a_file_that_says_how_long_it_is_and_is_not(tmp_path: Path, kind: str) -> None:
    refused(cut(encoded(tmp_path / kind, NOISE), 0.6), "is truncated: its header promises")


@pytest.mark.parametrize("kind", ["radio.aac", "live.webm", "noindex.mp3", "browser.ogg"])
def test_a_file_that_does_not_say_how_long_it_is_is_heard_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    audio = read_audio(cut(encoded(tmp_path / kind, np.tile(NOISE, 4)), 0.6))
    assert 5 < audio.seconds < 15


def test_an_m4a_whose_end_is_missing_is_no_audio(tmp_path: Path) -> None:
    refused(cut(encoded(tmp_path / "phone.m4a", NOISE), 0.9), "cannot be read as audio", "give a WAV, .* M4A or WebM")


def test_a_damaged_file(tmp_path: Path) -> None:
    path = encoded(tmp_path / "radio.aac", NOISE)
    data = bytearray(path.read_bytes())
    for at in range(2_000, len(data) - 9, 300):
        data[at : at + 9] = bytes(9)
    path.write_bytes(data)
    refused(path, "is damaged, .* cannot be decoded: copy or record it again|cannot be read as audio")


@pytest.mark.parametrize("kind", KINDS)
def test_too_long_is_told_with_name_and_limit(tmp_path: Path, kind: str) -> None:
    path = encoded(tmp_path / kind, np.tile(NOISE, 2))
    refused(path, r"holds (more than 5|10) s; at most 5 s can be heard: cut it", limit_s=5)


def flac(path: Path, frames: int, told: int) -> Path:
    """An hour of silence in some kB, whose header says what it is told to."""
    with soundfile.SoundFile(path, "w", 8_000, 1, format="FLAC") as file:
        for _ in range(0, frames, 480_000):
            file.write(np.zeros(480_000, np.int16))
    data = bytearray(path.read_bytes())
    data[21:26] = struct.pack(">Q", (int.from_bytes(data[18:26], "big") & ~0xFFFFFFFFF) | told)[3:]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("told", [3600 * 8_000, 0, 8_000])
def test_an_hour_of_silence_in_a_tiny_file(tmp_path: Path, told: int) -> None:
    """Whatever the header says, decoding stops where too much has come."""
    path = flac(tmp_path / "silence.flac", 3600 * 8_000, told)
    assert path.stat().st_size < 200_000
    if told == 8_000:  # libsndfile gives as much as the header promises, and no more
        assert read_audio(path, limit_s=60).seconds == 1
    else:
        refused(path, "holds (more than 60 s|60 min); at most 60 s", limit_s=60)


def test_a_flac_whose_writer_did_not_know_its_length(tmp_path: Path) -> None:
    assert read_audio(flac(tmp_path / "a.flac", 960_000, 0)).seconds == 120


def test_a_truncated_flac_is_refused_still(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", NOISE, RATE)
    refused(cut(tmp_path / "a.flac", 0.5), "is truncated|cannot be read as audio")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    other = encoded(tmp_path / "radio.aac", chirp())
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(text)
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile {other}\n")
    refused(tmp_path / "list.m3u8", "cannot be read as audio")
    refused(tmp_path / "list.txt", "cannot be read as audio")


def test_more_channels_than_anybody_has(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 65)), RATE)
    refused(tmp_path / "a.wav", "has 65 channels; at most 64 can be heard: mix it down")
