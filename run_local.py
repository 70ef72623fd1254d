"""Talk in the terminal: microphone and loudspeaker, or files in their place. `--help` tells the options."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
import warnings
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing, suppress
from pathlib import Path

from streaming.audio import RATE, AudioChunk
from tts.voice import VoiceError, voices
from voicechat.chat import VoiceChat
from voicechat.errors import VoiceChatError
from voicechat.events import Failed, Interrupted, Spoken, TurnEnded
from voicechat.session import Session
from voicechat.terminal import devices, sources
from voicechat.terminal.display import Plain, display
from voicechat.terminal.options import Options, check_writable, complain, debugging, parse, read_recordings
from voicechat.terminal.queue import Sink
from voicechat.terminal.recording import EventLog, Recording, Unplayed

TICK_S = 0.02  # between two looks at what has been played
TICKS_A_PICTURE = 4
HEADPHONES = "use headphones: what comes out of a loudspeaker, the microphone hears as you; Ctrl-C leaves"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 every turn was answered, 1 a turn failed, 2 an option or a file cannot be used."""
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        return _main(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        unexpected = f"it failed unexpectedly ({error!r}): VOICECHAT_DEBUG=1 shows where"
        return _complain(error if isinstance(error, VoiceChatError) else VoiceChatError(unexpected), 1)


def _main(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
        if options.list_devices or options.list_voices:
            print(devices.listing() if options.list_devices else "\n".join(voices()))
            return 0
        check_writable(options)
        recordings, attached = read_recordings(options.input), read_recordings(options.attach)
        heard = devices.choose(options.microphone, "input", RATE) if options.talks else None
        player = devices.choose(options.loudspeaker, "output", devices.PLAYED_RATE) if options.plays else None
        if not debugging():
            warnings.simplefilter("ignore")
        chat = VoiceChat(options.config())
    except (VoiceChatError, VoiceError) as error:
        return _complain(error, 2)
    if chat.notice:
        complain(chat.notice)
    try:
        return asyncio.run(Terminal(chat, options, heard, player).converse())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
