"""Token deltas -> speakable pieces. Pure and incremental; no piece ever loses or changes a character."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from enum import IntEnum

from tts.words import (
    CLAUSE_MARKS,
    CLOSERS,
    OPENERS,
    SENTENCE_MARKS,
    count_words,
    holds,
    is_abbreviation,
    is_conjunction,
    is_day,
    is_measure,
    is_numbered,
    is_preposition,
    leans,
)

_UNIT = re.compile(r"\S+")
_ENUMERATOR = re.compile(r"(?:\d{1,3}|[a-zA-Z])[.)]")
_DASHES = ("-", "–", "—")
_RANGES = ("-", "–")
# Marks that end a clause with no space behind them: a dash between words, CJK punctuation.
_INNER = re.compile(r"(?<=[^\W\d_])—(?=[^\W\d_])|[。！？，；：、]+[”’」』）】]*(?=[^\s。！？，；：、”’」』）】])")
_ADDRESS = re.compile(r"://|^\W*www\.|@")


class _Break(IntEnum):
    NONE = 0
    CLAUSE = 1
    SENTENCE = 2


class Splitter:
    """Cuts a stream of text into pieces that a voice can speak one after another.

    The first piece leaves at the first clause mark, or at a conjunction or a word boundary when none comes;
    later pieces are sentences, or clauses of at least `clause_words` words. The cuts depend on the text
    alone, never on how it arrived: a mark whose meaning hangs on the next character waits for it.
    """

    def __init__(self, clause_words: int = 5, marks_only: bool = False) -> None:
        """`marks_only` leaves a clause whole, however long, where it has no mark to cut at."""
        self._clause_words = clause_words
        self._marks_only = marks_only
        self._reset()

    def _reset(self) -> None:
        self._buffer = ""  # not yet handed out
        self._scanned = 0  # of the buffer, up to here every unit is counted
        self._words = 0  # in the scanned part
        self._first = True
        self._line_start = True  # the next unit opens a line
        self._leans = False  # the last unit must not be parted from the next one
        self._code = ""  # the open run of backticks
        self._code_units = 0

    def push(self, delta: str) -> list[str]:
        """The pieces that `delta` completes, in order; their text is no longer held."""
        self._buffer += delta
        return list(self._pieces(final=False))

    def flush(self) -> list[str]:
        """Everything that is still held, and a fresh start for the next text."""
        rest = list(self._pieces(final=True))
        if self._buffer:
            rest.append(self._buffer)
        self._reset()
        return rest

    def _pieces(self, final: bool) -> Iterator[str]:
        while found := _UNIT.search(self._buffer, self._scanned):
            start, end = found.span()
            if inner := _inner_mark(found.group()):
                end = start + inner
            elif end == len(self._buffer) and not final:
                return
            unit, after = self._buffer[start:end], self._buffer[end : end + 2]
            strength = self._strength(unit, after, final)
            if strength is None:
                return
            if start and self._cuts_before(unit):
                yield self._cut(start)
                continue
            self._count(unit, after)
            self._scanned = end
            if self._cuts_after(unit, after[1:], strength):
                yield self._cut(end + after[:1].isspace())

    def _strength(self, unit: str, after: str, final: bool) -> _Break | None:
        """What ends behind the unit; None while that hangs on text that is still to come."""
        core = unit.rstrip(CLOSERS)
        bare = "" if "`" in unit[len(core) :] else core.lstrip(OPENERS)  # the stop in `cd .` is code
        newline = after[:1] == "\n"
        before = self._before
        hanging = newline or is_numbered(bare) or bare in _RANGES or is_day(before, bare)
        hanging = hanging or (is_measure(bare) and before[-1:].isdigit())
        if len(after) < 2 and not final and (hanging or self._is_long(unit)):
            return None
        follower = after[1:]
        if newline and (follower.isdigit() or follower in "\n-*+•#>|"):
            return _Break.SENTENCE  # a new paragraph, heading or list item
        strength = self._marked(bare, follower)
        return max(strength, _Break.CLAUSE) if newline else strength

    def _marked(self, bare: str, follower: str) -> _Break:
        if not bare or is_abbreviation(bare):
            return _Break.NONE
        if (self._line_start or not self._words) and _ENUMERATOR.fullmatch(bare):
            return _Break.NONE
        if bare.endswith(("...", "…")):
            return _Break.CLAUSE
        if is_numbered(bare) and follower.isdigit():
            return _Break.NONE
        before = self._before
        if is_measure(bare) and (follower.islower() or follower.isdigit()) and before[-1:].isdigit():
            return _Break.NONE
        if bare[-1] in SENTENCE_MARKS:
            return _Break.SENTENCE
        if bare in _DASHES:
            # "5 - 3", "10 – 20" and "5 km – 10 km" stay whole
            whole = before[-1:].isdigit() or (bare in _RANGES and follower.isdigit())
            return _Break.NONE if whole else _Break.CLAUSE
        if follower.isdigit() and is_day(before, bare):
            return _Break.NONE
        return _Break.CLAUSE if bare[-1] in CLAUSE_MARKS else _Break.NONE

    def _cuts_before(self, unit: str) -> bool:
        if self._marks_only or self._code or self._leans:
            return False
        conjunction, preposition = (6, 8) if self._first else (14, 18)
        if self._words >= conjunction and is_conjunction(unit):
            return True
        return self._words >= preposition and is_preposition(unit)

    def _cuts_after(self, unit: str, follower: str, strength: _Break) -> bool:
        if not self._words or self._code:
            return False
        if strength is _Break.SENTENCE:
            return True
        if strength is _Break.CLAUSE:
            return self._first or self._words >= self._clause_words
        if self._marks_only or self._words < self._limit:
            return False
        # Past the limit a word boundary must do, and some way past it even a poor one.
        whole = self._leans or holds(unit, follower)
        return not whole or (self._words >= self._limit + 6 and unit[-1].isalpha())

    @property
    def _before(self) -> str:
        """The last unit that was scanned, as far as it tells something."""
        return "".join(self._buffer[max(0, self._scanned - 16) : self._scanned].split()[-1:])

    @property
    def _limit(self) -> int:
        """Words after which a piece ends at a mere space."""
        return 12 if self._first else 25

    def _is_long(self, unit: str) -> bool:
        """Whether the piece may end behind the unit without a mark."""
        return not self._marks_only and self._words + count_words(unit) >= self._limit

    def _count(self, unit: str, after: str) -> None:
        self._words += count_words(unit)
        self._line_start = after[:1] == "\n"
        self._leans = leans(unit)
        self._code_units += 1
        for run in re.finditer("`+", unit):
            if run.group() == self._code:
                self._code = ""
            elif not self._code and (run.end() < len(unit) or len(run.group()) > 2):
                self._code, self._code_units = run.group(), 0
        # A backtick that does not close soon is a stray mark, not code.
        if len(self._code) in (1, 2) and (self._line_start or self._code_units > 12):
            self._code = ""

    def _cut(self, at: int) -> str:
        piece, self._buffer = self._buffer[:at], self._buffer[at:]
        self._scanned, self._words, self._first, self._leans = 0, 0, False, False
        return piece


async def pieces(deltas: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """The pieces of a stream of text, each as soon as it is complete, the rest when the stream ends."""
    splitter = Splitter()
    async for delta in deltas:
        for piece in splitter.push(delta):
            yield piece
    for piece in splitter.flush():
        yield piece


def _inner_mark(unit: str) -> int:
    """Length of the part of the unit that a mark without a space ends; 0 where there is none."""
    for mark in _INNER.finditer(unit):
        if not _ADDRESS.search(unit[: mark.end()]):
            return mark.end()
    return 0
