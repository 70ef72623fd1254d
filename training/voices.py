"""The speech makers: espeak-ng and flite, with the voices to train on and those kept for the test.

Both are Debian packages, run as programs: `espeak-ng` and `flite` on PATH. On a machine where they
cannot be installed, unpack the packages with `dpkg -x` and put their programs on PATH, their
libraries on LD_LIBRARY_PATH, and set ESPEAK_DATA_PATH.
"""

from __future__ import annotations

import io
import random
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RATE = 16_000
ACCENTS = (
    "en-us", "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
    "en-029", "en-us-nyc",
)  # fmt: skip
VARIANTS = (
    "", "m1", "m2", "m3", "m4", "m5", "m6", "m8", "f1", "f2", "f4", "Alex", "Alicia", "Andrea",
    "Andy", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco",
    "Mario", "Michael", "Mike", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm",
    "adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb",
    "david", "ed", "edward", "edward2", "gustave", "iven", "iven2", "iven3", "iven4", "john",
    "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "linda", "marcelo", "max", "michel",
    "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby",
    "steph", "steph2", "steph3", "travis", "victor", "zac", "grandma", "grandpa",
)  # fmt: skip
FLITE_PITCH = {"slt": 175, "rms": 100, "kal": 105, "kal16": 105}  # Hz, as the voice was recorded

TEST_ESPEAK = ("f3", "f5", "m7")  # never trained on
TEST_FLITE = ("awb",)


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to speak. `tract` scales the formants (and pitch) by resampling: 1.1 is a smaller head."""

    maker: str  # "espeak" or "flite"
    name: str  # "en-us+f2", "slt"
    pitch: float = 0  # espeak: 0-99; flite: Hz; 0 leaves the voice's own
    pace: float = 1.0  # 1.2 speaks faster
    tract: float = 1.0

    def say(self, text: str) -> np.ndarray:
        """float32 mono at 16 kHz, silence at both ends removed, peak at 0.5."""
        pace = self.pace / self.tract  # resampling changes the pace too: take it back
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "said.wav")
            if self.maker == "espeak":
                command = ["espeak-ng", "-v", self.name, "-s", str(round(160 * pace)), "-w", str(path)]
                if self.pitch:
                    command += ["-p", str(round(self.pitch))]
                command.append(text)
            else:
                command = ["flite", "-voice", self.name, "--setf", f"duration_stretch={1 / pace:.3f}"]
                if self.pitch:
                    command += ["--setf", f"int_f0_target_mean={self.pitch / self.tract:.0f}"]
                command += ["-t", text, "-o", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            samples, rate = read_wav(path.read_bytes())
        return tidy(resample(samples, RATE / (rate * self.tract)))


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.astype(np.float32) / 32768, file.getframerate()


def resample(samples: np.ndarray, ratio: float) -> np.ndarray:
    """Band-limited resampling of a whole utterance through its spectrum."""
    wanted = round(len(samples) * ratio)
    if wanted == len(samples):
        return samples
    spectrum = np.fft.rfft(samples)
    bins = np.zeros(wanted // 2 + 1, spectrum.dtype)
    kept = min(len(bins), len(spectrum))
    bins[:kept] = spectrum[:kept]
    return (np.fft.irfft(bins, wanted) * (wanted / len(samples))).astype(np.float32)


def tidy(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > 0.005 * np.abs(samples).max(initial=1e-6))
    if len(loud):
        samples = samples[max(0, loud[0] - 160) : loud[-1] + 320]
    return np.asarray(0.5 * samples / np.abs(samples).max(initial=1e-6), np.float32)


def training_voice(rng: random.Random) -> Voice:
    tract, pace = rng.uniform(0.86, 1.2), rng.uniform(0.75, 1.35)
    if rng.random() < 0.4:
        name = rng.choice(ACCENTS) + "".join(f"+{v}" for v in [rng.choice(VARIANTS)] if v)
        return Voice("espeak", name, rng.uniform(15, 85), pace, rng.choice((1.0, tract)))
    name = rng.choice(("slt", "rms", "slt", "rms", "kal", "kal16"))
    return Voice("flite", name, FLITE_PITCH[name] * rng.uniform(0.75, 1.35), pace, tract)


def test_voice(rng: random.Random) -> Voice:
    """A voice never trained on, speaking at a pace that people speak at."""
    pace = rng.uniform(0.9, 1.15)
    if rng.random() < 0.4:
        return Voice("flite", rng.choice(TEST_FLITE), pace=pace)
    return Voice("espeak", f"{rng.choice(('en-us', 'en-gb'))}+{rng.choice(TEST_ESPEAK)}", pace=pace)


def phonemes(words: list[str]) -> dict[str, list[str]]:
    """espeak-ng's American pronunciation of each word: the target of the encoder's CTC loss."""
    said = subprocess.run(
        ["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us"],
        input="\n".join(words), text=True, capture_output=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    clean = [line.replace("'", "").replace(",", "").replace("%", "").replace("=", "") for line in said if line.strip()]
    if len(clean) != len(words):
        raise RuntimeError(f"espeak-ng gave {len(clean)} pronunciations for {len(words)} words")
    return {
        w: [p for p in line.strip().replace(" ", "_").split("_") if p] for w, line in zip(words, clean, strict=True)
    }
