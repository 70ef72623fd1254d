"""Guessing the token costs time; who has shown it is not disturbed."""

import pytest

from web.guesses import FORGOTTEN_S, FREE, KNOWN, LONGEST_S, Guesses
from web.token import Guessing, NoToken, Token


def test_each_wrong_token_beyond_the_first_few_costs_twice_as_long():
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(FREE + 8):
        now += guesses.wait_s("a", now)
        guesses.failed("a", now)
        waits.append(guesses.wait_s("a", now))
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 :] == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S, LONGEST_S]
    assert guesses.wait_s("b", now) == 0
    assert guesses.wait_s("a", now + LONGEST_S) == 0


def test_it_is_forgotten():
    guesses = Guesses()
    for _ in range(FREE):
        guesses.failed("a", 0.0)
    guesses.failed("a", FORGOTTEN_S + 1)  # the first one again
    assert guesses.wait_s("a", FORGOTTEN_S + 1) == 0
    for _ in range(FREE):
        guesses.failed("b", 0.0)
    guesses.succeeded("b")
    assert guesses.wait_s("b", 0.0) == 0


def test_a_crowd_of_addresses_takes_no_memory():
    guesses = Guesses()
    for n in range(2 * KNOWN):
        guesses.failed(str(n), float(n))
    assert len(guesses._records) == KNOWN


def test_the_right_token_waits_too_and_the_cookie_does_not():
    now = 0.0
    token = Token("s3cret", lambda: now)
    with pytest.raises(NoToken, match="none was shown"):
        token.require("192.0.2.1", None, (), {})
    for _ in range(FREE):
        with pytest.raises(NoToken, match="this is not it"):
            token.require("192.0.2.1", "Bearer wrong", (), {})
    with pytest.raises(Guessing, match="wait 1 s") as waiting:  # else its answers would tell when it is right
        token.require("192.0.2.1", "Bearer s3cret", (), {})
    assert waiting.value.wait_s == 1
    name, value = token.cookie
    token.require("192.0.2.1", None, (), {name: value})
    token.require("192.0.2.2", "Bearer s3cret", (), {})
    now = 1.0
    token.require("192.0.2.1", "Bearer s3cret", (), {})
    with pytest.raises(NoToken):  # and begins anew
        token.require("192.0.2.1", "Bearer wrong", (), {})


def test_the_cookie_tells_nothing_and_is_this_tokens_alone():
    one, other = Token("one"), Token("two")
    assert one.cookie == Token("one").cookie
    assert one.cookie[0] != other.cookie[0] and one.cookie[1] != other.cookie[1]
    assert "one" not in "".join(one.cookie)
    assert one.knows(dict([one.cookie])) and not other.knows(dict([one.cookie]))
    assert not one.knows({}) and not one.knows({one.cookie[0]: ""}) and not one.knows({one.cookie[0]: "é"})
    assert Token().knows({})
