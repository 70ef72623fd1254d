"""Where text is cut for speaking: early at first, never inside what belongs together, nothing lost."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.speakable import speakable
from tts.text import Splitter, pieces
from tts.words import closing_mark, unstopped


def split(*deltas: str) -> list[str]:
    splitter = Splitter()
    return [piece for delta in deltas for piece in splitter.push(delta)] + splitter.flush()


CUTS = [
    # the first clause leaves early; what follows is sentences or long clauses (| marks the cuts)
    "Well, |I hear a dog.",
    "Yes. |It is, as far as I can tell, |a violin.",
    "Hello there; |how are you?",
    "Listen: |it barks.",
    "A dog — |and traffic behind it.",
    "A dog—|and traffic behind it.",
    "I can hear a small dog barking |and a car that drives past it.",
    "There seems to be somebody playing an old piano very slowly indeed |tonight.",
    "Hm... |I do not know.",
    "What?! |No way!!! |Sure.",
    "Hi. |One, two, three, four, five, |six, seven.",
    "The audio contains the sound of a violin playing a slow melody |in a large hall.",
    # numbers
    "It has 1,000 parts and 3.14 more at 10:30.",
    "Es sind 5,5 Meter.",
    "It took 5 - 3 seconds, |or so.",
    "From 10 – 20 of them.",
    "In 1999, |it rained.",
    "It costs 5. |Then it rose.",
    "On March 5, 2024, |it rained.",
    "On March 5, |it rained.",
    "I ran 5 km – 10 km, |or so.",
    "It costs 5% – 10% more.",
    "I ran 5 km – |it rained.",
    "He is 5 ft. 3 in. tall.",
    "He waited 5 min. |Then he left.",
    "Come in. |then go.",
    # stops that end no sentence
    "Dr. Smith and Mrs. Jones met Mr. Brown.",
    "Take fruit e.g. apples, |i.e. nothing else.",
    "The U.S. team won vs. Spain.",
    "It is No. 5 in Fig. 2 of Jan. 3.",
    "No. |I do not.",
    "Apples etc. are at St. James.",
    "J. S. Bach wrote it.",
    "At 5 p.m. we met.",
    "1. Open the door.\n|2. Close it.",
    "a) Open it.",
    "Open the door. |2. Close it.",
    # things that are not prose
    "See https://a.example/x.y?z=1,2;3—4 now. |Good.",
    "See www.example.com. |Mail me@example.com, please.",
    "Open main.py in v1.2.3 first. |Then go.",
    "Call `a. b, c` first. |Then go.",
    "Run `pip install -e .` in it. |Then go.",
    "Say:\n|```\na. b, c. d\n\ne.\n```\n|Done.",
    "Press the ` key. |Go on.",
    "Press `the key. Now go on and press it once again or even three times. |Good.",
    # what closes a sentence stays with it
    '"Stop!" |she said.',
    "(Really?) |Yes.",
    "It is **bold.** |Next one.",
    "“Ja.” |Gut.",
    # lines
    "A title\n|\nSome text.",
    "You need:\n|- a dog\n|- a cat\n",
    "你好，|我听到一只狗。|还有车。",
]


@pytest.mark.parametrize("marked", CUTS)
def test_cuts(marked: str) -> None:
    expected = marked.split("|")
    assert split(marked.replace("|", "")) == expected
    assert split(*marked.replace("|", "")) == expected


def test_the_first_clause_leaves_as_soon_as_its_comma_is_certain() -> None:
    splitter = Splitter()
    assert splitter.push("Well,") == []
    assert splitter.push(" ") == ["Well, "]
    assert splitter.push("it costs 3.") == []
    assert splitter.push("5 euros.") == []
    assert splitter.push(" Then") == ["it costs 3.5 euros. "]
    assert splitter.flush() == ["Then"]
    assert splitter.push("So, again") == ["So, "], "after a flush the next text starts afresh"


TEXT = st.text(st.sampled_from("aI 15.,:;!?—-–…`*_\n\"'()。，é😀\u00a0\0"), max_size=80) | st.text(max_size=80)
WORDS = st.lists(
    st.sampled_from(
        [
            "Well,",
            "Dr.",
            "No.",
            "5",
            "3.14",
            "and",
            "the",
            "dog",
            "barks.",
            "`x.",
            "y`",
            "```",
            "\n",
            "a@b.c,",
            "-",
        ]
    ),
    max_size=40,
).map(" ".join)


@given(TEXT | WORDS, st.data())
def test_pieces_add_up_to_the_text_and_do_not_depend_on_the_deltas(text: str, data: st.DataObject) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    deltas = [text[i:j] for i, j in zip([0, *at], [*at, len(text)], strict=True)]
    assert "".join(split(*deltas)) == text
    assert split(*deltas) == split(text) == split(*text)
    assert all(split(text))


NUMBER = st.from_regex(r"\d{1,3}([.,:]\d{1,3}){1,3}", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(["costs", "at", "dogs,", "then."]), NUMBER), min_size=1, max_size=20))
def test_no_number_is_cut(pairs: list[tuple[str, str]]) -> None:
    text = " ".join(f"{word} {number}" for word, number in pairs)
    cut = split(*text)
    assert [n for piece in cut for n in re.findall(r"\d[\d.,:]*", piece)] == [number for _, number in pairs]


@given(st.lists(st.sampled_from(["dog", "cat", "runs", "sings", "house", "blue"]), min_size=30, max_size=90))
def test_a_clause_without_marks_does_not_stall_the_voice(words: list[str]) -> None:
    cut = split(" ".join(words))
    assert len(cut[0].split()) <= 12
    assert all(len(piece.split()) <= 25 for piece in cut)


async def test_pieces_are_a_stage() -> None:
    async def deltas() -> AsyncIterator[str]:
        for delta in ["Well", ",", " it", " barks", ". ", "Good"]:
            await asyncio.sleep(0)
            yield delta

    async with aclosing(pieces(deltas())) as stage:
        assert [piece async for piece in stage] == ["Well, ", "it barks. ", "Good"]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Bold**, and _so_ on", "Bold, and so on"),
        ("# Title\n- item\n> quote", "Title item quote"),
        ("[a link](http://x.org/a_b) here", "a link here"),
        ("![alt](x.png)", "alt"),
        ("Use `foo_bar` 😀👍🏽!", "Use foo bar!"),
        ("```python\nx\n```", "x"),
        ("3*4 is 12, 3 * 4 too; -5 C#", "3*4 is 12, 3 * 4 too; -5 C#"),
        ("nul\0 and bell\a", "nul and bell"),
        ("see https://x.org/a", "see x.org/a"),
        ("plain, text [1] (here) a < b", "plain, text [1] (here) a < b"),
    ],
)
def test_speakable(written: str, spoken: str) -> None:
    assert " ".join(speakable(written).split()) == spoken


@given(TEXT | WORDS)
def test_speakable_keeps_every_position(text: str) -> None:
    assert len(unstopped(speakable(text))) == len(speakable(text)) == len(text)


def test_unstopped_keeps_the_stop_of_the_sentence() -> None:
    assert unstopped("Dr. Who lives in the U.S. ") == "Dr  Who lives in the U.S. "


@pytest.mark.parametrize(
    ("piece", "mark"),
    [
        ("Well, ", ","),
        ('"Yes." ', "."),
        ("**no!**", "!"),
        ("so\n", "\n"),
        ("and then ", ""),
        ("", ""),
        ("a — ", "—"),
    ],
)
def test_closing_mark(piece: str, mark: str) -> None:
    assert closing_mark(piece) == mark
