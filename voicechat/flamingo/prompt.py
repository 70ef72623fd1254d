"""Messages -> what the language model reads: token ids, with audio embeddings in their places.

Every position carries a key that says what stands there. Two prompts that agree in their first n
keys agree in their first n rows of the KV cache: that is all the cache has to know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import Tokenizer

from streaming.encoder import RollingEncoder
from voicechat.conversation import Clip, Message
from voicechat.errors import ModelError


@dataclass(slots=True)
class Prompt:
    ids: list[int] = field(default_factory=list)  # audio positions hold the `<sound>` token
    keys: list[Hashable] = field(default_factory=list)
    sounds: list[tuple[int, torch.Tensor]] = field(default_factory=list)  # (position, [tokens, width])

    def add_tokens(self, ids: Sequence[int]) -> None:
        self.ids += ids
        self.keys += ids

    def add_sound(self, sound: torch.Tensor, token: int, key: Hashable) -> None:
        self.sounds.append((len(self.ids), sound))
        self.ids += [token] * len(sound)
        self.keys += [(key, i) for i in range(len(sound))]

    def embed(self, start: int, table: Any, device: torch.device) -> torch.Tensor:
        """[1, positions from `start`, width]: what to prefill."""
        rows: torch.Tensor = table(torch.tensor([self.ids[start:]], device=device)).clone()
        for at, sound in self.sounds:
            kept = sound[max(0, start - at) :]
            if len(kept):
                first = max(at, start) - start
                rows[0, first : first + len(kept)] = kept.to(rows.dtype)
        return rows


class PromptBuilder:
    """A checkpoint's chat template, with AF3's expansion of each `<sound>` to its clip's tokens.

    The template writes the frame; what people said and wrote is put into it as text, and no text is ever read as one
    of the tokenizer's own tokens (`<sound>`, `<|im_end|>`), whatever is in it.
    """

    def __init__(self, processor: Any) -> None:
        """Raises ModelError for a template that has no place for a clip."""
        self.tokenizer = processor.tokenizer
        self.template = processor.chat_template
        self.sound = processor.audio_token_id
        self.own = frozenset(self.tokenizer.added_tokens_decoder)  # ids that stand for no text
        self._own = {str(token): id for id, token in self.tokenizer.added_tokens_decoder.items()}
        self._plain = _without_own_tokens(self.tokenizer)
        self._cuts = re.compile(f"({'|'.join(map(re.escape, sorted(self._own, key=len, reverse=True)))})")
        two = self._pieces([Message("user", "", (Clip(), Clip()))]).count(self.sound)
        if two not in (1, 2):
            raise ModelError(f"this checkpoint's chat template has {two} places for two clips: fetch the model again")
        self._together = two == 1  # AF3's own has one place in a message, however many clips that has

    def count(self, text: str) -> int:
        """Positions that it takes."""
        return len(self._plain.encode(text, add_special_tokens=False).ids)

    def count_frame(self) -> int:
        """Positions around the instructions and a question, before the answer."""
        parts = self._parts([Message("system", " "), Message("user", " ")])
        return sum(len(part) for part in parts if not isinstance(part, Clip))

    def whole(self, messages: Sequence[Message], encoder: Callable[[Clip], RollingEncoder]) -> Prompt:
        """Everything, up to where the assistant's next word goes."""
        prompt = Prompt()
        for part in self._parts(messages):
            if isinstance(part, Clip):
                self._add_closed(prompt, part, encoder(part))
                rolling = encoder(part)
                prompt.add_sound(rolling.open(), self.sound, (part.number, rolling.samples))
            else:
                prompt.add_tokens(part)
        return prompt

    def settled(self, messages: Sequence[Message], encoder: Callable[[Clip], RollingEncoder]) -> Prompt:
        """The beginning that will stand whatever the user says next: up to the last message's open window."""
        prompt, growing = Prompt(), messages[-1].clips[-1] if messages and messages[-1].clips else None
        for part in self._parts(messages):
            if isinstance(part, Clip):
                self._add_closed(prompt, part, encoder(part))
                if part is growing:
                    return prompt
                rolling = encoder(part)
                prompt.add_sound(rolling.open(), self.sound, (part.number, rolling.samples))
            else:
                prompt.add_tokens(part)
        return prompt

    def _add_closed(self, prompt: Prompt, clip: Clip, rolling: RollingEncoder) -> None:
        for window, sound in enumerate(rolling.closed):
            prompt.add_sound(sound, self.sound, (clip.number, "window", window))

    def _parts(self, messages: Sequence[Message]) -> list[list[int] | Clip]:
        """The template's token ids, cut where a clip stands, and the clips. Raises ModelError where it has a place
        too many, or too few."""
        places = [m.clips for m in messages if m.clips]
        if not self._together:
            places = [(clip,) for clips in places for clip in clips]
        parts: list[list[int] | Clip] = [[]]
        found = 0
        for piece in self._pieces(messages):
            if piece == self.sound:
                for clip in places[found] if found < len(places) else ():
                    parts += [clip, []]
                found += 1
            else:
                last = parts[-1]
                assert isinstance(last, list)
                last += [piece] if isinstance(piece, int) else self._plain.encode(piece, add_special_tokens=False).ids
        if found != len(places):
            raise ModelError(
                f"this checkpoint's chat template has {found} places for {len(places)} clips: fetch it again, or "
                "use `--model mini`"
            )
        return parts

    def _pieces(self, messages: Sequence[Message]) -> list[str | int]:
        """The tokenizer's own tokens that the template writes, and the text between them."""
        texts = {f"\ue000{number}\ue001": m.mark + m.text for number, m in enumerate(messages) if m.text}
        dicts = [
            {
                "role": m.role,
                "content": [{"type": "audio"} for _ in m.clips]
                + ([{"type": "text", "text": f"\ue000{number}\ue001"}] if m.text else []),
            }
            for number, m in enumerate(messages)
        ]
        frame = self.tokenizer.apply_chat_template(
            dicts, chat_template=self.template, tokenize=False, add_generation_prompt=True
        )
        pieces = [piece for piece in self._cuts.split(frame) if piece]
        return [
            self._own[piece] if piece in self._own else re.sub("\ue000\\d+\ue001", lambda m: texts[m[0]], piece)
            for piece in pieces
        ]


def _without_own_tokens(tokenizer: Any) -> Tokenizer:
    """The same way of cutting text, for which all is text."""
    shape = json.loads(tokenizer.backend_tokenizer.to_str())
    return Tokenizer.from_str(json.dumps({**shape, "added_tokens": []}))
