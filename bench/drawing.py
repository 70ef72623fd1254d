"""Results as pictures. matplotlib is loaded when one is drawn; without it there is a line instead."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import machine_line

BLUE, SKY, RED, YELLOW = "#0072B2", "#56B4E9", "#D55E00", "#F0E442"  # Okabe and Ito's: safe for the colour-blind


def pyplot() -> Any | None:
    """matplotlib, drawing to files; None, with a line that says so, where it is not installed."""
    try:
        import matplotlib
    except ImportError:
        print("no drawing without matplotlib: pip install matplotlib", file=sys.stderr)
        return None
    matplotlib.use("agg")
    from matplotlib import pyplot as drawn

    return drawn


def latency_bars(result: dict[str, Any], path: Path) -> None:
    """A bar a turn, from the last speech to the first sound of the answer."""
    plot = pyplot()
    if plot is None:
        return
    turns = [t for t in result["turns"] if t.get("voice_to_voice_ms") is not None]
    if not turns:
        return  # no answer had a sound
    parts = (
        (SKY, "waiting for more speech", [t["speech_end_ms"] for t in turns]),
        (RED, "model: to the first token", [t["first_token_ms"] for t in turns]),
        (YELLOW, "voice: to the first audio", [t["first_audio_ms"] - t["first_token_ms"] for t in turns]),
    )
    figure, axes = plot.subplots(figsize=(10, 4.5), layout="constrained")
    places, base = np.arange(1, len(turns) + 1), np.zeros(len(turns))
    for colour, label, heights in parts:
        axes.bar(places, heights, bottom=base, color=colour, label=label, edgecolor="white", linewidth=0.4)
        base += np.array(heights)
    total = result["latency"]["voice_to_voice_ms"]
    for name, line in (("p50", "-"), ("p95", "--")):
        axes.axhline(total[name], color="black", linestyle=line, linewidth=1)
        axes.annotate(
            f"{name} {total[name]:.0f} ms", (1.005, total[name]), xycoords=("axes fraction", "data"), va="center"
        )
    axes.set_xlim(0.4, len(turns) + 0.6)
    axes.set_ylim(0, base.max() * 1.2)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("question")
    axes.set_ylabel("ms after the last speech")
    machine = result["machine"]
    axes.set_title(
        f"From the last speech to the first sound of the answer: {result['model']}, "
        f"voice {result['voice']}, n = {total['n']}\n"
        f"{machine_line(machine)}; {machine['date']}",
        fontsize=10,
    )
    axes.legend(frameon=False, ncols=3, loc="upper left")
    figure.savefig(path, dpi=150)
    plot.close(figure)


def pause_lines(result: dict[str, Any], path: Path) -> None:
    """Processor ms of each pause against its place in the recording."""
    plot = pyplot()
    if plot is None:
        return
    figure, axes = plot.subplots(figsize=(9, 4.5), layout="constrained")
    for key, colour, label, marker in (
        ("again", RED, "everything again, transformers", "s"),
        ("ours", BLUE, "rolling encoder", "o"),
    ):
        spent = [s * 1e3 for s in result[f"{key}_s"]]
        axes.plot(result["pauses_s"], spent, marker=marker, markersize=4, color=colour, label=label)
    for window in range(30, int(result["seconds"]), 30):
        axes.axvline(window, color="0.7", linewidth=1, linestyle=":", zorder=0)
    axes.set_yscale("log")
    axes.set_xlabel("seconds into the recording (dotted: a window of 30 s closes)")
    axes.set_ylabel("processor time for a pause, ms")
    machine = result["machine"]
    axes.set_title(
        f"Embeddings at {len(result['pauses_s'])} pauses, {result['model']}: {result['ratio']:.3f} of the time\n"
        f"{machine_line(machine)}, {machine['threads']} thread(s); {machine['date']}",
        fontsize=10,
    )
    axes.grid(axis="y", color="0.9")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plot.close(figure)


def spectrograms(sounds: dict[str, str], path: Path) -> None:
    """By name: what each WAV file sounds like, one under the other, on one scale of time and of level."""
    plot = pyplot()
    if plot is None:
        return
    import soundfile

    figure, axes = plot.subplots(len(sounds), figsize=(10, 2.6 * len(sounds)), layout="constrained", squeeze=False)
    longest = 0.0
    for axis, (name, file) in zip(axes[:, 0], sounds.items(), strict=True):
        samples, rate = soundfile.read(file)
        longest = max(longest, len(samples) / rate)
        samples = samples + 1e-9 * np.random.default_rng(0).standard_normal(len(samples))  # silence has no logarithm
        axis.specgram(samples, NFFT=512, Fs=rate, noverlap=384, vmin=-130, vmax=-40, cmap="magma")
        axis.set_ylim(0, 8000)
        axis.set_title(name, loc="left")
        axis.set_ylabel("Hz")
    for axis in axes[:, 0]:
        axis.set_xlim(0, longest)
    axes[-1, 0].set_xlabel("seconds")
    figure.savefig(path, dpi=70)
    plot.close(figure)
