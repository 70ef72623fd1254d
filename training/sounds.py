"""Sounds that are not speech, and rooms for speech to be said in. All made from numbers."""

from __future__ import annotations

import random

import numpy as np

RATE = 16_000


def coloured_noise(seconds: float, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls as 1 / f**slope: 0 is white, 1 pink, 2 brown."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** (slope / 2)
    return _level(np.fft.irfft(spectrum, count))


def hum(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Mains or a fan: harmonics of a low tone."""
    t = np.arange(int(seconds * RATE)) / RATE
    base = rng.uniform(45, 130)
    return _level(sum(np.sin(2 * np.pi * base * k * t + k) / k ** rng.uniform(0.5, 1.5) for k in range(1, 12)))


def music(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A run of chords of decaying harmonics, with a beat now and then."""
    out = np.zeros(int(seconds * RATE))
    step = int(RATE * rng.uniform(0.12, 0.5))
    scale = np.array((0, 2, 4, 5, 7, 9, 11, 12))
    root, drums, bright = rng.uniform(110, 440), rng.random() < 0.5, rng.uniform(0.8, 2.5)
    for start in range(0, len(out), step):
        t = np.arange(min(int(RATE * rng.uniform(0.2, 1.2)), len(out) - start)) / RATE
        for note in rng.choice(scale, rng.integers(1, 4)):
            f = root * 2 ** (note / 12)
            tone = sum(np.sin(2 * np.pi * f * k * t) / k**bright for k in range(1, 9) if f * k < 7800)
            out[start : start + len(t)] += tone * np.exp(-t * rng.uniform(1, 8))
        if drums:
            out[start : start + len(t)] += rng.standard_normal(len(t)) * np.exp(-t * 60) * 0.7
    return _level(out)


def clicks(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Keys, knocks and claps: short bursts at irregular times."""
    out = rng.standard_normal(int(seconds * RATE)) * 1e-4
    ring, width = rng.uniform(300, 3500), rng.uniform(100, 900)
    for at in np.sort(rng.integers(0, len(out), rng.integers(1, 2 + int(6 * seconds)))):
        t = np.arange(min(2000, len(out) - at)) / RATE
        burst = (rng.standard_normal(len(t)) + np.sin(2 * np.pi * ring * t)) * np.exp(-t * width)
        out[at : at + len(t)] += burst * rng.uniform(0.2, 1)
    return _level(out)


def sweep(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A siren, a whistle, a beep."""
    t = np.arange(int(seconds * RATE)) / RATE
    low, high = np.sort(rng.uniform(200, 3000, 2))
    wobble = (1 + np.sin(2 * np.pi * rng.uniform(0.1, 6) * t)) / 2
    gate = (np.sin(2 * np.pi * rng.uniform(0.3, 3) * t) > rng.uniform(-1.2, 0.5)).astype(float)
    return _level(np.sin(2 * np.pi * np.cumsum(low + (high - low) * wobble) / RATE) * gate + 1e-5)


def throat(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Coughs, a throat that is cleared, a sneeze: breath through a tract, now and then with a voice in it."""
    out = rng.standard_normal(int(seconds * RATE)) * 1e-4
    at = rng.uniform(0, 0.3)
    while at < seconds - 0.2:
        length, attack = rng.uniform(0.08, 0.45), rng.uniform(0.002, 0.04)
        t = np.arange(int(length * RATE)) / RATE
        breath = rng.standard_normal(len(t))
        pitch = np.cumsum(rng.uniform(70, 220) * np.exp(-t * rng.uniform(-1, 3))) / RATE
        voice = sum(np.sin(2 * np.pi * pitch * k) / k ** rng.uniform(0.3, 1.2) for k in range(1, 20))
        burst = breath + rng.choice((0.0, rng.uniform(0.1, 1.5))) * voice / (np.abs(voice).max() + 1e-9) * 2
        spectrum, f = np.fft.rfft(burst), np.fft.rfftfreq(len(t), 1 / RATE)
        peaks = rng.uniform((250, 800, 1900), (900, 2000, 3800))
        tract = sum(rng.uniform(0.2, 1) / (1 + ((f - peak) / rng.uniform(80, 500)) ** 2) for peak in peaks)
        shape = np.minimum(t / attack, 1) * np.exp(-t * rng.uniform(4, 18))
        burst = np.fft.irfft(spectrum * (tract + 0.02), len(t)) * shape
        place = int(at * RATE)
        out[place : place + len(t)] += (burst / (np.abs(burst).max() + 1e-9) * rng.uniform(0.3, 1))[: len(out) - place]
        at += length + rng.choice((rng.uniform(0.03, 0.3), rng.uniform(0.6, 2.5)), p=(0.7, 0.3))
    return _level(out)


def silence(seconds: float, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.standard_normal(int(seconds * RATE)) * 10 ** rng.uniform(-6, -3), np.float32)


def a_sound(seconds: float, seed: int) -> np.ndarray:
    """Any of the above: float32 mono at 16 kHz."""
    rng = np.random.default_rng(seed)
    kind = random.Random(seed).choice(
        (coloured_noise, coloured_noise, hum, music, music, clicks, sweep, silence, throat, throat)
    )
    if kind is coloured_noise:
        return coloured_noise(seconds, rng.uniform(0, 2), rng)
    return kind(seconds, rng)


def in_a_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same speech in a room: a direct path and a noise tail that falls by 60 dB in 0.1-0.6 s."""
    rt60 = rng.uniform(0.1, 0.6)
    t = np.arange(int(rt60 * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / rt60)
    tail[: int(RATE * rng.uniform(0.002, 0.01))] = 0
    tail *= 10 ** rng.uniform(-1.0, 0.0) / np.sqrt(np.square(tail).sum() + 1e-9)
    tail[0] = 1
    size = len(samples) + len(tail)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return np.asarray(wet[: len(samples) + len(tail) // 2], np.float32)


def _level(samples: np.ndarray) -> np.ndarray:
    return np.asarray(0.3 * samples / (np.abs(samples).max() + 1e-9), np.float32)
