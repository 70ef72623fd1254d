"""Coqui's XTTS v2: 17 languages in the voice of anybody who has spoken for six seconds, for a CUDA GPU.

Its two networks are those of the package `coqui-tts`; here is the stream of sound that can be stopped after each of
its tokens (20 a second and a half), which a call of `inference_stream` cannot.
XTTS: Casanova et al. 2024, https://arxiv.org/abs/2406.04904.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from tts.captioned import captioned
from tts.languages import language_of
from tts.loudness import MEASURED, gain, limited
from tts.spoken import spoken
from tts.text import Splitter
from tts.voice import SpeechChunk, VoiceError
from tts.words import closing_mark

FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh", "hu", "ko", "ja", "hi")
LONGEST = 180  # characters at once: the network takes 400 tokens, and wanders after 200 characters
STRETCH = 20  # tokens between two runs of the decoder, as in `inference_stream`
OVERLAP = 1024  # samples in which two runs are blended
SHORTEST_S, HEARD_S = 1.0, 30.0  # of a reference: below it, no voice is learnt; above it, it is not listened to
CHARACTERS_S = 15.0  # of text in a second: the network tells no times, so captions go by this until the sound has ended
INSTALL = "pip install coqui-tts six, and torchaudio and torchcodec of the release that your torch has"

Floats = npt.NDArray[np.float32]


class Xtts:
    """One speaker of XTTS. See `Voice`.

    `speaker`: a recording of somebody, or the name of one of the network's own speakers; "" is the first of these.
    Raises VoiceError: the package or the files are not there, or there is no such speaker.
    """

    def __init__(self, folder: Path, speaker: Path | str = "", speed: float = 1.0, device: str = "cuda") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise VoiceError("xtts needs a CUDA GPU, which is not here: take piper:joe, or espeak for other languages")
        called = speaker.name if isinstance(speaker, Path) else speaker
        self.name = f"xtts:{called}" if called else "xtts"
        self._model = _network(folder, device)
        self.rate = int(self._model.args.output_sample_rate)
        self._slower = 1.0 / speed
        self._speaker = _learnt(folder, device, speaker)
        if self._speaker.gain is None:
            self._speaker.gain = 1.0
            self._speaker.gain = gain((self._all(piece) for piece in MEASURED), self.rate)

    def say(self, text: str) -> Iterator[SpeechChunk]:
        """See `Voice.say`. Most chunks are empty: after each token it can be stopped."""
        splitter = Splitter()
        language = language_of(text)
        for piece in (*splitter.push(text), *splitter.flush()) if len(text) > LONGEST else (text,):
            units = spoken(piece, "en-us" if language in (None, "en") else str(language))
            for some in _cut([(unit.written, unit.spoken) for unit in units]):
                said = "".join(sound for _, sound in some).strip()
                mark = closing_mark("".join(written for written, _ in some))
                reached = accumulate(len(sound) for _, sound in some)
                ends = [round(characters / CHARACTERS_S * self._slower * self.rate) for characters in reached]
                stretches = self._sound(said, language or "en") if any(map(str.isalnum, said)) else iter(())
                loud = (limited(samples * np.float32(self._speaker.gain or 1)) for samples in stretches)
                yield from captioned(loud, self.rate, [written for written, _ in some], ends, mark)

    def _all(self, text: str) -> Floats:
        return np.concatenate([chunk.samples for chunk in self.say(text)])

    @torch.inference_mode()
    def _sound(self, text: str, language: str) -> Iterator[Floats]:
        """The samples, stretch by stretch; an empty one after each token. Raises VoiceError."""
        model, empty = self._model, np.zeros(0, np.float32)
        try:
            encoded = model.tokenizer.encode(text.lower(), lang=language if language in LANGUAGES else "en")
            ids = torch.tensor([encoded], dtype=torch.int32, device=model.device)
            tokens = model.gpt.get_generator(
                fake_inputs=model.gpt.compute_embeddings(self._speaker.latents, ids), do_sample=True, num_beams=1,
                num_return_sequences=1, temperature=0.75, top_k=50, top_p=0.85, repetition_penalty=10.0,
                length_penalty=1.0, output_attentions=False, output_hidden_states=True, return_dict_in_generate=True,
            )  # fmt: skip
            latents: list[torch.Tensor] = []
            before = overlap = None
            for _, latent in tokens:
                latents.append(latent)
                yield empty
                if len(latents) % STRETCH == 0:
                    made, before, overlap = model.handle_chunks(self._decode(latents), before, overlap, OVERLAP)
                    yield made.float().cpu().numpy()
            if latents:
                made, _, _ = model.handle_chunks(self._decode(latents), before, overlap, OVERLAP, is_final=True)
                yield made.float().cpu().numpy()
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            line = " ".join(str(error).split())[:200]
            raise VoiceError(f"{self.name} failed on this piece ({line}); its text is still shown") from error

    def _decode(self, latents: Sequence[torch.Tensor]) -> torch.Tensor:
        """All the sound of these tokens [samples]: the decoder has no memory of its own."""
        columns = torch.cat(list(latents), dim=0)[None]
        if self._slower != 1.0:
            columns = torch.nn.functional.interpolate(
                columns.transpose(1, 2), scale_factor=self._slower, mode="linear"
            ).transpose(1, 2)
        sound: torch.Tensor = self._model.hifigan_decoder(columns, g=self._speaker.embedding)
        return sound.squeeze()


@dataclass(slots=True)
class Speaker:
    """Whom the network speaks as. `gain` is what makes it as loud as other voices, once somebody has measured it."""

    latents: torch.Tensor
    embedding: torch.Tensor
    gain: float | None = None


@cache
@torch.inference_mode()
def _learnt(folder: Path, device: str, speaker: Path | str) -> Speaker:
    """Somebody who was recorded, or the network's own speaker of that name, once for all conversations."""
    model = _network(folder, device)
    if isinstance(speaker, Path):
        audio, rate = _recorded(speaker)
        latents, embedding = model.get_gpt_cond_latents(audio, rate), model.get_speaker_embedding(audio, rate)
        return Speaker(latents.to(device), embedding.to(device))
    own = dict(model.speaker_manager.speakers) if model.speaker_manager else {}
    if not own or (speaker and speaker not in own):
        raise VoiceError(
            f"xtts has no speaker called {speaker!r}; it has {', '.join(list(own)[:5]) or 'none of its own'}; a "
            "recording of six seconds makes another: --voice xtts:my.wav"
        )
    learnt = own[speaker or next(iter(own))]
    return Speaker(learnt["gpt_cond_latent"].to(device), learnt["speaker_embedding"].to(device))


def _cut(units: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The units in pieces of at most `LONGEST` spoken characters; a longer unit is a piece that is cut off there."""
    piece: list[tuple[str, str]] = []
    for written, said in units:
        if piece and sum(len(sound) for _, sound in piece) + len(said) > LONGEST:
            yield piece
            piece = []
        piece.append((written, said[:LONGEST]))
    if piece:
        yield piece


@cache
def _network(folder: Path, device: str) -> Any:
    """Both networks, loaded once for all conversations. Raises VoiceError."""
    os.environ.setdefault("COQUI_TOS_AGREED", "1")  # nothing is fetched by it, so there is nothing to agree to
    try:
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts as Network
    except ImportError as error:
        raise VoiceError(f"xtts needs the package coqui-tts ({error}); other voices speak; {INSTALL}") from error
    try:
        config = XttsConfig()
        config.load_json(str(folder / "config.json"))
        model = Network(config)
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        line = " ".join(str(error).split())[:200]
        raise VoiceError(f"{folder} holds no XTTS that can be loaded ({line}); it needs {', '.join(FILES)}") from error
    return model.to(device)


def _recorded(file: Path) -> tuple[torch.Tensor, int]:
    """float32 [1, samples] and their rate. Raises VoiceError."""
    try:
        with soundfile.SoundFile(file) as audio:
            rate = int(audio.samplerate)
            samples = audio.read(round(HEARD_S * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (OSError, RuntimeError) as error:
        raise VoiceError(f"{file} cannot be read as a recording ({error}): give a WAV of six seconds") from None
    if len(samples) < SHORTEST_S * rate or np.abs(samples).max() < 0.001:
        raise VoiceError(f"{file} is too short or silent: record six seconds of one person who speaks")
    return torch.from_numpy(samples)[None], rate
