"""pipecat's OpenAIRealtimeLLMService in a small pipeline, with a loudspeaker that plays in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from application import API_KEY, RATE, Answer, Seen, beside, until
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMMessagesAppendFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from scenarios import main

TOOL = FunctionSchema("switch_light", "Switches the light on or off.", {"on": {"type": "boolean"}}, ["on"])


class Loudspeaker(BaseOutputTransport):
    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
        return True


class Watch(BaseObserver):
    """What passes in the pipeline, as `Seen`."""

    def __init__(self, service: OpenAIRealtimeLLMService, seen: Seen) -> None:
        super().__init__()
        self.service = service
        self.seen = seen

    async def on_push_frame(self, data: FramePushed) -> None:
        seen = self.seen
        if not data.first_push:
            return
        match data.frame:
            case ErrorFrame() as frame:
                seen.errors.append(frame.error)
            case InterruptionFrame():
                seen.cancelled += bool(seen.answers)
            case frame if data.source is self.service:
                match frame:
                    case LLMFullResponseStartFrame() if not seen.answering:  # it comes twice
                        seen.answers.append(Answer())
                    case TTSAudioRawFrame():
                        seen.answers[-1].sound(frame.audio)
                    case TTSTextFrame():
                        seen.answers[-1].text += frame.text
                    case LLMFullResponseEndFrame():
                        seen.answers[-1].over = True
                    case TranscriptionFrame():
                        seen.heard.append(frame.text)


class PipecatClient:
    forgets = True

    def __init__(self, worker: PipelineWorker, context: LLMContext, seen: Seen) -> None:
        self.worker = worker
        self.context = context
        self.seen = seen

    async def greeted(self) -> None:
        """pipecat asks for a response with its first context, whatever that holds: applications let it greet."""
        if not self.history():
            await self.type("hello")
            await until(lambda: len(self.history()) == 2, "the greeting, in pipecat's context")
            self.seen.answers.clear()

    async def hear(self, pcm: bytes) -> None:
        await self.greeted()
        await self.worker.queue_frame(InputAudioRawFrame(pcm, RATE, 1))

    async def type(self, text: str) -> None:
        """Only as the first thing: what is typed later, pipecat keeps to itself."""
        await self.worker.queue_frame(LLMMessagesAppendFrame([{"role": "user", "content": text}], run_llm=True))

    async def press(self) -> None:
        await self.greeted()
        await self.worker.queue_frames([InterruptionFrame(), UserStartedSpeakingFrame()])

    async def release(self) -> None:
        await self.worker.queue_frame(UserStoppedSpeakingFrame())

    async def stop(self) -> None:
        raise NotImplementedError("pipecat has no way to stop an answer while the server takes the turns")

    def history(self) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in self.context.get_messages()]


@asynccontextmanager
async def connect(url: str, seen: Seen, turns: bool = True, tool: bool = False) -> AsyncIterator[PipecatClient]:
    listening = events.AudioInput(
        transcription=events.InputAudioTranscription(), turn_detection=events.TurnDetection() if turns else False
    )
    audio = events.AudioConfiguration(input=listening, output=events.AudioOutput(voice="marin"))
    service = OpenAIRealtimeLLMService(
        api_key=API_KEY,
        base_url=url,
        settings=OpenAIRealtimeLLMService.Settings(
            session_properties=events.SessionProperties(instructions="Answer briefly.", audio=audio)
        ),
    )

    async def switch_light(params: Any) -> None:
        seen.tools_called += 1
        await params.result_callback("done")

    service.register_function("switch_light", switch_light)
    context = LLMContext(tools=ToolsSchema(standard_tools=[TOOL] if tool else []))
    external = None if turns else ExternalUserTurnStrategies()
    user, assistant = LLMContextAggregatorPair(
        context, user_params=LLMUserAggregatorParams(user_turn_strategies=external)
    )
    loudspeaker = Loudspeaker(TransportParams(audio_out_enabled=True))
    worker = PipelineWorker(
        Pipeline([user, service, loudspeaker, assistant]),
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        observers=[Watch(service, seen)],
        enable_rtvi=False,
    )
    started = asyncio.Event()
    worker.add_event_handler("on_pipeline_started", lambda *_: started.set())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    logger.remove()
    logger.add(lambda message: seen.errors.append(f"log: {message}".strip()), level="ERROR")
    async with beside(runner.run()):
        await started.wait()
        try:
            yield PipecatClient(worker, context, seen)
        finally:
            await worker.cancel()


if __name__ == "__main__":
    main(connect, without=("stop_button",))
