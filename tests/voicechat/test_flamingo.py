"""Our streaming path against transformers' own `generate`, on a tiny random Audio Flamingo 3."""

from itertools import islice, zip_longest

import numpy as np
import pytest
import torch
from transformers import AddedToken

from tests.tiny import save_tiny
from voicechat.conversation import Clip, Message
from voicechat.flamingo import Flamingo
from voicechat.flamingo.graph import StaticKeyValues
from voicechat.flamingo.prompt import PromptBuilder

NEW = 24


@pytest.fixture(scope="module")
def flamingo(tmp_path_factory):
    loaded = Flamingo.load(save_tiny(tmp_path_factory.mktemp("tiny")), "cpu", greedy=True)
    loaded._max_new = NEW
    return loaded


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * 16_000)) * 0.1).astype(np.float32)


def replied(memory, messages) -> str:
    return "".join(memory.reply(messages))


def generated(flamingo, inputs) -> str:
    with torch.inference_mode():
        out = flamingo.model.generate(**inputs, max_new_tokens=NEW, do_sample=False)
    return flamingo.processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def as_dicts(messages):
    return [
        {
            "role": m.role,
            "content": [{"type": "audio", "audio": c.read()} for c in m.clips]
            + ([{"type": "text", "text": m.text}] if m.text else []),
        }
        for m in messages
    ]


@pytest.mark.parametrize("seconds", [0.7, 12.3, 33.3])
def test_one_turn_equals_generate(flamingo, seconds):
    messages = [Message("user", "what do you hear", (Clip(noise(seconds)),))]
    inputs = flamingo.processor.apply_chat_template(
        as_dicts(messages), tokenize=True, add_generation_prompt=True, return_dict=True
    )
    answer = replied(flamingo.memory(), messages)
    assert answer and answer == generated(flamingo, inputs)


def reference_of_many(flamingo, messages) -> str:
    """transformers on a conversation of several clips, which its processor cannot assemble itself."""
    text = flamingo.processor.tokenizer.apply_chat_template(
        as_dicts(messages),
        chat_template=flamingo.processor.chat_template,
        tokenize=False,
        add_generation_prompt=True,
    )
    clips = [c.read() for m in messages for c in m.clips]
    features = flamingo.processor.feature_extractor(
        clips, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt"
    )
    for clip in features["attention_mask"].sum(-1).tolist():
        text = text.replace("<sound>", "<SOUND>" * int(flamingo.processor._get_audio_token_length(clip)), 1)
    ids = flamingo.processor.tokenizer(
        text.replace("<SOUND>", "<sound>"), add_special_tokens=False, return_tensors="pt"
    )
    return generated(
        flamingo,
        dict(ids, input_features=features["input_features"], input_features_mask=features["attention_mask"]),
    )


def test_several_turns_equal_generate(flamingo):
    """Spoken, typed and spoken again, over one cache."""
    memory, messages = flamingo.memory(), []
    for question in (
        Message("user", "", (Clip(noise(2.0, 1)),)),
        Message("user", "and now in words?"),
        Message("user", "these two", (Clip(noise(1.1, 2)), Clip(noise(3.0, 3)))),
    ):
        messages.append(question)
        answer = replied(memory, messages)
        assert answer == reference_of_many(flamingo, messages)
        messages.append(Message("assistant", answer))


def test_preparing_while_the_user_speaks_changes_nothing_but_the_time(flamingo):
    samples, clip = noise(64.0, 4), Clip()
    messages = [Message("system", "Be brief."), Message("user", "what is this", (clip,))]
    memory = flamingo.memory()
    lengths = []
    for at in range(0, len(samples), 100_000):
        clip.append(samples[at : at + 100_000])
        memory.prepare(messages)
        lengths.append(len(memory.cache.held))
    assert lengths == sorted(lengths) and lengths[-1] > 1_500  # two closed windows are in the cache
    answer = replied(memory, messages)
    fresh = [Message("system", "Be brief."), Message("user", "what is this", (Clip(samples),))]
    assert answer == replied(flamingo.memory(), fresh)


def test_interruption_rolls_back_to_what_was_heard(flamingo):
    """The cache after a cut answer is that of a conversation in which only that much was said."""
    question, after = Message("user", "", (Clip(noise(1.5, 5)),)), Message("user", "go on")
    memory = flamingo.memory()
    answer = replied(memory, [question])
    cut = [question, Message("assistant", answer[: len(answer) // 2]), after]
    forwarded = []
    original = memory.cache._forward
    memory.cache._forward = lambda rows: forwarded.append(rows.shape[1]) or original(rows)
    assert replied(memory, cut) == replied(flamingo.memory(), cut)
    audio = len(flamingo.builder.whole([question], memory._encoder).ids)
    assert forwarded[0] < audio  # the question was not prefilled again


def test_stops_at_the_token_where_nobody_listens(flamingo):
    memory = flamingo.memory()
    question = [Message("user", "", (Clip(noise(1.0, 6)),))]
    answer = memory.reply(question)
    assert len(list(islice(answer, 3))) == 3
    asked = len(flamingo.builder.whole(question, memory._encoder).ids)
    assert memory.positions == asked + 2  # the third token has not been shown to the model
    answer.close()
    assert replied(memory, question) == replied(flamingo.memory(), question)  # and can be asked again


def test_a_static_cache_gives_the_same_words(flamingo):
    memory = flamingo.memory()
    question = [Message("user", "", (Clip(noise(2.0, 7)),))]
    expected = replied(memory, question)
    memory.cache = StaticKeyValues(flamingo.model, 1_024)
    assert replied(memory, question) == expected
    follow = [*question, Message("assistant", expected[:9]), Message("user", "what else")]
    assert replied(memory, follow) == replied(flamingo.memory(), follow)


def test_sampling_is_repeatable_with_a_seed_and_follows_the_checkpoint(flamingo):
    config = flamingo.model.generation_config
    question = [Message("user", "", (Clip(noise(1.0, 8)),))]
    flamingo._greedy, flamingo._seed = False, 7
    config.do_sample, config.temperature, config.top_p, config.top_k, config.repetition_penalty = (
        True,
        0.7,
        0.8,
        20,
        1.05,
    )
    try:
        first, second = replied(flamingo.memory(), question), replied(flamingo.memory(), question)
        flamingo._seed = 8
        assert first == second != replied(flamingo.memory(), question)
        flamingo._greedy = True
        inputs = flamingo.processor.apply_chat_template(
            as_dicts(question), tokenize=True, add_generation_prompt=True, return_dict=True
        )
        assert replied(flamingo.memory(), question) == generated(flamingo, inputs)  # the penalty applies to greedy too
    finally:
        flamingo._greedy, flamingo._seed = True, None
        config.do_sample, config.temperature, config.top_p, config.top_k, config.repetition_penalty = (
            False, 1.0, 1.0, 50, 1.0,
        )  # fmt: skip


def test_an_old_exchange_is_forgotten_when_the_context_is_full(flamingo, monkeypatch):
    monkeypatch.setattr(flamingo, "context", 400)
    memory, messages = flamingo.memory(), [Message("system", "Be brief.")]
    for turn in range(5):
        messages += [Message("user", "", (Clip(noise(4.0, turn)),))]
        answer = replied(memory, messages)
        assert len(memory.cache.held) <= 400
        messages.append(Message("assistant", answer))


def test_transcripts_in_turn_are_those_made_one_by_one(flamingo):
    clips = [Clip(noise(1.0 + n, 20 + n)) for n in range(3)]
    alone = ["".join(flamingo.memory().transcribe(clip)) for clip in clips]
    assert all(alone) and len(set(alone)) == 3
    works, told = [flamingo.memory().transcribe(clip) for clip in clips], ["", "", ""]
    for pieces in zip_longest(*works, fillvalue=""):
        told = [text + piece for text, piece in zip(told, pieces, strict=True)]
    assert told == alone
    left = flamingo.memory().transcribe(clips[0])
    assert next(left) == ""
    left.close()
    assert "".join(flamingo.memory().transcribe(clips[1])) == alone[1]


def test_what_happens_between_the_steps_of_a_reply_does_not_change_it(flamingo):
    memory, other = flamingo.memory(), flamingo.memory()
    question = [Message("user", "", (Clip(noise(1.5, 30)),))]
    alone = replied(memory, question)
    memory, answer = flamingo.memory(), ""
    for number, piece in enumerate(memory.reply(question)):
        answer += piece
        memory.prepare([*question, Message("user", "something else", (Clip(noise(31.0, number % 2)),))][: number % 3])
        if number < 3:
            assert replied(other, question) == alone
            assert list(memory.transcribe(question[0].clips[0]))
    assert answer == alone
    memory.prepare([Message("user", "something else")])
    assert 0 < memory.positions < len(flamingo.builder.whole(question, memory._encoder).ids)


def test_a_token_that_stands_for_no_text_is_neither_read_nor_told(tmp_path, monkeypatch):
    """Not even one that the tokenizer takes for a word, as Qwen's has some."""
    flamingo = Flamingo.load(save_tiny(tmp_path), "cpu", greedy=True)
    flamingo.processor.tokenizer.add_tokens(AddedToken("<tool_call>", special=False, normalized=False))
    flamingo.builder = PromptBuilder(flamingo.processor)
    ids = flamingo.processor.tokenizer("one<sound><tool_call> two<|im_end|><|im_start|>").input_ids
    monkeypatch.setattr(flamingo, "decode", lambda *_: iter(ids))
    memory, clip = flamingo.memory(), Clip(noise(1.0))
    assert replied(memory, [Message("user", "one")]) == "one two"
    assert "".join(memory.judge(clip, "")) == "one two"
    assert "".join(memory.transcribe(clip)) == "one two"
    asked = flamingo.builder.whole([Message("user", "<tool_call>")], memory._encoder).ids
    assert not set(ids) & flamingo.builder.own & set(asked) - {1, 2}
