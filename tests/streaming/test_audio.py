from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio import RATE, AudioChunk, AudioError, Blocks, Resampler, chunks
from streaming.files import read_audio


def tone(rate: int, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(n).uniform(-0.9, 0.9, n).astype(np.float32)


def cut(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """`samples` in pieces of these sizes, over and over, up to the end."""
    pieces, at, turn = [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        pieces.append(samples[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


sizes = st.lists(st.integers(0, 3000), min_size=1, max_size=8).filter(any)


class TestResampler:
    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]), st.integers(0, 9000), sizes)
    def test_chunking_changes_nothing(self, rate: int, n: int, sizes: list[int]) -> None:
        samples = noise(n)
        resampler = Resampler(rate)
        got = np.concatenate([*map(resampler.push, cut(samples, sizes)), resampler.flush()])
        expected = np.concatenate([resampler.push(samples), resampler.flush()])
        assert got.dtype == np.float32
        assert abs(len(got) - n * RATE / rate) <= 1
        np.testing.assert_allclose(got, expected, atol=1e-6)

    @pytest.mark.parametrize("rate", [4_000, 8_000, 22_050, 24_000, 44_100, 44_101, 48_000, 192_000])
    @pytest.mark.parametrize("share", [0.01, 0.5, 0.94])  # of the band that both rates can carry
    def test_what_both_rates_can_carry_passes_whole_and_in_time(self, rate: int, share: float) -> None:
        hz = share * min(rate, RATE) / 2
        resampler = Resampler(rate)
        got = np.concatenate([resampler.push(tone(rate, hz=hz)), resampler.flush()])
        np.testing.assert_allclose(got[200:-200], tone(RATE, hz=hz)[200:-200], atol=1e-3)

    @pytest.mark.parametrize("rate", [24_000, 44_100, 48_000, 192_000])
    @pytest.mark.parametrize("hz", [8_500.0, 10_000.0, 11_900.0])
    def test_what_16_khz_cannot_carry_is_taken_off(self, rate: int, hz: float) -> None:
        resampler = Resampler(rate)
        got = np.concatenate([resampler.push(tone(rate, hz=hz)), resampler.flush()])
        assert np.abs(got[200:-200]).max() < 2e-4  # of 0.5: 68 dB

    def test_16_khz_passes_untouched_and_at_once(self) -> None:
        resampler = Resampler(RATE)
        samples = noise(777)
        got = resampler.push(samples)
        assert np.array_equal(got, samples)
        assert not np.shares_memory(got, samples)  # the driver may reuse its buffer
        assert len(resampler.flush()) == 0

    @pytest.mark.parametrize(
        ("rate", "late_s"), [(8_000, 0.0056), (24_000, 0.0028), (44_100, 0.0028), (48_000, 0.0028), (192_000, 0.0028)]
    )
    @pytest.mark.parametrize("chunk_s", [0.01, 0.02])
    def test_the_delay_is_short(self, rate: int, late_s: float, chunk_s: float) -> None:
        resampler = Resampler(rate)
        got = 0
        for pushed in range(1, 101):
            got += len(resampler.push(tone(rate, chunk_s)))
            assert pushed * chunk_s - got / RATE <= late_s

    @pytest.mark.parametrize("rate", [RATE, 48_000])
    def test_int16_and_channels_are_understood(self, rate: int) -> None:
        samples = tone(rate)
        left_only = np.stack([samples, np.zeros_like(samples)], axis=1)
        for given_, gain in [
            (np.round(samples * 32_768).astype(np.int16), 1.0),
            (np.round(left_only * 32_768).astype(np.int16), 0.5),
            (left_only, 0.5),
            (samples.astype(np.float64), 1.0),
        ]:
            resampler, same = Resampler(rate), Resampler(rate)
            got = np.concatenate([resampler.push(given_), resampler.flush()])
            expected = np.concatenate([same.push(samples * np.float32(gain)), same.flush()])
            np.testing.assert_allclose(got, expected, atol=1e-4)

    @pytest.mark.parametrize("rate", [RATE, 48_000])
    def test_after_a_flush_a_new_stream_may_begin(self, rate: int) -> None:
        resampler = Resampler(rate)
        assert len(resampler.flush()) == 0
        first = np.concatenate([resampler.push(tone(rate)), resampler.flush()])
        again = np.concatenate([resampler.push(tone(rate)), resampler.flush()])
        assert np.array_equal(first, again)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("rate", [RATE, 48_000])
    def test_nan_is_refused_where_it_is_and_the_stream_goes_on(self, rate: int, bad: float) -> None:
        resampler, clean = Resampler(rate), Resampler(rate)
        broken = tone(rate, 0.5)
        broken[rate // 4] = bad
        first, second = resampler.push(tone(rate)), clean.push(tone(rate))
        with pytest.raises(AudioError, match=r"at 0\.750 s"):
            resampler.push(broken)
        assert np.array_equal(first, second)
        assert np.array_equal(resampler.push(tone(rate)), clean.push(tone(rate)))

    @pytest.mark.parametrize("rate", [0, -1, 3_999, 192_001])
    def test_an_impossible_rate_is_refused(self, rate: int) -> None:
        with pytest.raises(AudioError, match="resample it"):
            Resampler(rate)

    @pytest.mark.parametrize(
        "samples", [np.zeros(9, np.int32), np.zeros((2, 3, 4), np.float32), np.zeros((3, 0), np.float32)]
    )
    def test_other_arrays_are_refused(self, samples: np.ndarray) -> None:
        with pytest.raises(AudioError, match="not understood: give"):
            Resampler(48_000).push(samples)


class TestBlocks:
    @given(st.integers(1, 700), st.integers(0, 5000), sizes)
    def test_nothing_is_lost_or_moved(self, size: int, n: int, sizes: list[int]) -> None:
        samples = noise(n)
        blocks = Blocks(size)
        got = [block for piece in cut(samples, sizes) for block in blocks.push(piece)]
        assert all(len(block) == size for block in got)
        assert len(got) == n // size
        assert np.array_equal(np.concatenate([*got, blocks.rest]), samples)

    def test_a_block_without_size_is_refused(self) -> None:
        with pytest.raises(AudioError, match="1 or more"):
            Blocks(0)


class TestChunks:
    @given(st.integers(0, 5000), st.floats(0.001, 0.5))
    def test_they_are_the_audio_in_order(self, n: int, seconds: float) -> None:
        audio = AudioChunk(noise(n), 8_000, 2.0)
        got = list(chunks(audio, seconds))
        assert np.array_equal(np.concatenate([np.zeros(0), *(c.samples for c in got)]), audio.samples)
        at_s = 2.0
        for chunk in got:
            assert chunk.start_s == pytest.approx(at_s)
            assert chunk.rate == 8_000
            at_s = chunk.end_s
        assert at_s == pytest.approx(audio.end_s)

    def test_a_chunk_without_length_is_refused(self) -> None:
        with pytest.raises(AudioError, match="positive"):
            next(chunks(AudioChunk(noise(9), RATE, 0.0), 0.0))


def wav(data: bytes, size: int | None = None, riff_size: int | None = None) -> bytes:
    """A mono 16-bit WAV at 16 kHz whose header says what it is told to."""
    size = len(data) if size is None else size
    riff_size = min(36 + size, 0xFFFFFFFF) if riff_size is None else riff_size
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", riff_size) + b"WAVEfmt " + fmt + b"data" + struct.pack("<I", size) + data


PCM = np.round(tone(RATE) * 32_767).astype("<i2").tobytes()


class TestReadAudio:
    @pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
    @pytest.mark.parametrize("channels", [1, 2, 6])
    @pytest.mark.parametrize("rate", [4_000, 44_100, 192_000])
    def test_every_kind_of_wav(self, tmp_path: Path, subtype: str, channels: int, rate: int) -> None:
        path = tmp_path / "a.wav"
        samples = tone(rate)
        soundfile.write(path, np.stack([samples] * channels, axis=1), rate, subtype=subtype)
        audio = read_audio(path)
        assert (audio.rate, audio.start_s, audio.samples.dtype) == (rate, 0.0, np.float32)
        assert audio.seconds == pytest.approx(0.5)
        atol = {"PCM_U8": 0.01, "ULAW": 0.02}.get(subtype, 1e-4)
        np.testing.assert_allclose(audio.samples, samples, atol=atol)

    @pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.aiff", "a.wav"])
    def test_other_formats_and_a_string_for_a_path(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        soundfile.write(path, tone(48_000), 48_000)
        audio = read_audio(str(path))
        assert audio.rate == 48_000
        assert audio.seconds == pytest.approx(0.5, abs=0.06)

    @pytest.mark.parametrize("name", ["a", "a.raw", "a.mp3", "ä b.wav"])
    def test_the_content_decides_not_the_name(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(wav(PCM))
        np.testing.assert_allclose(read_audio(path).samples, tone(RATE), atol=1e-4)

    @pytest.mark.parametrize(
        ("size", "riff_size"),
        [(0, 0), (0, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024), (0, 36)],
    )
    def test_a_header_written_before_its_data(self, tmp_path: Path, size: int, riff_size: int) -> None:
        path = tmp_path / "streamed.wav"
        path.write_bytes(wav(PCM, size, riff_size))
        np.testing.assert_allclose(read_audio(path).samples, tone(RATE), atol=1e-4)

    def test_chunks_around_the_data_are_skipped(self, tmp_path: Path) -> None:
        extra = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"
        whole = wav(PCM)
        path = tmp_path / "a.wav"
        path.write_bytes(whole[:12] + extra + whole[12:] + extra)
        assert read_audio(path).seconds == pytest.approx(0.5)

    def test_float_beyond_full_scale_is_scaled_down(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        soundfile.write(path, tone(RATE) * 8, RATE, subtype="FLOAT")
        samples = read_audio(path).samples
        assert np.abs(samples).max() == pytest.approx(1.0)
        np.testing.assert_allclose(samples, tone(RATE) * 2, atol=0.01)

    def refused(self, path: Path, says: str, limit_s: float = 600.0) -> None:
        with pytest.raises(AudioError, match=says) as error:
            read_audio(path, limit_s)
        message = str(error.value)
        assert "\n" not in message
        assert str(path) in message
        assert ": " in message  # what to do follows

    def test_no_such_file(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "nothing.wav", "there is no file")

    def test_a_folder(self, tmp_path: Path) -> None:
        self.refused(tmp_path, "is a folder")

    def test_a_file_taken_for_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(wav(PCM))
        self.refused(tmp_path / "a.wav" / "b.wav", "cannot be opened")

    @pytest.mark.parametrize("data", [b"\0" * 5000, b"<html>no audio here</html>", b"R", wav(PCM)[:30]])
    @pytest.mark.parametrize("name", ["a.wav", "a.raw"])
    def test_no_audio(self, tmp_path: Path, data: bytes, name: str) -> None:
        (tmp_path / name).write_bytes(data)
        self.refused(tmp_path / name, "cannot be read as audio")

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(b"")
        self.refused(tmp_path / "a.wav", "is empty")

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
    def test_no_samples(self, tmp_path: Path, size: int) -> None:
        (tmp_path / "a.wav").write_bytes(wav(b"", size))
        self.refused(tmp_path / "a.wav", "holds no samples")

    @pytest.mark.parametrize("kept", [0, 1, 2, 8_000, len(PCM) - 2, len(PCM) - 1])
    def test_a_truncated_wav(self, tmp_path: Path, kept: int) -> None:
        (tmp_path / "a.wav").write_bytes(wav(PCM[:kept], len(PCM)))
        self.refused(tmp_path / "a.wav", "is truncated")

    @pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
    def test_other_truncated_files(self, tmp_path: Path, name: str) -> None:
        soundfile.write(tmp_path / name, noise(5 * 48_000), 48_000)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        self.refused(tmp_path / name, "is truncated|cannot be read")

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_nan(self, tmp_path: Path, bad: float) -> None:
        samples = tone(RATE)
        samples[4_000] = bad
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
        self.refused(tmp_path / "a.wav", r"first at 0\.250 s")

    @pytest.mark.parametrize("rate", [2_000, 384_000])
    def test_a_rate_out_of_range(self, tmp_path: Path, rate: int) -> None:
        soundfile.write(tmp_path / "a.wav", tone(RATE), rate)
        self.refused(tmp_path / "a.wav", "4000 to 192000 can be heard")

    @pytest.mark.parametrize("size", [None, 0])
    def test_too_long_is_refused_unread(self, tmp_path: Path, size: int | None) -> None:
        path = tmp_path / "long.wav"
        n = 40 * 60 * RATE * 2
        with path.open("wb") as file:
            file.write(wav(b"", n if size is None else size))
            file.truncate(44 + n)  # sparse: takes no disk
        began = time.perf_counter()
        self.refused(path, r"holds 40 min; at most 10 min can be heard: cut it, .*`ffmpeg -t 600 ")
        assert time.perf_counter() - began < 0.1

    def test_the_limit_is_inclusive(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav(PCM))
        assert read_audio(path, limit_s=0.5).seconds == 0.5
        self.refused(path, r"holds 0\.5 s; at most 0\.49 s", limit_s=0.49)
