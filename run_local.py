"""Talk in the terminal: microphone and loudspeaker, or files in their place. `--help` tells the options."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, closing, suppress
from functools import partial
from itertools import count
from time import monotonic

from streaming.aec import EchoCanceller
from streaming.audio import RATE, AudioChunk
from tts.voice import VoiceError
from voicechat import voices
from voicechat.chat import VoiceChat
from voicechat.errors import ConfigError, VoiceChatError
from voicechat.events import Failed, Interrupted, Spoken, TurnEnded, Withdrawn, Yielded
from voicechat.terminal import devices, sources, wire
from voicechat.terminal.display import Plain, display
from voicechat.terminal.loudspeaker import Loudspeaker
from voicechat.terminal.microphone import microphone as listen
from voicechat.terminal.options import Options, Recorded, check_outputs, complain, debugging, parse, read_recordings
from voicechat.terminal.queue import Sink
from voicechat.terminal.recording import EventLog, Recording, Unplayed
from voicechat.terminal.remote import RemoteSession
from voicechat.terminal.server import Server
from voicechat.terminal.sources import Talk

TICK_S = 0.02  # between two looks at what has been played
TICKS_A_PICTURE = 4
HEADPHONES = (
    "what comes out of the loudspeaker is cancelled in the microphone (headphones are still better); Ctrl-C leaves"
    if EchoCanceller.available
    else "use headphones: what comes out of a loudspeaker, the microphone hears as you; Ctrl-C leaves"
)


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
        return _failed(error, 2 if isinstance(error, ConfigError) else 1)


def _main(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
        if options.list_devices or options.list_voices:
            print(devices.listing() if options.list_devices else voices.listing())
            return 0
        check_outputs(options)
        recordings, attached = read_recordings(options.input), read_recordings(options.attach)
        if options.talks:
            devices.choose(options.microphone, "input", RATE)
        if options.plays:
            devices.choose(options.loudspeaker, "output", RATE)
        if not debugging():
            warnings.simplefilter("ignore")
        server = _server(options, attached)
        if server is None:
            chat = VoiceChat(options.config())
    except (VoiceChatError, VoiceError) as error:
        return _failed(error, 2)
    if server is not None:
        begin = partial(RemoteSession, server, options.fast, lasting=options.talks)
        return _run(begin, wire.RATE, options, recordings, attached)
    if chat.notice:
        complain(chat.notice)
    if chat.hint and sys.stderr.isatty():
        complain(chat.hint)
    clock = monotonic if options.talks else None  # what stands in the microphone's place goes by its own time
    with closing(chat):
        return _run(partial(chat.session, clock=clock), chat.voice.rate, options, recordings, attached)


def _run(
    begin: Callable[[], Talk], rate: int, options: Options, recordings: list[Recorded], attached: list[Recorded]
) -> int:
    """One conversation, begun by `begin`, whose answers have `rate` Hz."""
    try:
        return asyncio.run(_converse(begin, rate, options, recordings, attached))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _converse(
    begin: Callable[[], Talk], rate: int, options: Options, recordings: list[Recorded], attached: list[Recorded]
) -> int:
    """Until the files or the user's patience end."""
    session = begin()
    left: list[int] = []  # the exit code, once the user wants to leave
    with (
        EventLog(options.events) as log,
        closing(_sink(options, rate)) as sink,
        closing(display(options.talks)) as screen,
    ):

        def leave(code: int) -> None:
            sink.stop(session.turn)  # silence first: the model may take a moment to stop
            left.append(code)
            working.cancel()

        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # on Windows
            loop.add_signal_handler(signal.SIGINT, leave, 0 if options.talks else 130)
            loop.add_signal_handler(signal.SIGTERM, leave, 143)
        source = _source(session, options, recordings, attached, screen, sink)
        working = asyncio.create_task(_work(session, source, log, sink, screen))
        try:
            code = await working
        except asyncio.CancelledError:
            if not left:
                raise
            code = left[0]
    return code or int(log.lost or sink.lost)


async def _work(
    session: Talk, source: AsyncGenerator[AudioChunk, None], log: EventLog, sink: Sink, screen: Plain
) -> int:
    code = 0
    async with aclosing(session.talk(source)) as events, asyncio.TaskGroup() as group:
        ticking = group.create_task(_tick(session, sink, screen))
        async for event in events:
            sink.begin()  # not before: with a server that lets nobody in, no file is touched
            log.write(event)
            match event:
                case Spoken():
                    sink.add(event)
                case Yielded():
                    sink.turn_down(event.turn, event.gain)
                case Interrupted() | Withdrawn():
                    sink.stop(event.turn)
                case TurnEnded():
                    sink.finish(event.turn)
                case Failed():
                    if event.turn is not None:
                        sink.finish(event.turn)
                    code = 1
            screen.show(event)
        sink.begin()
        log.begin()
        ticking.cancel()
    return code


async def _tick(session: Talk, sink: Sink, screen: Plain) -> None:
    """Tell the session what has been played, and the user what is going on."""
    for tick in count():
        turn, seconds = sink.played()
        if turn:
            await session.played(turn, seconds)
        session.look()
        if tick % TICKS_A_PICTURE == 0:
            screen.refresh(session.state)
        await asyncio.sleep(TICK_S)


def _server(options: Options, attached: list[Recorded]) -> Server | None:
    """Who answers in this machine's place. Raises VoiceChatError."""
    if options.server is None:
        return None
    wire.check_clips(attached)
    return Server.of(
        options.server, options.token, options.certificate, options.model, options.voice, options.instructions
    )


def _source(
    session: Talk, options: Options, recordings: list[Recorded], attached: list[Recorded], screen: Plain, sink: Sink
) -> AsyncGenerator[AudioChunk, None]:
    """The microphone, or what stands in its place."""
    if options.talks:
        microphone = devices.choose(options.microphone, "input", RATE)
        if isinstance(sink, Loudspeaker):
            screen.line("", HEADPHONES)
            return listen(microphone, screen.level, sink.loopback.clean)
        return listen(microphone, screen.level, lambda chunk: chunk)
    clips = [sources.as_clip(*recorded) for recorded in attached]
    return sources.turns(session, options.text, recordings, clips, options.fast)


def _sink(options: Options, rate: int) -> Sink:
    """The loudspeaker, or what stands in its place; the voice has `rate` Hz."""
    if options.output is not None:
        return Recording(options.output, rate, paced=not options.fast)
    if options.plays:
        return Loudspeaker(devices.choose(options.loudspeaker, "output", rate), options.latency / 1000)
    return Unplayed()


def _failed(error: Exception, code: int) -> int:
    if debugging():
        traceback.print_exception(error)
    known = isinstance(error, VoiceChatError | VoiceError)
    complain(str(error) if known else f"it failed unexpectedly ({error!r}): VOICECHAT_DEBUG=1 shows where")
    return code


if __name__ == "__main__":
    sys.exit(main())
