"""The certificate made here: a real handshake, what is reused, who may read the key."""

import asyncio
import ssl
import stat
from datetime import timedelta

import pytest

from voicechat.errors import ConfigError
from web import tls


async def handshake(certificate, key, trusted, name):
    """The peer's certificate, as a client saw it that trusts `trusted` and asked for `name`."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=serving)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=trusted)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
        peer = writer.get_extra_info("peercert")
        writer.close()
        return peer


async def test_a_client_that_trusts_it_connects_by_every_name(tmp_path):
    certificate, key = tls.certificate(tmp_path / "tls", ["kiosk.example", "192.0.2.55", "0.0.0.0", "bücher.example"])
    names = ["localhost", "127.0.0.1", "::1", "kiosk.example", "192.0.2.55", "xn--bcher-kva.example", *tls.addresses()]
    for name in names:
        assert await handshake(certificate, key, certificate, name)
    for name in ("other.example", "0.0.0.0"):
        with pytest.raises(ssl.SSLCertVerificationError):
            await handshake(certificate, key, certificate, name)


async def test_who_does_not_trust_it_is_warned(tmp_path):
    certificate, key = tls.certificate(tmp_path / "one")
    other, _ = tls.certificate(tmp_path / "two")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(certificate, key, other, "localhost")


def test_the_key_is_its_owners_alone(tmp_path):
    _, key = tls.certificate(tmp_path / "tls")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert sorted(path.name for path in key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_it_is_used_again_while_it_covers_the_hosts(tmp_path):
    first = tls.fingerprint(tls.certificate(tmp_path, ["a.example"])[0])
    assert tls.fingerprint(tls.certificate(tmp_path, ["A.example."])[0]) == first
    assert tls.fingerprint(tls.certificate(tmp_path)[0]) == first
    second = tls.fingerprint(tls.certificate(tmp_path, ["b.example"])[0])
    assert second != first
    assert tls.fingerprint(tls.certificate(tmp_path, ["a.example", "b.example"])[0]) == second


@pytest.mark.parametrize("days", [0.1, 6])
def test_one_that_ends_soon_is_made_anew(tmp_path, monkeypatch, days):
    monkeypatch.setattr(tls, "VALID", timedelta(days=days))
    first = tls.fingerprint(tls.certificate(tmp_path)[0])
    monkeypatch.undo()
    second = tls.fingerprint(tls.certificate(tmp_path)[0])
    assert second != first
    assert tls.fingerprint(tls.certificate(tmp_path)[0]) == second


@pytest.mark.parametrize("damage", ["no key", "no certificate", "another's key", "half a certificate"])
async def test_a_damaged_pair_is_made_anew(tmp_path, damage):
    certificate, key = tls.certificate(tmp_path / "tls")
    match damage:
        case "no key":
            key.unlink()
        case "no certificate":
            certificate.unlink()
        case "another's key":
            key.write_bytes(tls.certificate(tmp_path / "other")[1].read_bytes())
        case _:
            certificate.write_bytes(certificate.read_bytes()[:200])
    assert tls.certificate(tmp_path / "tls") == (certificate, key)
    assert await handshake(certificate, key, certificate, "localhost")


async def test_the_fingerprint_is_that_of_what_is_served(tmp_path):
    import hashlib

    certificate, _ = tls.certificate(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    shown = tls.fingerprint(certificate)
    assert shown.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert len(shown.split(":")) == 32
    told = tls.how_to_accept(["https://192.0.2.1:7860/", "https://localhost:7860/"], shown)
    assert shown in told and "https://192.0.2.1:7860/" in told and max(map(len, told.splitlines())) <= 120


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--certificate and --key"):
        tls.certificate(tmp_path / "file" / "tls")


def test_the_folder_respects_the_users_wish(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tls.default_folder() == tmp_path / "voicechat" / "tls"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tls.default_folder() == tmp_path / ".cache" / "voicechat" / "tls"


def test_this_machines_addresses_are_no_loopback():
    assert not [address for address in tls.addresses() if address.startswith("127.") or address == "0.0.0.0"]
