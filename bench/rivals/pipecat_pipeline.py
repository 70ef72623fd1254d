"""A plain pipecat pipeline around our model and our voice: the other side of `bench.versus_pipecat`.

    python pipecat_pipeline.py --port 8765 --model voicechat/mini

Everything that decides about turns is pipecat's, with its defaults: Silero VAD, Smart Turn v3.2, the turn
strategies and their timeouts, the WebSocket transport. The model hears sound, so the pair of context
aggregators is in its mode for such models (no transcript is waited for), and a collector puts what was
said between the start and the end of a turn into the context. Ours are the model, in this process, the
clauses into which its answers are cut, and espeak.

It runs in pipecat's own environment, with the project's behind it on the path for torch and espeak-ng.
What goes over the wire: sound as PCM16, 16 kHz in and 24 kHz out, and pipecat's RTVI messages as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VAD_START_SECS
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage, LLMSpecificMessage
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.server import SingleClientWebsocketServerParams, SingleClientWebsocketServerTransport
from pipecat.utils.text.base_text_aggregator import Aggregation, BaseTextAggregator, TextType
from pipecat.workers.runner import WorkerRunner

from tts.text import Splitter
from tts.voice import Voice, load_voice
from voicechat.blocking import Worker
from voicechat.conversation import Clip, Message, as_read
from voicechat.flamingo import Flamingo
from voicechat.verdict import judge, unmarked

RATE = 16_000  # pipecat's default for what comes in
MODEL = "flamingo"  # whose messages in the context hold clips
BEFORE_S = VAD_START_SECS + 0.3  # of sound before a turn was noticed: ours keeps as much


class Collector(FrameProcessor):
    """What was said between the start and the end of a user's turn goes into the context, as a clip.

    It ends where the VAD last heard the voice stop: where Smart Turn doubts that it was the end, three
    seconds of silence follow, of which the model would make words.
    """

    def __init__(self, context: LLMContext) -> None:
        super().__init__()
        self._context = context
        self._recent: deque[bytes] = deque()
        self._heard: list[bytes] | None = None
        self._stopped: int | None = None  # pieces up to the last end of the voice

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                self._recent.append(frame.audio)
                if self._heard is not None:
                    self._heard.append(frame.audio)
                while sum(map(len, self._recent)) > 2 * RATE * BEFORE_S:
                    self._recent.popleft()
            case UserStartedSpeakingFrame():
                self._heard = list(self._recent)
            case VADUserStartedSpeakingFrame():
                self._stopped = None
            case VADUserStoppedSpeakingFrame() if self._heard is not None:
                self._stopped = len(self._heard)
            case UserStoppedSpeakingFrame() if self._heard is not None:
                pcm = b"".join(self._heard[: self._stopped])
                samples = np.frombuffer(pcm, np.int16).astype(np.float32) / 32_768
                self._heard = None
                said = Message("user", "", (Clip(samples),))
                self._context.add_message(LLMSpecificMessage(MODEL, said))
                await self.push_frame(LLMContextFrame(self._context))


class Model(LLMService):
    """Our model. It streams its words; the mark in front of them is for whoever asks it about turns."""

    def __init__(self, flamingo: Flamingo) -> None:
        unset = dict.fromkeys(
            "system_instruction temperature max_tokens top_p top_k frequency_penalty presence_penalty seed "
            "filter_incomplete_user_turns user_turn_completion_config".split()
        )
        super().__init__(settings=LLMSettings(model=flamingo.name, **unset))
        self._flamingo, self._thinking = flamingo, Worker("model")
        self.forget()

    def forget(self) -> None:
        """A new conversation."""
        self._memory = self._flamingo.memory()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            messages = as_read(map(read, frame.context.get_messages(MODEL)))
            async with aclosing(self._thinking.stream(partial(self._memory.reply, messages))) as deltas:
                async for words in without_mark(deltas):
                    await self.push_frame(LLMTextFrame(words))
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


def read(message: LLMContextMessage) -> Message:
    """A message of the context as the model reads it."""
    if isinstance(message, LLMSpecificMessage):
        said: Message = message.message
        return said
    content: Any = message["content"]
    return Message("assistant" if message["role"] == "assistant" else "user", content)


async def without_mark(deltas: AsyncIterator[str]) -> AsyncIterator[str]:
    begun: str | None = ""
    async for delta in deltas:
        if begun is None:
            words = delta
        else:
            begun += delta
            if judge(begun) is None:
                continue
            words, begun = unmarked(begun), None
        if words:
            yield words


class Clauses(BaseTextAggregator):
    """Our splitter: the voice begins with the first clause, not with the first sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._splitter = Splitter()

    @property
    def text(self) -> Aggregation:
        return Aggregation("", TextType.SENTENCE)

    async def aggregate(self, text: str) -> AsyncIterator[Aggregation]:
        for piece in self._splitter.push(text):
            yield Aggregation(piece, TextType.SENTENCE)

    async def flush(self) -> Aggregation | None:
        rest = "".join(self._splitter.flush())
        return Aggregation(rest, TextType.SENTENCE) if rest.strip() else None

    async def handle_interruption(self) -> None:
        await self.reset()

    async def reset(self) -> None:
        self._splitter = Splitter()


class Speech(TTSService):
    """Our voice, a chunk as soon as it exists."""

    def __init__(self, voice: Voice) -> None:
        settings = TTSSettings(model=None, voice=voice.name, language=None)
        super().__init__(push_start_frame=True, push_stop_frames=True, settings=settings)
        self._voice, self._speaking = voice, Worker("voice")

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        async for frame in self._stream_audio_frames_from_iterator(
            self._pcm(text), in_sample_rate=self._voice.rate, context_id=context_id
        ):
            yield frame

    async def _pcm(self, text: str) -> AsyncIterator[bytes]:
        async with aclosing(self._speaking.stream(partial(self._voice.say, text))) as chunks:
            async for chunk in chunks:
                yield (np.clip(chunk.samples, -1, 1) * 32_767).astype(np.int16).tobytes()


class Wire(FrameSerializer):
    """Sound as it is, messages as JSON."""

    def __init__(self) -> None:
        super().__init__(FrameSerializer.InputParams(ignore_rtvi_messages=False))

    async def serialize(self, frame: Frame) -> str | bytes | None:
        match frame:
            case OutputAudioRawFrame():
                return frame.audio
            case OutputTransportMessageFrame() | OutputTransportMessageUrgentFrame():
                return json.dumps(frame.message)
        return None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        return InputAudioRawFrame(data, RATE, 1) if isinstance(data, bytes) else None


async def serve(port: int, folder: Path, voice: str, device: str) -> None:
    """One client at a time, each with a conversation of its own, until SIGTERM."""
    params = SingleClientWebsocketServerParams(audio_in_enabled=True, audio_out_enabled=True, serializer=Wire())
    transport = SingleClientWebsocketServerTransport(params, "127.0.0.1", port)
    context, model = LLMContext(), Model(Flamingo.load(folder, device, greedy=True))
    user, assistant = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()), realtime_service_mode=True
    )
    spoken = [LLMTextProcessor(text_aggregator=Clauses()), Speech(load_voice(voice))]
    pipeline = Pipeline([transport.input(), user, Collector(context), model, *spoken, transport.output(), assistant])
    worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(*_: Any) -> None:
        context.set_messages([])
        model.forget()

    @transport.event_handler("on_websocket_ready")
    async def on_websocket_ready(*_: Any) -> None:
        print(f"pipecat {version('pipecat-ai')} is at ws://127.0.0.1:{port}", flush=True)

    runner = WorkerRunner(handle_sigterm=True)
    await runner.add_workers(worker)
    await runner.run()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True, help="the model's directory")
    parser.add_argument("--voice", default="espeak")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args(arguments)
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    asyncio.run(serve(options.port, options.model, options.voice, options.device))
    return 0


if __name__ == "__main__":
    sys.exit(main())
