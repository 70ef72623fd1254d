"""Marks at the beginning of an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicechat.verdict import TOLD, Verdict, instructed, judge, unmarked, weighed


@pytest.mark.parametrize(
    "text, verdict, rest",
    [
        ("Seven.", Verdict.FINISHED, "Seven."),
        ("...Go on.", Verdict.UNFINISHED, "Go on."),
        (" ... Go on.", Verdict.UNFINISHED, "Go on."),
        ("~You said one two.", Verdict.OPEN, "You said one two."),
        ("#Mm.", Verdict.ASIDE, "Mm."),
        ("..", None, ".."),
        ("", None, ""),
        (" ", None, " "),
        (".5 is a half", Verdict.FINISHED, ".5 is a half"),
    ],
)
def test_what_an_answer_begins_with(text, verdict, rest):
    assert judge(text) is verdict and unmarked(text) == rest


@given(st.text(max_size=12))
def test_a_verdict_stands_whatever_is_written_next(text):
    decided = [judge(text[:length]) for length in range(len(text) + 1)]
    known = [verdict for verdict in decided if verdict is not None]
    assert len(set(known)) <= 1 and decided == [None] * (len(decided) - len(known)) + known


def test_every_mark_is_explained_to_a_model_that_was_not_taught_them():
    assert all(f"'{verdict.value}'" in TOLD for verdict in Verdict if verdict.value)
    assert instructed("Be brief.").startswith("Be brief.\n") and TOLD in instructed("")


@pytest.mark.parametrize(
    "verdict, finished, then",
    [
        (Verdict.FINISHED, 1.0, Verdict.FINISHED),
        (Verdict.FINISHED, 0.5, Verdict.OPEN),
        (Verdict.FINISHED, None, Verdict.FINISHED),
        (Verdict.UNFINISHED, 0.0, Verdict.UNFINISHED),
        (Verdict.UNFINISHED, 0.5, Verdict.OPEN),
        (Verdict.OPEN, 0.4, Verdict.OPEN),
        (Verdict.ASIDE, 0.4, Verdict.ASIDE),
    ],
)
def test_who_is_not_sure_waits(verdict, finished, then):
    assert weighed(verdict, finished) is then
