"""The command line of a program: its errors are one line, and say what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

from voicechat.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigError; an option has one spelling, and an epilog keeps its lines."""

    def __init__(self, **said: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **said)

    def read(self, arguments: list[str] | None, meant: Callable[[str], str]) -> argparse.Namespace:
        """The options; `meant` is the option that somebody meant who gave a word alone. SystemExit after --help."""
        known, unknown = self.parse_known_args(arguments)
        if not unknown:
            return known
        word = unknown[0]
        if not word.startswith("-"):
            self.error(f"{word!r} stands alone: did you mean {meant(word)}?")
        names = [name for name in self._option_string_actions if name.startswith("--")]
        near = get_close_matches(word.partition("=")[0], names, 1, 0)
        raise ConfigError(f"there is no option {word!r}: did you mean {near[0]}? `{self.prog} --help` lists them all")

    def error(self, message: str) -> NoReturn:
        lists = "" if message.endswith("?") else f": `{self.prog} --help` lists the options"
        raise ConfigError(f"{message}{lists}")
