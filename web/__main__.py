"""`python -m web`: serve conversations to a page, a kiosk and programs. `--help` tells the options."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
import warnings

from streaming.aec import EchoCanceller
from voicechat.chat import VoiceChat
from voicechat.errors import ConfigError, VoiceChatError
from web import tls
from web.options import Options, parse


def main() -> int:
    """The exit code: 0 it was stopped, 1 it failed, 2 an option or a file cannot be used."""
    debugging = os.environ.get("VOICECHAT_DEBUG", "0") not in ("", "0")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it has stopped
    if not debugging:
        warnings.simplefilter("ignore")
    try:
        return _main(parse(sys.argv[1:]))
    except VoiceChatError as error:
        if debugging:
            traceback.print_exception(error)
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        if debugging:
            traceback.print_exception(error)
        complain(f"it failed unexpectedly ({error!r}): VOICECHAT_DEBUG=1 shows where")
        return 1


def _main(options: Options) -> int:
    # before the model is loaded: a port that is taken is told at once
    listening = _listen("--port", options.host, options.port)
    metrics = None if options.metrics_port is None else _listen("--metrics-port", "127.0.0.1", options.metrics_port)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    chats: dict[str, VoiceChat] = {}
    for name in options.model:
        chat = VoiceChat(options.config(name))
        if chat.notice:
            complain(chat.notice)
        if chat.hint and not chats and sys.stderr.isatty():
            complain(chat.hint)
        chats[chat.model.name] = chat
    from web.application import application
    from web.server import serve

    certificate, key = options.certificate, options.key
    if options.tls:
        certificate, key = tls.certificate(tls.default_folder(), [options.host])
    port = listening.getsockname()[1]
    urls = _urls(options, port)
    metrics_port = None if metrics is None else metrics.getsockname()[1]
    app = application(chats, options, metrics_port)
    print(f"voicechat ({', '.join(chats)}) is at {urls[0]} - kiosk: {urls[0]}/kiosk; Ctrl-C stops it", flush=True)
    if options.token is not None:
        print(f"  the kiosk, with the token: {urls[0]}/kiosk#token={_told(options.token)}", flush=True)
    for url in urls[1:]:
        print(f"  from other machines: {url}", flush=True)
    if metrics_port is not None:
        print(f"  for Prometheus, on this machine: http://127.0.0.1:{metrics_port}/metrics", flush=True)
    if options.tls and certificate is not None:
        print(tls.how_to_accept(urls, tls.fingerprint(certificate)), flush=True)
    if options.warning:
        complain(options.warning)
    _settle()
    serve(app, options, listening, metrics, certificate, key)
    for chat in chats.values():
        chat.close()
    return 0


def _settle() -> None:
    """What has been loaded by now stays for ever: Python's collector need not look at it again and again.

    It would put off looking at what conversations leave behind, until there is a quarter as much of that.
    """
    EchoCanceller.load()
    gc.collect()
    gc.freeze()
    gc.collect()


def _listen(option: str, host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}): "
            f"choose another {option}, or {option} 0 for any that is free"
        ) from None
    return listening


def _told(token: str) -> str:
    """The token where a person reads it at once; where a log may keep it, dots."""
    return token if sys.stdout.isatty() else "..."


def _urls(options: Options, port: int) -> list[str]:
    """Where browsers find the page, this machine's own address first."""
    scheme = "https" if options.secure else "http"
    host = options.host
    if host in ("0.0.0.0", "::"):
        return [f"{scheme}://{name}:{port}" for name in ("localhost", *tls.addresses())]
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"]


def complain(message: str) -> None:
    print("voicechat:", " ".join(message.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
