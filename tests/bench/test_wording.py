"""What was said against what was heard, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wording import interval, percent, words, wrong


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It's okay!", "it is okay"),
        ("Seven times eight is fifty-six.", "7x8 is 56"),
        ("at seven thirty PM", "at 7:30 p.m."),
        ("nineteen twenty-one", "1921"),
        ("call nine one one", "Call 911."),
        ("forty-two dollars and fifty cents", "$42.50"),
        ("fifteen percent", "15%"),
        ("two point five", "2.5"),
        ("one hundred eighty-six thousand", "186,000"),
        ("Doctor Miller", "Dr. Miller"),
        ("three hundred thirty meters", "330 m"),
        ("It cost one dollar, the one", "it cost $1, the 1"),
        ("", " ... "),
    ],
)
def test_however_it_is_written_the_words_are_the_same(one, other):
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("two point five", "twenty-five"), ("5%", "5"), ("$5", "5"), ("can", "can't"), ("a cello", "cello")],
)
def test_what_means_something_else_has_other_words(one, other):
    assert words(one) != words(other)


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a b c", "a b x c", 1),
        ("a b c", "b c a", 2),
        ("a b c d", "x a c y z", 4),
        ("k i t t e n", "s i t t i n g", 3),
        ("i n t e n t i o n", "e x e c u t i o n", 5),
    ],
)
def test_wrong_words_are_counted(said, heard, count):
    assert wrong(said.split(), heard.split()) == count


TEXTS = st.lists(st.sampled_from("abc"), max_size=8)


@given(TEXTS, TEXTS, TEXTS)
def test_wrong_is_a_distance(a, b, c):
    assert (wrong(a, b) == 0) == (a == b)
    assert wrong(a, b) == wrong(b, a) <= wrong(a, c) + wrong(c, b)
    assert abs(len(a) - len(b)) <= wrong(a, b) <= max(len(a), len(b))


def test_the_percentage_is_of_all_words_and_not_of_sentences():
    assert percent([(1, 1), (0, 9)]) == 10.0
    assert percent([(6, 3)]) == 200.0


def test_the_interval_narrows_with_more_sentences():
    few, many = ([(0, 10), (1, 10)] * n for n in (10, 250))
    (low, high), (lower, higher) = interval(few), interval(many)
    assert low < lower < 5 < higher < high
    assert high - low == pytest.approx(5 * (higher - lower), rel=0.1)
    assert interval([(0, 7)] * 9) == (0.0, 0.0)
