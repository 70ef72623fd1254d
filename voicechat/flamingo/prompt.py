"""Messages -> what the language model reads: token ids, with audio embeddings in their places.

Every position carries a key that says what stands there. Two prompts that agree in their first n
keys agree in their first n rows of the KV cache: that is all the cache has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from streaming.encoder import RollingEncoder
from voicechat.conversation import Clip, Message


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
    """A checkpoint's chat template, with AF3's expansion of each `<sound>` to its clip's tokens."""

    def __init__(self, processor: Any) -> None:
        self.tokenizer = processor.tokenizer
        self.template = processor.chat_template
        self.sound = processor.audio_token_id

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
        """The template's token ids, cut at each `<sound>`, with the clip that belongs there."""
        dicts = [
            {
                "role": m.role,
                "content": [{"type": "audio"} for _ in m.clips]
                + ([{"type": "text", "text": m.mark + m.text}] if m.text else []),
            }
            for m in messages
        ]
        text = self.tokenizer.apply_chat_template(
            dicts, chat_template=self.template, tokenize=False, add_generation_prompt=True
        )
        clips = [clip for m in messages for clip in m.clips]
        parts: list[list[int] | Clip] = []
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        piece: list[int] = []
        for token in ids:
            if token == self.sound and clips:
                parts += [piece, clips.pop(0)]
                piece = []
            else:
                piece.append(token)
        parts.append(piece)
        return parts
