"""Who may come in, all of it: the websites, the token, the seats."""

from __future__ import annotations

from dataclasses import dataclass

from web.options import Options, is_loopback
from web.origins import Origins
from web.seats import Seats
from web.token import Token


@dataclass(frozen=True, slots=True)
class Admission:
    origins: Origins
    token: Token
    seats: Seats

    @classmethod
    def of(cls, options: Options) -> Admission:
        return cls(
            Origins(options.origins, is_loopback(options.host)),
            Token(options.token),
            Seats(options.seats, options.per_address),
        )
