"""Who may come in, as tables; and seats never leak."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.origins import Origins, origin_of
from web.seats import Full, NotLetIn, Seats, TooMany, household_of
from web.token import NoToken, Token

LISTED = ["https://friend.example", "http://other.example:8080"]


@pytest.mark.parametrize(
    ("origin", "host", "secure", "allowed"),
    [
        (None, "localhost:7860", False, True),  # a program
        (None, None, False, True),
        ("http://localhost:7860", "localhost:7860", False, True),
        ("http://LocalHost:7860", "localhost:7860", False, True),
        ("http://127.0.0.1:7860", "127.0.0.1:7860", False, True),
        ("http://[::1]:7860", "[::1]:7860", False, True),
        ("http://example.org", "example.org", False, True),
        ("http://example.org", "example.org:80", False, True),
        ("https://example.org", "example.org", True, True),
        ("https://example.org:443", "example.org", True, True),
        ("https://example.org", "example.org", False, True),  # a proxy took the TLS off
        ("http://example.org", "example.org", True, False),  # a page that anybody on the way may have changed
        ("http://localhost:7861", "localhost:7860", False, False),
        ("http://localhost", "localhost:7860", False, False),
        ("http://127.0.0.1:7860", "localhost:7860", False, False),
        ("http://evil.example", "localhost:7860", False, False),
        ("http://localhost.evil.example:7860", "localhost:7860", False, False),
        ("http://localhost:7860", None, False, False),
        ("http://localhost:7860", "", False, False),
        ("https://friend.example", "localhost:7860", False, True),
        ("https://friend.example:443", None, True, True),
        ("http://friend.example", "localhost:7860", False, False),
        ("https://sub.friend.example", "localhost:7860", False, False),
        ("http://other.example:8080", "localhost:7860", True, True),
        ("http://other.example", "localhost:7860", False, False),
        ("null", "localhost:7860", False, False),
        ("null", "null", False, False),
        ("", "localhost:7860", False, False),
        ("localhost:7860", "localhost:7860", False, False),
        ("file://", "localhost:7860", False, False),
        ("ftp://localhost:7860", "localhost:7860", False, False),
        ("http://localhost:7860/", "localhost:7860", False, False),
        ("http://me@localhost:7860", "localhost:7860", False, False),
        ("http://localhost:7860\n", "localhost:7860", False, False),
        ("http://localhost:99999", "localhost:99999", False, False),
        ("http://localhost:", "localhost:", False, False),
        ("http://a b", "a b", False, False),
    ],
)
def test_which_pages_may_connect(origin, host, secure, allowed):
    assert Origins(LISTED).allows(origin, host, secure) is allowed


@pytest.mark.parametrize(
    ("token", "authorization", "subprotocols", "allowed"),
    [
        (None, None, [], True),
        (None, "Bearer anything", ["realtime"], True),
        ("s3cret", None, [], False),
        ("s3cret", "Bearer s3cret", [], True),
        ("s3cret", "bearer  s3cret ", [], True),
        ("s3cret", "Bearer s3cre", [], False),
        ("s3cret", "Bearer s3crets", [], False),
        ("s3cret", "Bearer ", [], False),
        ("s3cret", "Bearer", [], False),
        ("s3cret", "s3cret", [], False),
        ("s3cret", "Basic s3cret", [], False),
        ("s3cret", "Bearer \xe9", [], False),
        ("s3cret", None, ["realtime", "openai-insecure-api-key.s3cret"], True),
        ("s3cret", None, ["realtime", "openai-insecure-api-key.S3cret"], False),
        ("s3cret", None, ["realtime", "s3cret"], False),
        ("s3cret", "Bearer wrong", ["realtime", "openai-insecure-api-key.s3cret"], True),
    ],
)
def test_the_token(token, authorization, subprotocols, allowed):
    with nullcontext() if allowed else pytest.raises(NoToken):
        Token(token).require("192.0.2.1", authorization, subprotocols, {})


@pytest.mark.parametrize(
    ("address", "household"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::2%eth0", "fe80::2%eth0"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_which_addresses_count_as_one(address, household):
    assert household_of(address) == household


def test_a_full_server_says_so_and_a_seat_is_given_back_once():
    seats = Seats(seats=2, per_address=2)
    first = seats.enter("a")
    with seats.enter("b"):
        assert seats.free == 0
        with pytest.raises(Full, match=r"all 2 places .* try again") as error:
            seats.enter("c")
        assert error.value.code == "server_full"
    assert seats.free == 1
    first.leave()
    first.leave()
    with first:
        pass
    assert seats.free == 2


def test_one_address_may_not_take_every_seat():
    seats = Seats(seats=10, per_address=1)
    with seats.enter("2001:db8::1"):
        with pytest.raises(TooMany, match="a conversation is open from your address") as error:
            seats.enter("2001:db8::2")
        assert error.value.code == "too_many_sessions" and isinstance(error.value, NotLetIn)
        with seats.enter("2001:db8:0:1::1"):
            pass
    with seats.enter("2001:db8::2"):
        assert seats.free == 9


def test_a_seat_is_given_back_when_the_session_fails():
    seats = Seats(1, 1)
    with pytest.raises(ZeroDivisionError), seats.enter("a"):
        raise ZeroDivisionError
    assert seats.free == 1


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 9)), max_size=60),
)
def test_seats_never_leak(seats, per_address, steps):
    room = Seats(seats, per_address)
    inside, left = [], []
    for address, enters, which in steps:
        if enters:
            have = [a for a, _ in inside].count(address)
            try:
                inside.append((address, room.enter(address)))
                assert have < per_address and len(inside) <= seats
            except Full:
                assert len(inside) == seats
            except TooMany:
                assert have == per_address
        elif inside:
            left.append(inside.pop(which % len(inside))[1])
            left[-1].leave()
            left[which % len(left)].leave()  # again
        assert room.free == seats - len(inside)
    for _, seat in inside:
        seat.leave()
    assert room.free == seats
    assert len([room.enter("z") for _ in range(min(seats, per_address))]) == min(seats, per_address)


def test_origins_are_compared_by_their_parts():
    assert origin_of("HTTPS://Example.org") == origin_of("https://example.org:443") == ("https", "example.org", 443)


def test_a_rebound_name_is_not_this_machines_own():
    door = Origins(local=True)
    assert door.allows("http://localhost:7860", "localhost:7860", False)
    assert door.allows("http://127.0.0.1:7860", "127.0.0.1:7860", False)
    assert door.allows("http://[::1]:7860", "[::1]:7860", False)
    assert not door.allows("http://evil.example:7860", "evil.example:7860", False)
    assert Origins().allows("http://box.lan:7860", "box.lan:7860", False)
