"""The command line of run_local.py, checked before anything is loaded."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from streaming.audio import AudioChunk, AudioError
from streaming.files import read_audio
from voicechat.commandline import Parser
from voicechat.config import DEVICES, Config
from voicechat.conversation import is_blank
from voicechat.errors import ConfigError, InputError
from voicechat.voices import CHOICE
from voicechat.writable import check_writable, same_file

EPILOG = """\
Without --input, --text or --attach it talks: microphone and loudspeaker, until Ctrl-C.
Typed turns come first, then the files; each is one turn of the same conversation.
Exit code: 0 every turn was answered, 1 a turn failed, 2 an option or a file cannot be used."""


Recorded = tuple[Path, AudioChunk]


@dataclass(frozen=True, slots=True)
class Options:
    model: str | None
    device: str | None
    voice: str | None
    think: bool
    greedy: bool
    seed: int | None
    smart_turn: bool
    instructions: str
    input: list[Path]
    fast: bool
    output: Path | None
    events: Path | None
    text: list[str]
    attach: list[Path]
    list_voices: bool
    list_devices: bool
    microphone: str | None
    loudspeaker: str | None
    latency: int
    server: str | None
    token: str | None
    certificate: Path | None

    @property
    def talks(self) -> bool:
        """By microphone, for nothing else is given to answer."""
        return not (self.input or self.text or self.attach)

    @property
    def plays(self) -> bool:
        """On a loudspeaker."""
        return self.output is None and not self.fast

    def config(self) -> Config:
        given = {"model": self.model, "device": self.device, "voice": self.voice}
        return Config.of(
            **{name: value for name, value in given.items() if value is not None},
            instructions=self.instructions, think=self.think, greedy=self.greedy, seed=self.seed,
            smart_turn=self.smart_turn,
        )  # fmt: skip


def parse(arguments: list[str]) -> Options:
    """Raises ConfigError for what cannot be meant, naming the nearest option; SystemExit after --help."""
    known = _parser().read(arguments, lambda word: f"--input {word}" if Path(word).suffix else f"--text {word!r}")
    options = Options(**vars(known))
    _check_place(options)
    if options.list_voices or options.list_devices:
        return options
    if any(map(is_blank, options.text)):
        raise ConfigError("a --text is empty: write what you want to say, e.g. --text 'what is seven times eight'")
    if not 10 <= options.latency <= 2000:
        raise ConfigError(f"--latency {options.latency} cannot be had: give 10 to 2000 ms, e.g. 100")
    if options.talks and options.fast:
        raise ConfigError("--fast is for files: add --input F.wav or --text, or leave out --fast")
    if not options.talks and options.microphone is not None:
        raise ConfigError("--input, --text and --attach take the microphone's place: leave out --microphone")
    if not options.plays and options.loudspeaker is not None:
        instead = "--output" if options.output else "--fast"
        raise ConfigError(f"with {instead} nothing is played: leave out --loudspeaker")
    return options


def _parser() -> Parser:
    parser = Parser(
        prog="python run_local.py",
        description="Talk to a machine that hears speech, sound and music.",
        epilog=EPILOG,
    )
    who = parser.add_argument_group("who answers")
    who.add_argument(
        "--model", metavar="M", help="auto, mini, a model directory, or a hub id on this disk (default: auto)"
    )
    who.add_argument("--device", choices=DEVICES, help="where the model runs (default: auto)")
    who.add_argument("--voice", metavar="V", help=f"how it sounds (default: {CHOICE})")
    who.add_argument("--instructions", metavar="TEXT", default="", help="what the model is told first")
    who.add_argument("--think", action="store_true", help="reason in text before answering, where the model can")
    who.add_argument("--greedy", action="store_true", help="the likeliest word always")
    who.add_argument("--seed", metavar="N", type=int, help="make the choice of words repeatable")
    who.add_argument(
        "--smart-turn",
        action="store_true",
        help="wait longer where Smart Turn hears that a sentence goes on (for human voices; it must be installed)",
    )
    files = parser.add_argument_group("files in the place of microphone and loudspeaker")
    files.add_argument("--input", metavar="F.wav", type=Path, nargs="+", action="extend", default=[],
                       help="recordings, one turn each")  # fmt: skip
    files.add_argument("--text", metavar="TEXT", action="append", default=[], help="a typed turn (repeatable)")
    files.add_argument("--attach", metavar="F", type=Path, action="append", default=[],
                       help="a recording to talk about, attached to the first turn (repeatable)")  # fmt: skip
    files.add_argument("--output", metavar="F.wav", type=Path, help="write what is spoken instead of playing it")
    files.add_argument("--fast", action="store_true",
                       help="do not pace files in real time; the answers are not played")  # fmt: skip
    files.add_argument("--events", metavar="F.jsonl", type=Path, help="append every event as one JSON object")
    sound = parser.add_argument_group("sound devices and voices")
    sound.add_argument("--microphone", metavar="D", help="a device's number, or a part of its name")
    sound.add_argument("--loudspeaker", metavar="D", help="a device's number, or a part of its name")
    sound.add_argument("--latency", metavar="MS", type=int, default=100,
                       help="of the loudspeaker: more where the sound stutters (default: 100)")  # fmt: skip
    sound.add_argument("--list-devices", action="store_true", help="what there is to listen and to play with")
    sound.add_argument("--list-voices", action="store_true", help="the names that --voice takes")
    server = parser.add_argument_group("a server that answers, in the place of this machine")
    server.add_argument("--server", metavar="ws://HOST:PORT", help="talk to a running `python -m web`")
    server.add_argument("--token", metavar="T",
                        help="what the server wants to be shown (better: the environment variable VOICECHAT_TOKEN, "
                             "which other users of this machine cannot see)")  # fmt: skip
    server.add_argument("--certificate", metavar="F.pem", type=Path,
                        help="the certificate that a server with --tls has made for itself")  # fmt: skip
    return parser


def _check_place(options: Options) -> None:
    """What is set here, and what where the model runs."""
    if options.server is None:
        for name, value in (("--token", options.token), ("--certificate", options.certificate)):
            if value is not None:
                raise ConfigError(f"{name} is for a server: add --server ws://HOST:PORT, or leave out {name}")
        return
    for name in ("device", "greedy", "seed", "think", "smart-turn"):
        if (given := getattr(options, name.replace("-", "_"))) is not None and given is not False:
            raise ConfigError(
                f"--{name} is set where the model runs, and with --server that is the server: leave it out"
            )


def read_recordings(paths: list[Path]) -> list[Recorded]:
    """Every file, whole. Raises InputError for the first that cannot be heard."""
    try:
        return [(path, read_audio(path)) for path in paths]
    except AudioError as error:
        raise InputError(str(error)) from None


def check_outputs(options: Options) -> None:
    """Raises InputError when --output or --events cannot be written, or would overwrite what is to be read. Touches
    nothing: they are made when the conversation has begun."""
    for name, path in (("--output", options.output), ("--events", options.events)):
        if path is None:
            continue
        wave = name == "--output"
        check_writable(name, path, "answer.wav" if wave else "events.jsonl", seeks=wave)
        if options.certificate and same_file(path, options.certificate):
            raise InputError(f"{name} {path} would overwrite the certificate: choose another name")
        if any(same_file(path, other) for other in (*options.input, *options.attach)):
            raise InputError(f"{name} {path} would overwrite the recording that is to be heard: choose another name")
    if options.output and options.events and same_file(options.output, options.events):
        raise InputError(f"--output and --events are both {options.output}: give them two names")


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get("VOICECHAT_DEBUG", "0") not in ("", "0")


def printable(text: str) -> str:
    """One line, without the characters that steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def complain(message: str) -> None:
    """One line on stderr."""
    if sys.stderr is not None:
        print("run_local.py:", printable(" ".join(message.split())), file=sys.stderr)
