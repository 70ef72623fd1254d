"""A model and a voice, ready for any number of conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace

from streaming.audio import AudioChunk, AudioError
from tts.text import Splitter
from tts.voice import SpeechChunk, VoiceError
from voicechat import voices
from voicechat.blocking import Urgency, Worker
from voicechat.config import Config
from voicechat.ending import ByEar
from voicechat.errors import ConfigError, VoiceFailed
from voicechat.events import Event
from voicechat.model import Model
from voicechat.session import Session
from voicechat.turntaking import Policy


class VoiceChat:
    """Load once, talk often.

        async with VoiceChat(Config(model="mini")) as chat:
            async for event in chat.talk(microphone):
                ...

    Loading blocks. Raises VoiceChatError: the model or the voice cannot be loaded.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.notice = ""  # a line that the user should see about what was chosen for them
        self.hint = voices.notice() if self.config.voice == voices.CHOSEN else ""  # what would make it nicer
        try:
            self.voice = voices.load_for_operator(self.config.voice)
        except VoiceError as error:
            raise VoiceFailed(str(error)) from None
        self.model = self._load_model()
        times = self.config.times
        longest_s = max(1.0, min(times.max_turn_s, self.model.longest_s))
        self.config = replace(self.config, times=replace(times, max_turn_s=longest_s))
        self._judge = self._load_judge()
        self._thinking, self._speaking, self._listening = Worker("model"), Worker("voice"), Worker("ear")

    def session(self, tell: Callable[[Event], None] | None = None, clock: Callable[[], float] | None = None) -> Session:
        """A new conversation; `tell` and `clock` as Session takes them.

        Its turns are taken by what was said, where the model can judge that, and an answer is held while it
        is not clear whether it was interrupted: whoever plays it follows `Yielded`.
        """
        memory, times = self.model.memory(), self.config.times
        policy = Policy(times=times, holds=True) if memory.marks == "none" else Policy.judged(times)
        ear = (self._judge, self._listening) if self._judge else None
        workers = self._thinking, self._speaking
        return Session(memory, self.voice, *workers, self.config, tell, clock, ear, policy)

    async def talk(self, microphone: AsyncIterable[AudioChunk]) -> AsyncGenerator[Event, None]:
        """One conversation by voice: every event, until the microphone ends."""
        async for event in self.session().talk(microphone):
            yield event

    async def say(self, text: str, voice: str, speed: float = 1.0) -> AsyncGenerator[SpeechChunk, None]:
        """A text in a voice, outside of any conversation: what those say comes first. Raises VoiceError."""

        def spoken() -> Iterator[SpeechChunk]:
            own = voice == self.voice.name and speed == 1.0  # which may be a folder's, that `load` does not know
            said = self.voice if own else voices.load(voice, speed)
            splitter = Splitter()
            for piece in (*splitter.push(text), *splitter.flush()):
                yield from said.say(piece)

        async with aclosing(self._speaking.stream(spoken, Urgency.PREPARE)) as chunks:
            async for chunk in chunks:
                yield chunk

    def close(self) -> None:
        self._thinking.close()
        self._speaking.close()
        self._listening.close()

    async def __aenter__(self) -> VoiceChat:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _load_judge(self) -> ByEar | None:
        if not self.config.smart_turn:
            return None
        from streaming.smart_turn import INSTALL, smart_turn

        try:
            judge = smart_turn()
        except AudioError as error:
            raise ConfigError(str(error)) from None
        if judge is None:
            raise ConfigError(f"Smart Turn is not installed: {INSTALL}, or leave out --smart-turn")
        return judge

    def _load_model(self) -> Model:
        config = self.config
        if config.think:
            raise ConfigError("no model can be asked to think first in this version: leave out --think")
        if config.model == "echo":
            from voicechat.echo import Echo

            return Echo()
        from voicechat.flamingo import Flamingo
        from voicechat.flamingo.load import choose_device, find

        folder, self.notice = find(config.model, config.device)
        return Flamingo.load(folder, choose_device(config.device), config.greedy, config.seed)
