"""The wire's sound formats, against soundfile's own G.711 and a recognisable tone."""

import base64
import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio import AudioError
from web.sound import Decoder, Encoder, Format

FORMATS = [Format("audio/pcm"), Format("audio/pcmu"), Format("audio/pcma")]
each_format = pytest.mark.parametrize("format", FORMATS, ids=lambda f: f.type)


def sine(seconds, rate, hz=440.0, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def in_base64(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("given", "type", "rate", "told"),
    [
        ({"type": "audio/pcm", "rate": 24000}, "audio/pcm", 24_000, {"type": "audio/pcm", "rate": 24000}),
        ({"type": "audio/pcm"}, "audio/pcm", 24_000, {"type": "audio/pcm", "rate": 24000}),
        ({"type": "audio/pcmu"}, "audio/pcmu", 8_000, {"type": "audio/pcmu"}),
        ({"type": "audio/pcma", "rate": None}, "audio/pcma", 8_000, {"type": "audio/pcma"}),
        ("g711_ulaw", "audio/pcmu", 8_000, {"type": "audio/pcmu"}),
        ("pcm16", "audio/pcm", 24_000, {"type": "audio/pcm", "rate": 24000}),
        (Format("audio/pcma"), "audio/pcma", 8_000, {"type": "audio/pcma"}),
    ],
)
def test_formats(given, type, rate, told):
    format = Format.of(given)
    assert (format.type, format.rate, format.as_json()) == (type, rate, told)
    assert format.seconds(rate * format.width) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "audio/mp3"}, "audio/mp3"),
        ({}, "None"),
        ("opus", "audio/pcmu"),
        ({"type": ["audio/pcm"]}, "audio/pcm"),
        ({"type": "audio/pcm", "rate": 16000}, "24000 samples a second here, not 16000"),
        ({"type": "audio/pcmu", "rate": 24000}, "8000"),
    ],
)
def test_formats_that_do_not_exist(given, words):
    with pytest.raises(AudioError, match=words):
        Format.of(given)


@given(st.sampled_from(FORMATS), st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_however_the_bytes_are_cut_the_samples_are_the_same(format, data, cuts):
    whole = Decoder(format).push(in_base64(data))
    decoder, marks = Decoder(format), [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [decoder.push(in_base64(data[start:end])) for start, end in pairwise(marks)]
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)
    assert len(whole.samples) == len(data) // format.width
    for before, after in pairwise(pieces):
        assert after.start_s == pytest.approx(before.end_s)


@each_format
@given(data=st.binary(max_size=200))
def test_what_was_decoded_is_encoded_to_the_same_sound(format, data):
    chunk = Decoder(format).push(in_base64(data))
    assert chunk.samples.dtype == np.float32 and chunk.rate == format.rate
    again = Encoder(format).push(chunk.samples, chunk.rate)
    np.testing.assert_array_equal(Decoder(format).push(in_base64(again)).samples, chunk.samples)


@pytest.mark.parametrize(("type", "subtype"), [("audio/pcmu", "ULAW"), ("audio/pcma", "ALAW")])
def test_g711_is_soundfiles(type, subtype):
    samples = sine(0.1, 8_000)
    file = io.BytesIO()
    soundfile.write(file, np.rint(samples * 32_768).astype(np.int16), 8_000, format="RAW", subtype=subtype)
    assert Encoder(Format(type)).push(samples, 8_000) == file.getvalue()
    heard = Decoder(Format(type)).push(in_base64(file.getvalue())).samples
    assert np.sqrt(np.mean((heard - samples) ** 2)) < 0.01


@each_format
@pytest.mark.parametrize("text", ["@@@@", "abc", "AAA\n", "é", "AA==AA=="])
def test_what_is_no_base64_is_refused_and_the_stream_goes_on(format, text):
    decoder = Decoder(format)
    decoder.push(in_base64(b"\x01"))
    with pytest.raises(AudioError, match="not base64") as error:
        decoder.push(text)
    assert "\n" not in str(error.value)
    assert len(decoder.push(in_base64(b"\x02\x03\x04")).samples) == 4 // format.width - (format.width == 1)


def test_pcm_is_little_endian_and_loud_samples_are_clipped():
    assert Decoder(FORMATS[0]).push(in_base64(b"\x00\x40\x00\x80")).samples.tolist() == [0.5, -1.0]
    assert Encoder(FORMATS[0]).push(np.array([0.5, 2, -2], np.float32), 24_000) == b"\x00\x40\xff\x7f\x00\x80"


@each_format
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100])
def test_a_voice_of_any_rate_keeps_its_pitch_and_length(format, rate):
    encoder, said = Encoder(format), sine(1, rate)
    early = 0.0
    data = b""
    for at in range(0, rate, rate // 50):
        data += encoder.push(said[at : at + rate // 50], rate)
        early = max(early, min(rate, at + rate // 50) / rate - format.seconds(len(data)))
    assert early <= (0.041 if format.width == 2 else 0.062)  # seconds that the filter holds back
    data += encoder.flush()
    assert encoder.flush() == b""
    heard = Decoder(format).push(in_base64(data)).samples
    assert abs(len(heard) - format.rate) <= 2
    length = min(len(heard), format.rate)
    error = heard[:length] - sine(1, format.rate)[:length]
    assert np.sqrt(np.mean(error[200:-200] ** 2)) < 0.02


def test_from_espeak_to_the_wire_nothing_waits():
    said, encoder = sine(0.5, 22_050), Encoder(FORMATS[0])
    assert FORMATS[0].seconds(len(encoder.push(said[:441], 22_050))) > 0.018


def test_a_voice_may_change_its_rate_and_another_response_begins_afresh():
    encoder = Encoder(FORMATS[0])
    data = encoder.push(sine(0.1, 16_000), 16_000) + encoder.push(sine(0.1, 24_000), 24_000)
    data += encoder.push(sine(0.1, 22_050), 22_050) + encoder.flush()
    assert abs(FORMATS[0].seconds(len(data)) - 0.3) < 0.001
    once = encoder.push(sine(0.1, 22_050), 22_050) + encoder.flush()
    assert once == encoder.push(sine(0.1, 22_050), 22_050) + encoder.flush()
    assert encoder.push(np.zeros(0, np.float32), 22_050) == b""
