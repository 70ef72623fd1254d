"""What a microphone also hears: coughs, keys, claps, a room, an echo. All made from numbers, peak at 0.5.

Noise and hum are those of `training.sounds`; these were never trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

RATE = 16_000
PEAK = 0.5  # as `training.voices` has it


def cough(rng: np.random.Generator) -> np.ndarray:
    """Two or three bursts of 200-350 ms: an explosion of shaped noise, and a short voiced end.

    The phases are those of J. Korpas, J. Sadlonova and M. Vrabec, "Analysis of the cough sound" (1996).
    """
    pieces, formants = [], rng.uniform((380, 1000, 2300), (620, 1500, 3000))
    for _ in range(rng.integers(2, 4)):
        t = _times(rng.uniform(0.2, 0.35))
        burst = _shaped(rng.standard_normal(len(t)), formants, width=350)
        burst *= np.minimum(1, t / 0.008) * np.exp(-t * rng.uniform(9, 14))
        pitch = rng.uniform(120, 260) * (1 - 0.4 * t / t[-1])
        voiced = _shaped(1 - 2 * (np.cumsum(pitch) / RATE % 1), formants, width=120)
        start = rng.uniform(0.06, 0.1)
        voiced *= np.clip((t - start) / 0.02, 0, 1) * np.exp(-np.maximum(0, t - start) * rng.uniform(6, 14))
        gap = np.zeros(round(rng.uniform(0.05, 0.2) * RATE))
        pieces += [_peak(burst) + rng.uniform(0.3, 1.2) * _peak(voiced), gap]
    return _peak(np.concatenate(pieces[:-1]))


def clicks(rng: np.random.Generator) -> np.ndarray:
    """A pen or a mouse: three to six clicks of a few milliseconds."""
    return _struck(rng, rng.integers(3, 7), (0.12, 0.4), lambda: _knock(rng, (1500, 5000), 900))


def keyboard(rng: np.random.Generator) -> np.ndarray:
    """Somebody types for two seconds: each key goes down, loudly, and comes up."""

    def key() -> np.ndarray:
        down, up = _knock(rng, (900, 3500), 350), _knock(rng, (2000, 5500), 700)
        apart = np.zeros(round(rng.uniform(0.06, 0.1) * RATE))
        return np.concatenate((down + 0.4 * _knock(rng, (150, 350), 120), apart, 0.35 * up))

    return _struck(rng, rng.integers(12, 20), (0.08, 0.22), key)


def claps(rng: np.random.Generator) -> np.ndarray:
    """Two to four claps: noise in a broad band about 1-2 kHz, and the room after it."""

    def clap() -> np.ndarray:
        t = _times(0.25)
        direct = rng.standard_normal(len(t)) * np.exp(-t * rng.uniform(120, 220))
        tail = rng.standard_normal(len(t)) * np.exp(-t * rng.uniform(18, 35)) * 0.12
        return _shaped(direct + tail, (rng.uniform(900, 1600), 2200), width=900)

    return _struck(rng, rng.integers(2, 5), (0.25, 0.6), clap)


def music(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Chords with an envelope, a bass and a beat, in four-four time: I-V-vi-IV and its like."""
    out = np.zeros(round(seconds * RATE))
    beat, root = rng.uniform(0.4, 0.62), rng.uniform(98, 165)
    chords = [(degree, 4 if degree in (0, 5, 7) else 3) for degree in rng.permutation((0, 7, 9, 5))]
    for number in range(int(seconds / beat) + 1):
        degree, third = chords[number // 4 % 4]
        at = round(number * beat * RATE)
        notes = [degree - 12] if number % 4 in (0, 2) else []
        melody = degree + rng.choice((12, 12 + third, 19))
        notes += [melody] if number % 2 else [degree, degree + third, degree + 7]
        for note in notes:
            _add(out, at, _tone(root * 2 ** (note / 12), rng.uniform(0.5, 2.0) * beat))
        _add(out, at, _drum(rng, number % 4 in (1, 3)))
        _add(out, at + round(beat * RATE / 2), 0.3 * _knock(rng, (4000, 7000), 150))
    return _peak(out)


def room_response(rng: np.random.Generator) -> np.ndarray:
    """float32: how a loudspeaker reaches the microphone of the same room: the direct sound, and a short tail."""
    rt60 = rng.uniform(0.12, 0.25)
    t = _times(0.6 * rt60)
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60)
    tail *= rng.uniform(0.25, 0.5) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def decibel(db: float) -> float:
    return float(10 ** (db / 20))


def _times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def _peak(samples: np.ndarray) -> np.ndarray:
    return np.asarray(PEAK * samples / (np.abs(samples).max() + 1e-9), np.float32)


def _shaped(samples: np.ndarray, formants: Sequence[float], width: float) -> np.ndarray:
    """Through resonances of that width, in Hz, done on the spectrum."""
    spectrum, f = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / RATE)
    gain = sum(1 / (1 + ((f - formant) / width) ** 2) / (1 + number) for number, formant in enumerate(formants))
    return np.fft.irfft(spectrum * gain, len(samples))


def _knock(rng: np.random.Generator, band: tuple[float, float], decay: float) -> np.ndarray:
    t = _times(0.04)
    ring = np.sin(2 * np.pi * rng.uniform(*band) * t) + 0.7 * rng.standard_normal(len(t))
    return ring * np.exp(-t * decay * rng.uniform(0.8, 1.3)) * rng.uniform(0.5, 1)


def _struck(
    rng: np.random.Generator, count: int, apart_s: tuple[float, float], strike: Callable[[], np.ndarray]
) -> np.ndarray:
    places = np.cumsum([0, *rng.uniform(*apart_s, count - 1)])
    out = np.zeros(round((places[-1] + 0.3) * RATE))
    for place in places:
        _add(out, round(place * RATE), strike())
    return _peak(out)


def _tone(hertz: float, seconds: float) -> np.ndarray:
    t = _times(seconds)
    wave = sum(np.sin(2 * np.pi * hertz * k * t) / k**1.6 for k in range(1, 9) if hertz * k < 7500)
    return np.asarray(wave * np.minimum(1, t / 0.01) * np.exp(-t * 2.5 / seconds))


def _drum(rng: np.random.Generator, snare: bool) -> np.ndarray:
    t = _times(0.18)
    if snare:
        return 0.8 * rng.standard_normal(len(t)) * np.exp(-t * 28)
    return 1.5 * np.sin(2 * np.pi * np.cumsum(50 + 90 * np.exp(-t * 40)) / RATE) * np.exp(-t * 18)


def _add(out: np.ndarray, at: int, samples: np.ndarray) -> None:
    part = samples[: max(0, len(out) - at)]
    out[at : at + len(part)] += part
