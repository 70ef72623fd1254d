"""python -m voicechat.parts: what can be fetched, and what is on this disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from voicechat.commandline import Parser
from voicechat.errors import ConfigError
from voicechat.parts import Part, PartError, Store, part, parts
from voicechat.parts.manifest import Hub
from voicechat.voices import full

EPILOG = """\
Nothing that comes with a part is ever run. They are kept in $VOICECHAT_HOME, or in the cache folder of the platform.
Any other voice of Piper's has a name as in piper:en_GB-alba-medium and comes from the model hub,
and so does an English style of Kokoro's, as in kokoro:af_heart.
Exit code: 0 done, 1 it failed, 2 it cannot be meant."""


def main(arguments: list[str] | None = None) -> int:
    store = Store()
    try:
        options = _parser().read(arguments, lambda word: f"fetch {word}")
        names = [part(full(name)).name for name in getattr(options, "names", [])]
    except (PartError, ConfigError) as error:
        return _complain(error, 2)
    try:
        match options.do:
            case "list" | None:
                _list(store)
            case "fetch":
                for name in names:
                    with _shown() as progress:
                        print(f"{name} is in {store.fetch(name, progress, _waiting)}")
            case "verify":
                for name in names or [name for name in parts() if store.state(name) == "here"]:
                    print(f"{name} is whole in {store.verify(name)}")
            case "remove":
                for name in names:
                    print(f"{name} {'has been removed' if store.remove(name, _waiting) else 'was not there'}")
    except PartError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m voicechat.parts", description="What can be fetched, and what is on this disk.", epilog=EPILOG
    )
    doing = parser.add_subparsers(dest="do")
    doing.add_parser("list", help="what there is (also without a word)")
    for word, many, told in (
        ("fetch", "+", "fetch parts, or what is missing of them"),
        ("verify", "*", "read every byte again; without a name: of all that are here"),
        ("remove", "+", "delete parts"),
    ):
        doing.add_parser(word, help=told).add_argument("names", nargs=many, metavar="NAME")
    return parser


def _list(store: Store) -> None:
    table = Table(box=None, pad_edge=False, header_style="")
    for title in ("name", "language", "size", "on this disk", "licence", "from"):
        table.add_column(title, justify="right" if title == "size" else "left", overflow="fold")
    for each in parts().values():
        state = {"here": "yes", "partly": "in part", "absent": "no"}[store.state(each.name)]
        table.add_row(each.name, each.language, f"{each.size / 1e6:.0f} MB", state, each.licence, _sources(each))
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)
    console.print(f"They are kept in {store.home / 'parts'}", highlight=False, soft_wrap=True)


def _sources(each: Part) -> str:
    named = []
    for source in each.files[0].sources:
        if isinstance(source, Hub):
            place = f"hub {source.repository}"
        else:
            place = "PyPI " + " and ".join(piece.project for piece in source.pieces)
        named.append(place if source.tried else f"{place} (untried)")
    return ", ".join(named)


@contextmanager
def _shown() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal; elsewhere a line for each file."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    tasks: dict[str, int] = {}

    def progress(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(file, total=total or None)
            if not console.is_terminal:
                size = f", {total / 1e6:.0f} MB" if total else ""
                print(f"fetching {file}{size}", file=sys.stderr, flush=True)
        bar.update(tasks[file], completed=done)  # type: ignore[arg-type]

    with bar:
        yield progress


def _waiting() -> None:
    print("another process is fetching it: waiting for that", file=sys.stderr, flush=True)


def _complain(error: Exception, code: int) -> int:
    print("voicechat:", " ".join(str(error).split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
