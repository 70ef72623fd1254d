"""The command line of `python -m web`, checked before anything is loaded."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl

from voicechat.commandline import Parser
from voicechat.config import DEVICES, Config
from voicechat.errors import ConfigError
from voicechat.voices import CHOICE, CHOSEN
from web.origins import origin_of

TOKEN_VARIABLE = "VOICECHAT_TOKEN"
EPILOG = """\
It listens on this machine alone until --host says otherwise: --host 0.0.0.0 --tls lets the house in.
The page is at /, the kiosk at /kiosk, the OpenAI Realtime protocol at /v1/realtime.
Exit code: 0 it was stopped, 1 it failed, 2 an option or a file cannot be used."""

HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII | re.IGNORECASE)
TOKEN = re.compile(r"[A-Za-z0-9._~-]+")  # what may stand in a header and in the name of a sub-protocol


@dataclass(frozen=True, slots=True)
class Options:
    model: list[str]  # the first is the default
    device: str
    voice: str
    instructions: str
    greedy: bool
    seed: int | None
    smart_turn: bool
    host: str
    port: int  # 0: any that is free
    origins: list[str]
    token: str | None
    metrics_port: int | None  # 0: any that is free
    tls: bool
    certificate: Path | None
    key: Path | None
    seats: int
    per_address: int
    max_session_min: float
    idle_min: float
    kiosk: str

    @property
    def secure(self) -> bool:
        """Whether the server speaks TLS."""
        return self.tls or self.certificate is not None

    @property
    def warning(self) -> str:
        """One line for the operator, or ""."""
        if self.secure or is_loopback(self.host):
            return ""
        return (
            "browsers on other machines will refuse the microphone over plain HTTP: add --tls "
            "(programs, and browsers on this machine at http://localhost, are not concerned)"
        )

    def config(self, model: str) -> Config:
        """How a conversation with one of the models is held."""
        return Config.of(
            model=model, device=self.device, voice=self.voice, instructions=self.instructions,
            greedy=self.greedy, seed=self.seed, smart_turn=self.smart_turn,
        )  # fmt: skip


def parse(arguments: list[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Raises ConfigError for what cannot be meant, naming the nearest option; SystemExit after --help."""
    known = _parser().read(arguments, lambda word: f"--port {word}" if word.isdigit() else f"--model {word}")
    known.model = known.model or ["auto"]
    known.per_address = known.seats if known.per_address is None else known.per_address
    known.host = known.host.removeprefix("[").removesuffix("]")
    known.kiosk = known.kiosk.removeprefix("?")
    if known.token is None:
        known.token = environment.get(TOKEN_VARIABLE) or None
    options = Options(**vars(known))
    _check_models(options)
    _check_address(options)
    _check_limits(options)
    _check_doors(options)
    _check_certificate(options)
    return options


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a server at `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _parser() -> Parser:
    parser = Parser(
        prog="python -m web",
        description="The conversation over the network: a page, a kiosk, and the OpenAI Realtime protocol.",
        epilog=EPILOG,
    )
    who = parser.add_argument_group("who answers")
    who.add_argument("--model", metavar="M", action="append", default=[],
                     help="auto, mini, a model directory, or a hub id on this disk; more than one may be given, "
                          "the first is the default (default: auto)")  # fmt: skip
    who.add_argument("--device", choices=DEVICES, default="auto", help="where the model runs (default: auto)")
    who.add_argument("--voice", metavar="V", default=CHOSEN, help=f"how it sounds (default: {CHOICE})")
    who.add_argument("--instructions", metavar="TEXT", default="", help="what the model is told first")
    who.add_argument("--greedy", action="store_true", help="the likeliest word always")
    who.add_argument("--seed", metavar="N", type=int, help="make the choice of words repeatable")
    who.add_argument("--smart-turn", action="store_true",
                     help="wait longer where Smart Turn hears that a sentence goes on (for human voices; it must be "
                          "installed)")  # fmt: skip
    where = parser.add_argument_group("where it listens")
    where.add_argument("--host", metavar="H", default="127.0.0.1",
                       help="0.0.0.0 for other machines too (default: 127.0.0.1, this machine alone)")  # fmt: skip
    where.add_argument("--port", metavar="N", type=int, default=7860, help="0 for any that is free (default: 7860)")
    where.add_argument("--tls", action="store_true",
                       help="https, with a certificate made here: browsers on other machines need it for the "
                            "microphone")  # fmt: skip
    where.add_argument("--certificate", metavar="F.pem", type=Path, help="https, with this certificate and --key")
    where.add_argument("--key", metavar="F.pem", type=Path, help="the private key of --certificate")
    doors = parser.add_argument_group("who may come in")
    doors.add_argument("--token", metavar="T",
                       help=f"what clients must show (better: the environment variable {TOKEN_VARIABLE}, which other "
                            "users of this machine cannot see)")  # fmt: skip
    doors.add_argument("--metrics-port", metavar="N", type=int,
                       help="answer /metrics on a port of its own too, for this machine alone and without the token; "
                            "0 for any that is free")  # fmt: skip
    doors.add_argument("--origin", metavar="https://H", dest="origins", action="append", default=[],
                       help="a website whose pages may connect too (repeatable)")  # fmt: skip
    doors.add_argument("--seats", metavar="N", type=int, default=10, help="conversations at once (default: 10)")
    doors.add_argument("--per-address", metavar="N", type=int,
                       help="of these, from one address (default: all of them)")  # fmt: skip
    doors.add_argument("--max-session-min", metavar="MIN", type=float, default=60,
                       help="the longest conversation (default: 60)")  # fmt: skip
    doors.add_argument("--idle-min", metavar="MIN", type=float, default=10,
                       help="how long one may last in which nothing is said (default: 10)")  # fmt: skip
    kiosk = parser.add_argument_group("the kiosk")
    kiosk.add_argument("--kiosk", metavar="OPTIONS", default="",
                       help="what /kiosk does when its address does not say, e.g. 'silence=30&push=1'")  # fmt: skip
    return parser


def _check_models(options: Options) -> None:
    for at, name in enumerate(options.model):
        if not name.strip():
            raise ConfigError("a --model is empty: give auto, mini, a model directory, or a hub id on this disk")
        if name in options.model[:at]:
            raise ConfigError(f"--model {name} is given twice: once is enough")


def _check_address(options: Options) -> None:
    host = options.host
    if "://" in host:
        raise ConfigError(f"--host {host} is an address with a scheme: give the host alone, e.g. --host 0.0.0.0")
    try:
        ip_address(host)
    except ValueError:
        name, colon, port = host.rpartition(":")
        if colon and port.isdigit():
            raise ConfigError(f"--host {host} has a port in it: give --host {name.rstrip(']')} --port {port}") from None
        if not HOST_NAME.fullmatch(host) or re.fullmatch(r"[0-9.]+", host):
            raise ConfigError(
                f"--host {host!r} is no address and no name: give 127.0.0.1 for this machine alone, 0.0.0.0 for all"
            ) from None
    for name, number in (("--port", options.port), ("--metrics-port", options.metrics_port or 0)):
        if not 0 <= number <= 65_535:
            raise ConfigError(f"{name} {number} does not exist: give 1 to 65535, or 0 for any that is free")
    if options.port and options.metrics_port == options.port:
        raise ConfigError(f"--port and --metrics-port are both {options.port}: give them two numbers")


def _check_limits(options: Options) -> None:
    for name, number in (("--seats", options.seats), ("--per-address", options.per_address)):
        if number < 1:
            raise ConfigError(f"{name} {number} lets nobody in: give 1 or more")
    for name, minutes in (("--max-session-min", options.max_session_min), ("--idle-min", options.idle_min)):
        if not 0 < minutes < float("inf"):
            raise ConfigError(f"{name} {minutes:g} is no length: give minutes, e.g. 60")


def _check_doors(options: Options) -> None:
    for origin in options.origins:
        if origin_of(origin) is None:
            raise ConfigError(
                f"--origin {origin!r} is no website: give scheme and host, nothing behind them, "
                "e.g. https://example.org"
            )
    if options.token is not None and not TOKEN.fullmatch(options.token):
        raise ConfigError(
            "the token cannot be used: browsers can send only letters, digits and . _ ~ - "
            '(make one: python -c "import secrets; print(secrets.token_urlsafe())")'
        )
    if options.kiosk and not _is_query(options.kiosk):
        raise ConfigError(f"--kiosk {options.kiosk!r} is no query string: write e.g. --kiosk 'silence=30&push=1'")
    if _names_token(options.kiosk):
        raise ConfigError(
            "--kiosk has a token in it, which would stand in everybody's address: leave it out, and open the kiosk "
            "with /kiosk#token=..."
        )


def _names_token(query: str) -> bool:
    return any(name == "token" for name, _ in parse_qsl(query, keep_blank_values=True))


def _is_query(text: str) -> bool:
    if re.search(r"[\s#?]", text):
        return False
    try:
        return bool(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return False


def _check_certificate(options: Options) -> None:
    certificate, key = options.certificate, options.key
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        have, lacks = ("--key", "--certificate") if certificate is None else ("--certificate", "--key")
        raise ConfigError(f"{have} needs {lacks} beside it; or leave out both, and --tls makes a pair")
    if options.tls:
        raise ConfigError("--tls makes a certificate, and --certificate brings one: leave out one of them")
    for name, path in (("--certificate", certificate), ("--key", key)):
        if not path.is_file():
            raise ConfigError(f"{name} {path} is no file: give the PEM file, or --tls, which makes a certificate")
    try:
        # a password that is wrong: without one, OpenSSL would ask for it at the terminal
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise ConfigError(
            f"--certificate {certificate} and --key {key} cannot be used together: give a PEM certificate and the key "
            "that it was made with, without a passphrase"
        ) from None
    except OSError as error:
        raise ConfigError(f"{error.filename or key} cannot be read ({error.strerror}): check its permissions") from None
