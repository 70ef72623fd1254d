"""A private PulseAudio with a microphone and a loudspeaker that are only pipes: sound in, sound out, no hardware."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 48_000  # Hz, of both devices
PACKAGES = "apt-get install libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins"


@dataclass(frozen=True)
class Pulse:
    """What a program needs to find it, and what a test does with it."""

    env: dict[str, str]

    def play(self, path: Path) -> None:
        """Into the microphone, in real time; returns when it has been played."""
        subprocess.run(["paplay", "--device=fakemic", str(path)], env=self.env, check=True, timeout=60)

    def echo(self, latency_ms: int) -> None:
        """From now on the microphone hears the loudspeaker, half as loud."""
        options = ["source=spk.monitor", "sink=fakemic", f"latency_msec={latency_ms}"]
        subprocess.run(["pactl", "load-module", "module-loopback", *options], env=self.env, check=True, timeout=20,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        inputs = subprocess.run(["pactl", "list", "short", "sink-inputs"], env=self.env, check=True, timeout=20,
                                capture_output=True, text=True).stdout  # fmt: skip
        for line in inputs.splitlines():
            subprocess.run(["pactl", "set-sink-input-volume", line.split()[0], "-6dB"], env=self.env, check=True)

    def suspend(self, kind: str, name: str, suspended: bool = True) -> None:
        """A device ("source" or "sink") neither gives nor takes anything, or does again."""
        command = ["pactl", f"suspend-{kind}", name, str(int(suspended))]
        subprocess.run(command, env=self.env, check=True, timeout=20)

    @contextlib.contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        """What the loudspeaker plays, into a WAV of 48 kHz."""
        command = [
            "parec",
            "--device=spk.monitor",
            "--format=s16le",
            "--channels=1",
            f"--rate={RATE}",
            "--latency-msec=20",
        ]
        with path.with_suffix(".raw").open("wb") as raw:
            process = subprocess.Popen(command, env=self.env, stdout=raw)
            try:
                yield
            finally:
                time.sleep(0.3)  # what is still on its way
                process.terminate()
                process.wait(10)
        soundfile.write(path, np.fromfile(path.with_suffix(".raw"), "<i2"), RATE)


def without_sound(folder: Path) -> dict[str, str]:
    """An environment in which there is no sound device, whatever the machine has."""
    env = _environment(folder, "pcm.absent { type hw card 31 }\n")
    return env | {"ALSA_CONFIG_PATH": str(folder / ".asoundrc")}


@contextlib.contextmanager
def pulse(folder: Path) -> Iterator[Pulse]:
    """Skips the test where PulseAudio is not installed. `folder` is private to it."""
    if any(shutil.which(tool) is None for tool in ("pulseaudio", "pactl", "paplay", "parec")):
        pytest.skip(f"no PulseAudio: {PACKAGES}")
    env = _environment(folder, "pcm.!default { type pulse }\nctl.!default { type pulse }\npcm.pulse { type pulse }\n")
    modules = [
        "module-native-protocol-unix",
        f"module-null-sink sink_name=spk rate={RATE}",
        f"module-null-sink sink_name=fakemic rate={RATE}",
        "module-remap-source source_name=mic master=fakemic.monitor",
    ]
    loads = [part for module in modules for part in ("-L", module)]
    daemon = subprocess.Popen(
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--use-pid-file=no", *loads],
        env=env, stdout=subprocess.DEVNULL, stderr=(folder / "pulse.log").open("wb"),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=env, capture_output=True).returncode:
            assert daemon.poll() is None and time.monotonic() < deadline, (folder / "pulse.log").read_text()
            time.sleep(0.1)
        subprocess.run(["pactl", "set-default-sink", "spk"], env=env, check=True)
        subprocess.run(["pactl", "set-default-source", "mic"], env=env, check=True)
        yield Pulse(env)
    finally:
        daemon.terminate()
        daemon.wait(10)


def _environment(folder: Path, alsa: str) -> dict[str, str]:
    """Everything that leads to the user's own sound set-up is led into `folder`."""
    runtime = folder / "pulse"
    runtime.mkdir(mode=0o700, parents=True)
    (folder / ".asoundrc").write_text(alsa)
    (folder / "client.conf").write_text("autospawn = no\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "ALSA_", "PIPEWIRE_"))}
    return kept | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(runtime),
        "PULSE_CLIENTCONFIG": str(folder / "client.conf"),
        "PULSE_COOKIE": str(folder / "cookie"),
    }
