"""How loud a voice is to a person, so that all voices are equally loud.

ITU-R BS.1770-5: power behind two filters that weigh it as the ear does, here by their response, without channels.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

LOUDNESS = -22.0  # LUFS, of every voice: as loud as speech can be whose peaks are left as they are
MEASURED = (
    "Good morning, how are you today?",
    "The sky is blue because of the scattering of light.",
    "I heard a dog and a cello.",
)
"""What a voice says once, to learn how loud it is."""
KNEE = 0.8  # full scale; higher peaks, which are rare, are bent
BLOCK_S, STEP_S = 0.4, 0.1
SILENT, SOFTER = -70.0, 10.0  # LUFS below which a block does not count, and LU below the mean of those that do
OFFSET = -0.691
SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
HIGH_PASS = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
GIVEN_AT = 48_000  # Hz: of these filters


def loudness(samples: npt.NDArray[np.float32], rate: int) -> float:
    """In LUFS, of speech of at least `BLOCK_S`; -inf where nothing is heard."""
    size = round(BLOCK_S * rate)
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    blocks = np.lib.stride_tricks.sliding_window_view(samples, size)[:: round(STEP_S * rate)]
    spectrum = np.abs(np.fft.rfft(blocks * np.hanning(size), axis=1)) ** 2 * _weight(np.fft.rfftfreq(size, 1 / rate))
    power = 2 * spectrum.sum(axis=1) / size / np.sum(np.hanning(size) ** 2)
    heard = power[_lufs(power) > SILENT]
    if not len(heard):
        return -np.inf
    loud = heard[_lufs(heard) > _lufs(heard.mean()) - SOFTER]
    return float(_lufs(loud.mean()))


def gain(pieces: Iterable[npt.NDArray[np.float32]], rate: int) -> float:
    """The factor that makes these as loud, on the average, as all voices are; 1 where nothing is heard."""
    lufs = float(np.mean([loudness(samples, rate) for samples in pieces]))
    return float(10 ** ((LOUDNESS - lufs) / 20)) if np.isfinite(lufs) else 1.0


def limited(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same, with every peak inside full scale and nothing changed below the knee."""
    over = np.abs(samples) > KNEE
    if over.any():
        samples = samples.copy()
        room = 1 - KNEE
        samples[over] = np.sign(samples[over]) * (KNEE + room * np.tanh((np.abs(samples[over]) - KNEE) / room))
    return samples


def _lufs(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return OFFSET + 10 * np.log10(np.maximum(power, 1e-20))


def _weight(hertz: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The power response of both filters."""
    z = np.exp(-2j * np.pi * hertz / GIVEN_AT)
    response = np.ones_like(z)
    for above, below in (SHELF, HIGH_PASS):
        response *= np.polyval(above[::-1], z) / np.polyval(below[::-1], z)
    weight: npt.NDArray[np.float64] = np.abs(response) ** 2
    return weight
