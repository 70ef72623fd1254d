"""One run as two lanes of sound and a list of what happened when: to see what went wrong."""

from __future__ import annotations

from pathlib import Path

import soundfile
from rich.console import Group, RenderableType
from rich.text import Text

from bench.record import RATE, Answer, Run
from bench.score import Row

WIDTH = 110  # characters of a lane
LONGEST, MOST = 200, 80  # characters of an event, events
NARROWEST_S = 0.05  # that a character stands for
STYLES = {"speaker": "cyan", "noise": "magenta", "ear": "yellow", "session": "dim"}


def timeline(row: Row, run: Run) -> RenderableType:
    cell_s = max(NARROWEST_S, run.length_s / WIDTH)
    verdict = "; ".join(row.faults) or (f"void: {row.void}" if row.void else "as it should be")
    head = Text.assemble((f"{row.scenario}", "bold"), f"  run {row.run}, {run.voice}", (f"\n{verdict}", "red"))
    if run.echo:
        head.append(f"\necho at {run.echo}", "dim")
    lanes = Text()
    for part, style in (("speaker", "cyan"), ("noise", "magenta")):
        spans = [(start_s, end_s, 1.0) for said in run.said if said.part == part for start_s, end_s in said.spans]
        if spans:
            lanes.append(f"{part:>9} {lane(spans, run.length_s, cell_s)}\n", style)
    lanes.append(f"{'answer':>9} {lane(_sounds(run.answers), run.length_s, cell_s)}\n", "yellow")
    lanes.append(f"{'':9} {_scale(run.length_s, cell_s)}\n", "dim")
    for note in sorted(run.notes, key=lambda note: note.at_s)[:MOST]:
        what = note.what if len(note.what) < LONGEST else f"{note.what[:LONGEST]} ..."
        lanes.append(f"{note.at_s:9.2f} ").append(f"{note.who:8} {what}\n", STYLES[note.who])
    if len(run.notes) > MOST:
        lanes.append(f"{'':9} ... and {len(run.notes) - MOST} more\n", "dim")
    return Group(head, lanes)


def lane(spans: list[tuple[float, float, float]], length_s: float, cell_s: float) -> str:
    """A character for each `cell_s` seconds; `spans` are (from, until, gain)."""
    cells = []
    for number in range(int(length_s / cell_s) + 1):
        middle_s = (number + 0.5) * cell_s
        gains = [gain for start_s, end_s, gain in spans if start_s <= middle_s < end_s]
        cells.append(" " if not gains else "█" if max(gains) == 1 else "▂" if max(gains) > 0 else "·")
    return "".join(cells).rstrip()


def save(run: Run, path: Path) -> None:
    """A stereo WAV: left what the microphone heard, right what the client played."""
    if run.sound is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, run.sound, RATE)


def _sounds(answers: list[Answer]) -> list[tuple[float, float, float]]:
    """With gain 0 where an answer stood still."""
    spans = []
    for answer in answers:
        for number, span in enumerate(answer.spans):
            spans.append((span.start_s, span.end_s, span.gain))
            if number:
                spans.append((answer.spans[number - 1].end_s, span.start_s, 0.0))
    return spans


def _scale(length_s: float, cell_s: float) -> str:
    """A number at each whole second, or at every fifth."""
    step = 1 if length_s < 25 else 5
    cells = [" "] * (int(length_s / cell_s) + 4)
    for second in range(0, int(length_s) + 1, step):
        at = int(second / cell_s)
        cells[at : at + len(str(second))] = list(str(second))
    return "".join(cells).rstrip()
