"""What the terminal shows: the transcript, and while one talks, what is going on."""

from __future__ import annotations

import math
import sys
from time import monotonic
from typing import TYPE_CHECKING

from voicechat.events import Event, Failed, Interrupted, TextDelta, TurnEnded, TurnStarted
from voicechat.terminal.options import complain, printable
from voicechat.timing import Timing
from voicechat.turntaking import State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STATES = {
    State.LISTENING: ("listening", "green"),
    State.HEARING: ("hearing you", "cyan"),
    State.THINKING: ("thinking", "yellow"),
    State.SPEAKING: ("speaking", "magenta"),
    State.HELD: ("hearing you", "cyan"),
    State.OVERLAP: ("hearing you", "cyan"),
}
METER = 24  # characters
METER_DB = (-60.0, -6.0)  # dBFS: empty, full
STYLES = {"you": "bold cyan", "voicechat": "bold magenta", "": "dim"}

Line = tuple[str, str]  # (who: you, voicechat or "" for a remark; what)


def transcript(event: Event) -> list[Line]:
    """What an event adds to the transcript."""
    match event:
        case TurnEnded():
            said = [("you", event.heard)] if event.heard else []
            answer = event.text.strip() or "(no answer)"
            return [*said, ("voicechat", answer), ("", _latencies(event.timing))]
        case Interrupted():
            kept = f"heard until: {event.text.strip()}" if event.text.strip() else "none of it was heard"
            return [("", f"interrupted after {event.heard_s:.1f} s; {kept}")]
    return []


def _latencies(timing: Timing) -> str:
    marks = timing.as_json()
    parts = [
        ("voice to voice", marks["voice_to_voice_ms"]),
        ("end of turn", marks["speech_end_ms"]),
        ("first word", marks["first_token_ms"]),
        ("first sound", marks["first_audio_ms"]),
        ("done", marks["done_ms"]),
    ]
    return ", ".join(f"{name} {ms:.0f} ms" for name, ms in parts if ms is not None)


class Plain:
    """Lines, for a pipe or a file."""

    def show(self, event: Event) -> None:
        if isinstance(event, Failed):
            complain(event.message)
        for who, what in transcript(event):
            self.line(who, what)

    def line(self, who: str, what: str) -> None:
        print(f"{who}: {printable(what)}" if who else f"  ({printable(what)})", flush=True)

    def level(self, rms: float) -> None:
        pass

    def refresh(self, state: State) -> None:
        pass

    def close(self) -> None:
        pass


class Live(Plain):
    """The transcript scrolls above two live lines: the answer as it is written, and who is doing what."""

    def __init__(self, console: Console | None = None, meter: bool = True) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console(highlight=False)
        self._meter = meter
        self._answer, self._rms, self._state, self._since = "", 0.0, State.LISTENING, monotonic()
        # No thread of its own: `refresh` is called from the event loop.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self._answer = ""
            case TextDelta():
                self._answer += event.text
            case TurnEnded() | Interrupted() | Failed():
                written, self._answer = self._answer.strip(), ""
                if isinstance(event, Interrupted) and written:
                    self.line("voicechat", f"{written} ...")
        super().show(event)

    def line(self, who: str, what: str) -> None:
        from rich.text import Text

        self._live.update(self._picture())  # so that it is not drawn once more as it was
        said = Text().append(f"{who}: " if who else "   ", STYLES[who])
        self._console.print(said.append(printable(what), "" if who else STYLES[who]))

    def level(self, rms: float) -> None:
        self._rms = max(rms, 0.7 * self._rms)  # falls slowly enough to be seen

    def refresh(self, state: State) -> None:
        """At every tick: redraw."""
        if state is not self._state:
            self._state, self._since = state, monotonic()
        self._live.update(self._picture(), refresh=True)
        self._rms *= 0.9

    def close(self) -> None:
        from rich.text import Text

        self._live.update(Text(""), refresh=True)
        self._live.stop()

    def _picture(self) -> Text:
        from rich.text import Text

        picture = Text()
        if self._answer.strip():
            # The end of a long answer: a live area that is higher than the terminal cannot be redrawn.
            room = max(1, self._console.size.height - 4) * self._console.width - 20
            picture.append("voicechat: ", STYLES["voicechat"]).append(printable(self._answer.strip())[-room:] + "\n")
        name, colour = STATES[self._state]
        picture.append(f"● {name:<12}", f"bold {colour}").append(f"{monotonic() - self._since:5.1f} s  ", "dim")
        if self._meter:
            full = meter(self._rms)
            picture.append("█" * full, "green" if full < METER - 2 else "red").append("░" * (METER - full), "dim")
        return picture


def meter(rms: float) -> int:
    """A level, full scale being 1, in characters of the meter."""
    low, high = METER_DB
    decibel = 20 * math.log10(max(rms, 1e-6))
    return round(METER * min(1.0, max(0.0, (decibel - low) / (high - low))))


def display(talks: bool) -> Plain:
    """The live display where there is a terminal to show it on and sound to talk about; else lines."""
    if sys.stdout is None or not sys.stdout.isatty():
        return Plain()
    return Live(meter=talks)
