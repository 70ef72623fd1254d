"""XTTS's loading and streaming, on a tiny network with random weights: what it says is noise, how it says it is not."""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.speech import say
from tts.voice import VoiceError
from tts.xtts import LONGEST, Xtts

PACKAGES = Path(__file__).parents[2] / ".venv" / "xtts"
LETTERS = [*"abcdefghijklmnopqrstuvwxyz,.?!'-"]
SPECIAL = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[de]"]


@pytest.fixture(scope="module")
def coqui():
    """The packages, which lie in a folder of their own."""
    if not (PACKAGES / "made").exists():
        pytest.skip("coqui-tts is not installed: make xtts")
    sys.path.append(str(PACKAGES))
    yield
    sys.path.remove(str(PACKAGES))


@pytest.fixture(scope="module")
def folder(coqui, tmp_path_factory):
    from tokenizers import Tokenizer, models
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts as Network
    from TTS.tts.models.xtts import XttsArgs

    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("xtts")
    vocabulary = {token: number for number, token in enumerate(SPECIAL + LETTERS)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(made / "vocab.json"))
    arguments = XttsArgs(
        gpt_layers=1, gpt_n_model_channels=64, gpt_n_heads=2, gpt_number_text_tokens=len(vocabulary),
        gpt_start_text_token=3, gpt_stop_text_token=0, gpt_num_audio_tokens=66, gpt_start_audio_token=64,
        gpt_stop_audio_token=65, gpt_max_audio_tokens=50, decoder_input_dim=64, gpt_use_perceiver_resampler=True,
        tokenizer_file=str(made / "vocab.json"),
    )  # fmt: skip
    config = XttsConfig(model_args=arguments)
    network = Network(config)
    network.init_models()
    network.gpt.init_gpt_for_inference()
    torch.save({"model": network.state_dict()}, made / "model.pth")
    config.save_json(str(made / "config.json"))
    speakers = {
        name: {"gpt_cond_latent": torch.randn(1, 32, 64), "speaker_embedding": torch.randn(1, 512, 1)}
        for name in ("Ann", "Bob")
    }
    torch.save(speakers, made / "speakers_xtts.pth")
    return made


@pytest.fixture(scope="module")
def voice(folder):
    return Xtts(folder, device="cpu")


def test_the_sound_is_that_of_the_packages_own_stream(voice):
    known = voice._speaker.latents, voice._speaker.embedding
    torch.manual_seed(1)
    with torch.inference_mode():
        whole = torch.cat(list(voice._model.inference_stream("hello there", "en", *known)))
    torch.manual_seed(1)
    pieces = list(voice._sound("Hello there", "en"))
    ours = np.concatenate(pieces)
    assert len(ours) == len(whole) > 5000 and np.allclose(ours, whole.cpu().numpy(), atol=1e-5)
    assert sum(not len(piece) for piece in pieces) >= 20, "it can be stopped after each token"


def test_every_word_is_told_and_it_can_be_stopped_anywhere(voice):
    text = "Hello there, it costs $5. How are **you**? 😀 "
    for _ in range(2):
        list(islice(voice.say(text), 7))
    torch.manual_seed(2)
    chunks = list(voice.say(text))
    assert "".join(chunk.text for chunk in chunks) == text
    assert sum(chunk.seconds for chunk in chunks) > 0.2 and all(np.abs(c.samples).max(initial=0) <= 1 for c in chunks)


def test_a_long_text_and_an_endless_word_are_cut(voice):
    for text in ("so and so and " * 14, "a" * (LONGEST + 20)):
        assert "".join(chunk.text for chunk in voice.say(text)) == text


def test_a_recording_makes_a_voice_of_its_own(folder, voice, tmp_path):
    soundfile.write(tmp_path / "me.wav", say("my name is nobody and this is my voice"), 16_000)
    mine = Xtts(folder, tmp_path / "me.wav", device="cpu")
    assert mine.name == "xtts:me.wav" and mine._speaker.embedding.shape == voice._speaker.embedding.shape
    assert not torch.allclose(mine._speaker.embedding, voice._speaker.embedding)


def test_what_makes_no_voice(folder, coqui, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.full(8000, 0.1), 16_000)
    (tmp_path / "notes.wav").write_text("no sound")
    for speaker, why in (
        ("Carol", "no speaker called 'Carol'; it has Ann, Bob"),
        (tmp_path / "short.wav", "too short or silent: record six seconds"),
        (tmp_path / "notes.wav", "cannot be read as a recording"),
        (tmp_path / "none.wav", "cannot be read as a recording"),
    ):
        with pytest.raises(VoiceError, match=why):
            Xtts(folder, speaker, device="cpu")
    with pytest.raises(VoiceError, match=r"holds no XTTS that can be loaded .* it needs config.json, model.pth"):
        Xtts(tmp_path, device="cpu")


def test_without_the_package_or_a_gpu_the_error_says_what_to_do(tmp_path, monkeypatch):
    for name in ("TTS", "TTS.tts.configs.xtts_config"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(VoiceError, match=r"xtts needs the package coqui-tts .* pip install coqui-tts"):
        Xtts(tmp_path, device="cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VoiceError, match=r"needs a CUDA GPU, which is not here: take piper:joe"):
        Xtts(tmp_path)
