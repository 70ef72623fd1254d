"""Guesses at the token: who guesses wrongly again and again waits ever longer. Pure: the caller tells the time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FREE = 5  # wrong tokens from one address before it has to wait
LONGEST_S = 60.0
FORGOTTEN_S = 900.0  # after the last wrong one
KNOWN = 10_000  # addresses; the one that has been quiet longest is forgotten first


@dataclass(slots=True)
class _Record:
    wrong: int
    last_s: float


class Guesses:
    """Wrong tokens by address. Times are seconds of any clock that does not run backwards."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until this address may try again; 0 where it may now."""
        record = self._records.get(address)
        if record is None or record.wrong < FREE:
            return 0.0
        pause_s = min(LONGEST_S, 2.0 ** (record.wrong - FREE))
        return max(0.0, record.last_s + pause_s - now_s)

    def failed(self, address: str, now_s: float) -> None:
        """A wrong token has come from this address."""
        record = self._records.pop(address, None)
        if record is None or now_s - record.last_s > FORGOTTEN_S:
            record = _Record(0, now_s)
        self._records[address] = _Record(record.wrong + 1, now_s)
        if len(self._records) > KNOWN:
            self._records.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """The right token has come from this address."""
        self._records.pop(address, None)
