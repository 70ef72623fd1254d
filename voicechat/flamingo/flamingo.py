"""Audio Flamingo 3 as a model to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers.decoders import DecodeStream

from streaming.audio import RATE
from streaming.encoder import ClipTooLong, RollingEncoder
from voicechat.conversation import Clip, Message
from voicechat.errors import ModelError
from voicechat.flamingo.cache import KeyValues
from voicechat.flamingo.graph import StaticKeyValues
from voicechat.flamingo.load import load
from voicechat.flamingo.prompt import Prompt, PromptBuilder
from voicechat.flamingo.room import SHARE, Kind, Part, too_long
from voicechat.flamingo.sampling import Sampler
from voicechat.flamingo.typed import plain
from voicechat.verdict import Verdict

CONTEXT = 8_192  # positions of a conversation's cache, about five minutes of sound; less if the model has less
BESIDE = 240  # positions that a question does not get: for the system prompt, the words around it, the answer
POSITIONS_S = 25  # of a second of sound
SPARE = 2  # caches kept for transcripts: on a GPU each has its context's memory
MAX_NEW_TOKENS = 1_024  # AF3's own limit, for checkpoints that do not name one


class Flamingo:
    """The weights, shared by every conversation."""

    def __init__(self, model: Any, processor: Any, greedy: bool = False, seed: int | None = None) -> None:
        self.name = "af3"
        self.model, self.processor = model, processor
        self.builder = PromptBuilder(processor)
        self.frame = self.builder.count_frame()
        self.context: int = min(CONTEXT, model.config.text_config.max_position_embeddings)
        self.max_windows = int(processor.max_audio_len // processor.feature_extractor.chunk_length)
        self._greedy, self._seed = greedy, seed
        config = model.generation_config
        ends = config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        self._max_new = config.max_new_tokens or MAX_NEW_TOKENS
        self._spare: list[KeyValues] = []
        tokenizer = processor.tokenizer
        self.marks = [  # the first token of each, with an answer behind it
            tokenizer(f"{verdict.value}Yes", add_special_tokens=False).input_ids[0]
            for verdict in Verdict
            if verdict.value
        ]

    @classmethod
    def load(cls, folder: Path, device: str, greedy: bool = False, seed: int | None = None) -> Flamingo:
        """Raises ModelError, naming the file, for a directory that cannot be loaded."""
        flamingo = cls(*load(folder, device), greedy, seed)
        flamingo.name = folder.name
        return flamingo

    @property
    def longest_s(self) -> float:
        """See `Model`."""
        return float(self.context - BESIDE) / POSITIONS_S

    def refuses(self, instructions: str) -> str:
        """See `Memory`."""
        part = Part(Kind.INSTRUCTIONS, self.builder.count(instructions), len(instructions))
        room = round(SHARE * self.context)
        return too_long([part], room) if part.positions > room else ""

    def memory(self) -> FlamingoMemory:
        return FlamingoMemory(self)

    def key_values(self) -> KeyValues:
        kind = StaticKeyValues if self.model.device.type == "cuda" else KeyValues
        return kind(self.model, self.context)

    @contextmanager
    def scratch(self) -> Iterator[KeyValues]:
        """A KV cache for a transcript, which belongs to no conversation. Several transcripts can be in the making."""
        cache = self._spare.pop() if self._spare else self.key_values()
        try:
            yield cache
        finally:
            self._spare = [*self._spare, cache][:SPARE]

    def sampler(self, greedy: bool = False) -> Sampler:
        return Sampler(self.model.generation_config, self.model.device, greedy or self._greedy, self._seed)

    def decode(
        self, prompt: Prompt, cache: KeyValues, sampler: Sampler, begin: Callable[[torch.Tensor], None] | None = None
    ) -> Iterator[int]:
        """Token after token, until the answer or the context ends. Stop asking, and it stops. `begin` is shown the
        logits of the first."""
        logits, ids = cache.logits(prompt), list(prompt.ids)
        if begin is not None:
            begin(logits)
        for _ in range(min(self._max_new, self.context - len(ids))):
            token = sampler.choose(ids, logits)
            if token in self._ends:
                return
            yield token
            ids.append(token)
            logits = cache.step(token)

    def words(self, tokens: Iterator[int]) -> Iterator[str]:
        """The text of the tokens, an item for each; "" where it completes no word, or stands for no text."""
        tokenizer, words = self.processor.tokenizer.backend_tokenizer, DecodeStream(skip_special_tokens=True)
        for token in tokens:
            yield "" if token in self.builder.own else words.step(tokenizer, token) or ""


class FlamingoMemory:
    """One conversation: a rolling encoder for each clip, and a KV cache that follows the messages."""

    def __init__(self, flamingo: Flamingo) -> None:
        self.flamingo = flamingo
        self.cache = flamingo.key_values()
        self._sampler = flamingo.sampler()
        self._encoders: dict[int, RollingEncoder] = {}
        self._replying = False
        self.finished: float | None = None

    @property
    def positions(self) -> int:
        return len(self.cache.held)

    @property
    def marks(self) -> Literal["taught", "told", "none"]:
        return "taught" if getattr(self.flamingo.model.config, "turn_marks", False) else "told"

    def refuses(self, instructions: str) -> str:
        return self.flamingo.refuses(instructions)

    def prepare(self, messages: Sequence[Message]) -> None:
        """Encode what has arrived and prefill all that is settled: history, and closed windows."""
        if self._replying:  # the cache is the reply's
            return
        self._forget_clips(messages)
        self.cache.follow(self.flamingo.builder.settled(self._plain(messages), self._encoder))

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        self._replying = True
        try:
            self._forget_clips(messages)
            tokens = self.flamingo.decode(self._fitting(self._plain(messages)), self.cache, self._sampler, self._begin)
            yield from self.flamingo.words(tokens)
        finally:
            self._replying = False

    def _begin(self, logits: torch.Tensor) -> None:
        self.finished = 1.0 - float(logits.float().softmax(-1)[self.flamingo.marks].sum())

    def judge(self, clip: Clip, instructions: str) -> Iterator[str]:
        told = [Message("system", instructions)] if instructions else []
        prompt = self.flamingo.builder.whole([*told, Message("user", "", (clip,))], self._encoder)
        with self.flamingo.scratch() as cache:
            yield from self.flamingo.words(self.flamingo.decode(prompt, cache, self.flamingo.sampler(greedy=True)))

    def transcribe(self, clip: Clip) -> Iterator[str]:
        """AF3's own transcription prompt, decoded greedily outside the conversation.

        "" for each token and then all the words: what AF3 says around them is known only at the end.
        """
        processor, ids = self.flamingo.processor, []
        asked = [Message("user", processor.default_transcription_prompt, (clip,))]
        prompt = self.flamingo.builder.whole(asked, self._encoder)
        with self.flamingo.scratch() as cache:
            for token in self.flamingo.decode(prompt, cache, self.flamingo.sampler(greedy=True)):
                if token not in self.flamingo.builder.own:
                    ids.append(token)
                yield ""
        yield str(processor.decode([ids], skip_special_tokens=True, strip_prefix=True)[0])

    def _encoder(self, clip: Clip) -> RollingEncoder:
        """The clip's encoder, brought up to the clip's present end."""
        if clip.number not in self._encoders:
            self._encoders[clip.number] = RollingEncoder(self.flamingo.model.model, self.flamingo.max_windows)
        rolling = self._encoders[clip.number]
        try:
            rolling.append(clip.read(rolling.samples))
        except ClipTooLong as error:
            raise ModelError(str(error)) from None
        return rolling

    @property
    def _room(self) -> int:
        """Positions for all that is read: the rest of the context is for the answer."""
        return self.flamingo.context - min(128, self.flamingo.context // 4)

    def _parts(self, messages: Sequence[Message]) -> list[Part]:
        """Instructions, one exchange's text and its sound."""
        count = self.flamingo.builder.count
        told = [m.text for m in messages if m.role == "system"]
        text = [m.text for m in messages if m.role != "system"]
        heard_s = sum(clip.length for m in messages for clip in m.clips) / RATE
        return [
            Part(Kind.INSTRUCTIONS, sum(map(count, told)), sum(map(len, told))),
            Part(Kind.TEXT, sum(map(count, text)), sum(map(len, text))),
            Part(Kind.SOUND, round(POSITIONS_S * heard_s), heard_s),
        ]

    def _fitting(self, messages: Sequence[Message]) -> Prompt:
        """The whole conversation, less its oldest exchanges where it has outgrown the context."""
        kept = list(messages)
        while True:
            prompt = self.flamingo.builder.whole(kept, self._encoder)
            if len(prompt.ids) <= self._room:
                return prompt
            oldest = next((i for i, m in enumerate(kept) if m.role == "user"), len(kept))
            following = next((i for i in range(oldest + 1, len(kept)) if kept[i].role == "user"), None)
            if following is None:
                raise ModelError(too_long(self._parts(kept), self._room - self.flamingo.frame))
            del kept[oldest:following]

    def _plain(self, messages: Sequence[Message]) -> list[Message]:
        """What users typed, in plain words where the checkpoint needs them."""
        if not getattr(self.flamingo.model.config, "plain_words", False):
            return list(messages)
        return [replace(m, text=plain(m.text) or m.text) if m.role == "user" else m for m in messages]

    def _forget_clips(self, messages: Sequence[Message]) -> None:
        current = {clip.number for m in messages for clip in m.clips}
        self._encoders = {n: e for n, e in self._encoders.items() if n in current}
