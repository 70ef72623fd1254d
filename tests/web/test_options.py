"""The command line of the server: what it takes, and what it says when it cannot be meant."""

import shutil
import subprocess
from pathlib import Path

import pytest

from voicechat.config import Config
from voicechat.errors import ConfigError
from web import tls
from web.options import is_loopback, parse


def options(*arguments, **environment):
    return parse([str(a) for a in arguments], environment)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return tls.certificate(tmp_path_factory.mktemp("tls"))


def test_without_arguments():
    o = options()
    assert (o.model, o.host, o.port, o.seats, o.per_address) == (["auto"], "127.0.0.1", 7860, 10, 10)
    assert (o.max_session_min, o.idle_min, o.origins, o.token, o.kiosk) == (60, 10, [], None, "")
    assert not o.secure and o.warning == ""
    assert o.config("mini") == Config(model="mini")


def test_everything_at_once():
    o = options(
        "--model", "mini", "--model", "echo", "--device", "cpu", "--voice", "tone", "--instructions", "Be brief.",
        "--greedy", "--seed", 3, "--smart-turn", "--host", "[::]", "--port=0", "--tls", "--token", "a.B-c_1~",
        "--origin", "https://a.example", "--origin", "http://b.example:8080", "--seats", 4, "--per-address", 2,
        "--max-session-min", 0.5, "--idle-min", 2, "--kiosk", "?silence=30&push=1",
    )  # fmt: skip
    assert (o.model, o.host, o.port, o.token) == (["mini", "echo"], "::", 0, "a.B-c_1~")
    assert (o.seats, o.per_address, o.max_session_min, o.idle_min) == (4, 2, 0.5, 2)
    assert o.origins == ["https://a.example", "http://b.example:8080"]
    assert o.kiosk == "silence=30&push=1" and o.secure and not o.warning
    assert o.config("echo") == Config("echo", "cpu", "tone", "Be brief.", greedy=True, seed=3, smart_turn=True)


def test_one_address_may_have_every_seat_unless_it_is_said():
    assert options("--seats", 3).per_address == 3
    assert options("--seats", 3, "--per-address", 1).per_address == 1


def test_the_token_may_come_by_the_environment():
    assert options(VOICECHAT_TOKEN="abc").token == "abc"
    assert options("--token", "given", VOICECHAT_TOKEN="abc").token == "given"
    assert options(VOICECHAT_TOKEN="").token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "kiosk.example", "localhost", "fe80::1%eth0", "a-b"])
def test_hosts(host):
    o = options("--host", host)
    assert o.host == host
    assert bool(o.warning) == (host != "localhost")
    if o.warning:
        assert "--tls" in o.warning and "\n" not in o.warning


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True),
                           ("0.0.0.0", False), ("localhost.example", False)],
)  # fmt: skip
def test_who_reaches_it(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prot", "80"], "did you mean --port"),
        (["--mod", "mini"], "did you mean --model"),
        (["--seat=3"], "did you mean --seats"),
        (["8000"], "did you mean --port 8000"),
        (["mini"], "did you mean --model mini"),
        (["--port", "http"], "invalid int value"),
        (["--port"], "expected one argument"),
        (["--port", "65536"], "1 to 65535"),
        (["--port", "-1"], "1 to 65535"),
        (["--device", "gpu"], "invalid choice"),
        (["--host", "http://0.0.0.0"], "host alone"),
        (["--host", "0.0.0.0:80"], "--host 0.0.0.0 --port 80"),
        (["--host", "[::]:80"], "--host :: --port 80"),
        (["--host", ""], "127.0.0.1"),
        (["--host", "my host"], "127.0.0.1"),
        (["--host", "-x-.example"], "expected one argument"),
        (["--host", "256.0.0.1"], "no address"),
        (["--seats", "0"], "--seats 0 lets nobody in"),
        (["--per-address", "-2"], "lets nobody in"),
        (["--max-session-min", "0"], "minutes"),
        (["--idle-min", "nan"], "minutes"),
        (["--idle-min", "inf"], "minutes"),
        (["--origin", "example.org"], "https://example.org"),
        (["--origin", "https://example.org/"], "nothing behind"),
        (["--origin", "*"], "no website"),
        (["--origin", "null"], "no website"),
        (["--token", ""], "letters"),
        (["--token", "two words"], "secrets"),
        (["--token", "a/b="], "letters"),
        (["--model", " "], "--model is empty"),
        (["--model", "mini", "--model", "mini"], "twice"),
        (["--kiosk", "push"], "silence=30"),
        (["--kiosk", "push=1 & x=2"], "silence=30"),
        (["--kiosk", "/kiosk?push=1"], "silence=30"),
        (["--certificate", "c.pem"], "needs --key"),
        (["--key", "k.pem"], "needs --certificate"),
        (["--certificate", "no.pem", "--key", "no.pem"], "no.pem is no file"),
    ],
)
def test_what_cannot_be_meant_is_one_line_that_says_what_to_do(arguments, words):
    with pytest.raises(ConfigError) as error:
        options(*arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_pair_of_ones_own(pair):
    certificate, key = pair
    o = options("--certificate", certificate, "--key", key, "--host", "0.0.0.0")
    assert o.secure and not o.tls and o.warning == ""
    with pytest.raises(ConfigError, match="leave out one"):
        options("--certificate", certificate, "--key", key, "--tls")


def test_a_pair_that_does_not_fit(pair, tmp_path):
    certificate, key = pair
    _, other = tls.certificate(tmp_path)
    (tmp_path / "text.pem").write_text("hello")
    for c, k in [(certificate, other), (key, certificate), (certificate, tmp_path / "text.pem")]:
        with pytest.raises(ConfigError, match="cannot be used") as error:
            options("--certificate", c, "--key", k)
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="no file"):
        options("--certificate", certificate, "--key", Path(tmp_path))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="locks a key with openssl")
def test_a_locked_key_is_refused_without_asking_for_its_passphrase(pair, tmp_path):
    certificate, key = pair
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="without a passphrase"):
        options("--certificate", certificate, "--key", locked)


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as left:
        options("--help")
    assert left.value.code == 0
    told = capsys.readouterr().out
    for name in ("--model", "--host", "--tls", "--token", "--kiosk", "/v1/realtime"):
        assert name in told
