"""The recipe that makes mini: what is taught is right, what is tested was never taught, a step learns."""

import random
import re

import numpy as np
import pytest
import torch

from streaming.encoder import PADDING
from training.augment import batch_of, mixed
from training.corpus import SKILLS, Utterance, behind_another, mel_of
from training.curriculum import (
    COMPLETE,
    CUTTING_IN,
    DIGITS,
    FILLERS,
    NO_QUESTION,
    OTHER_TEST,
    SHOWS_LISTENING,
    Line,
    a_line,
    a_sum,
    digits_answer,
    in_words,
    result_of,
    sum_answer,
    unfinished,
)
from training.evaluate import edits, is_judged, is_right
from training.sounds import a_sound, in_a_room
from training.typed import as_typed
from training.voices import TEST_ESPEAK, TEST_FLITE, VARIANTS, resample, training_voice
from voicechat.verdict import Verdict, judge


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (13, "thirteen"), (56, "fifty-six"), (100, "one hundred"), (144, "one hundred and forty-four"),
     (-8, "minus eight"), (90, "ninety")],
)  # fmt: skip
def test_numbers_in_words(number, words):
    assert in_words(number) == words


def test_every_sum_is_right():
    for left in range(13):
        for right in range(13):
            for operator, sign in (("plus", "+"), ("minus", "-"), ("times", "*")):
                assert result_of(left, operator, right) == eval(f"{left}{sign}{right}")
    assert sum_answer(7, "times", 8) == "Seven times eight is fifty-six."


def test_digits_come_back_in_order():
    rng = random.Random(0)
    for _ in range(300):
        line = a_line(rng, {"digits": 1})
        said = [w.replace("oh", "zero") for w in re.findall(r"[a-z]+", line.said) if w in (*DIGITS, "oh")]
        assert line.answer == "~You said " + " ".join(said) + "."
        assert 2 <= len(said) <= 8


def test_typed_lines_keep_their_meaning():
    rng, numerals = random.Random(1), 0
    for _ in range(300):
        line = a_line(rng, {"digits": 1})
        typed = as_typed(line, rng)
        found = re.findall(rf"\d|\b(?:{'|'.join(DIGITS)}|oh)\b", typed.lower())
        numerals += any(f.isdigit() for f in found)
        assert (
            digits_answer([int(f) if f.isdigit() else 0 if f == "oh" else DIGITS.index(f) for f in found])
            == line.answer
        )
    assert numerals > 80


def test_who_cuts_in_goes_on():
    rng = random.Random(0)
    for words in set(CUTTING_IN):
        assert words not in {*COMPLETE, *SHOWS_LISTENING, *FILLERS}
    said = [unfinished(rng) for _ in range(200)]
    assert any(line.said in CUTTING_IN for line in said)
    assert all(judge(line.answer) is Verdict.UNFINISHED for line in said)


def test_of_two_questions_the_last_is_meant():
    class Speaker:
        said = ()

        def say(self, text):
            self.said = (*self.said, text)
            return np.ones(100, np.float32)

    speaker, asked = Speaker(), a_sum(random.Random(1))
    line, samples = behind_another(asked, speaker, random.Random(0))
    first, second = speaker.said
    assert second == asked.said and line.answer == asked.answer and line.skill == asked.skill
    assert line.words == " ".join(f"{first} {second}".replace(",", " ").split())
    gap = len(samples) - 200
    assert 0.1 * 16_000 <= gap <= 1.2 * 16_000 and not samples[100:-100].any()


def test_the_test_voices_are_never_trained_on():
    rng = random.Random(2)
    assert not set(TEST_ESPEAK) & set(VARIANTS)
    for _ in range(2_000):
        name = training_voice(rng).name
        assert not any(name.startswith(flite) for flite in TEST_FLITE)
        assert name.split("+")[-1] not in TEST_ESPEAK


def test_the_test_sentences_are_never_trained_on():
    rng = random.Random(3)
    assert not {a_line(rng, SKILLS).words for _ in range(5_000)} & set(OTHER_TEST)


def test_marking():
    line = Line("sums", "", "Seven times eight is fifty-six.")
    assert is_right(line, "Seven times eight is fifty-six. ") and not is_right(line, "Seven times eight is six.")
    assert is_right(Line("digits", "", "You said one two."), "You said one, two.")
    assert not is_right(Line("digits", "", "You said one two."), "You said one two two.")
    assert is_right(Line("digits", "", "~You said one two."), "You said one, two.")
    assert is_right(Line("unfinished", "", "...Go on."), "...I listen.") and not is_right(
        Line("unfinished", "", "...Go on."), "Go on."
    )
    assert is_judged(Line("digits", "", "~You said one."), "~You said two.")
    assert not is_judged(Line("digits", "", "~You said one."), "You said one.")
    assert is_right(Line("nothing", "", ""), NO_QUESTION) and is_right(Line("nothing", "", ""), "")
    assert edits("a b c".split(), "a c d".split()) == 2


def test_resampling_keeps_a_tone_where_it_belongs():
    tone = np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050).astype(np.float32)
    out = resample(tone, 16_000 / 22_050)
    assert len(out) == 16_000 and np.abs(np.fft.rfft(out)).argmax() == 1000


def test_sounds_are_sound():
    for seed in range(20):
        sound = a_sound(1.0, seed)
        assert sound.dtype == np.float32 and len(sound) == 16_000 and np.isfinite(sound).all()
    speech = a_sound(0.5, 1)
    assert len(in_a_room(speech, np.random.default_rng(0))) > len(speech)


def test_augmentation_pads_and_scales_like_the_extractor():
    torch.manual_seed(0)
    mels = [mel_of(a_sound(s, 3)) for s in (0.5, 1.1, 2.0)]
    mel, lengths = batch_of(mels, [mel_of(a_sound(2.0, 4))])
    assert mel.shape == (3, 128, int(lengths.max()) + PADDING) and torch.isfinite(mel).all()
    plain, same = batch_of(mels, [], augment=False)
    assert same.tolist() == [len(m) + 50 for m in mels]
    assert torch.allclose(plain.amax((1, 2)) - plain.amin((1, 2)), torch.tensor(2.0), atol=1e-3)
    assert torch.allclose(mixed(torch.tensor(1.0), torch.tensor(1.0)), torch.log10(torch.tensor(20.0)))


def test_a_few_steps_learn_one_batch(tmp_path, monkeypatch):
    """The whole loop in small: corpus in memory, both losses, both optimisers."""
    from training.shape import build_model, build_processor
    from training.train import Data, Learner, optimisers

    monkeypatch.setattr("training.train.phonemes", lambda words: {w: list(w) for w in words})
    (tmp_path / "corpus").mkdir()
    sound = mel_of(a_sound(6.0, 1))
    torch.save({"frames": [len(sound)], "mel": sound}, tmp_path / "corpus" / "sounds.pt")
    processor, rng = build_processor(), random.Random(0)
    data = Data(tmp_path, processor.tokenizer)
    data.utterances = [Utterance(a_line(rng, SKILLS), mel_of(a_sound(1.5, n))) for n in range(8)]
    data.lexicon = {w: [1 + ord(c) % 40 for c in w] for u in data.utterances for w in u.line.words.split()}
    torch.manual_seed(0)
    learner = Learner(build_model(processor.tokenizer), 80)
    optims, batch, losses = optimisers(learner, 2e-3, narrow=True), data.batch(8), []
    assert (batch.ids == processor.audio_token_id).sum() == sum(((n - 1) // 2 + 1) // 2 for n in batch.lengths.tolist())
    for _ in range(6):
        told = learner(batch, talk=True)
        loss = told["ctc"] + told["words"]
        loss.backward()
        for optim in optims:
            optim.step()
            optim.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
