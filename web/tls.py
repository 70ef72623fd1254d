"""A certificate made here: browsers give the microphone to pages that came over TLS, or from their own machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from voicechat.errors import ConfigError

VALID = timedelta(days=397)  # browsers refuse more than 398
RENEWED = timedelta(days=7)  # before its end
# One address in each range of local networks: the way there, which is looked up and not gone, begins at one of ours.
ELSEWHERE = ("192.0.2.1", "10.255.255.254", "172.31.255.254", "192.168.255.254")


def default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voicechat" / "tls"


def addresses() -> list[str]:
    """This machine's addresses in its local networks, IPv4. Nothing is sent.

    IPv6 is left out: machines change theirs daily, and with each change the certificate would have to be
    accepted anew.
    """
    found = []
    for elsewhere in ELSEWHERE:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect((elsewhere, 9))  # asks the routing table, no more
            found.append(udp.getsockname()[0])
    return [address for address in dict.fromkeys(found) if not ip_address(address).is_loopback]


def certificate(folder: Path, hosts: Sequence[str] = ()) -> tuple[Path, Path]:
    """The paths of a certificate and its key in `folder`: for localhost, this machine, and `hosts`.

    One that is there is used again while it covers them all and does not end soon; a new one covers what the
    old one did too, so a machine that moves between networks keeps one that all of them have accepted.
    Raises ConfigError where the folder cannot be written.
    """
    paths = folder / "certificate.pem", folder / "key.pem"
    wanted = _names(["localhost", "127.0.0.1", "::1", socket.gethostname(), *addresses(), *hosts])
    old = _load(*paths)
    covered = _covered(old) if old is not None else set()
    if not wanted <= covered:
        try:
            _make(wanted | covered, *paths)
        except OSError as error:
            raise ConfigError(
                f"no certificate can be kept in {folder} ({error.strerror}): set XDG_CACHE_HOME to a folder that can "
                "be written, or bring a pair with --certificate and --key"
            ) from None
    return paths


def fingerprint(certificate: Path) -> str:
    """SHA-256, as browsers show it: AB:CD:..."""
    return _certificate(certificate).fingerprint(hashes.SHA256()).hex(":").upper()


def how_to_accept(urls: Iterable[str], fingerprint: str) -> str:
    """What the operator reads at the start, some lines."""
    pages = "\n".join(f"    {url}" for url in urls)
    return f"""\
Open one of these in a browser:
{pages}
The certificate was made on this machine, so the browser warns once: choose "Advanced", then "Proceed"
("Accept the Risk" in Firefox, "Show Details" and "visit this website" in Safari). To be sure that it is
this server and no other, compare the certificate's SHA-256 fingerprint first:
    {fingerprint}"""


def _names(hosts: Iterable[str]) -> set[x509.GeneralName]:
    names: set[x509.GeneralName] = set()
    for host in hosts:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            with suppress(UnicodeError, ValueError):
                if ascii_name := host.rstrip(".").lower().encode("idna").decode():
                    names.add(x509.DNSName(ascii_name))
        else:
            if not address.is_unspecified:  # 0.0.0.0 is where one listens, not where one goes
                names.add(x509.IPAddress(address))
    return names


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _load(certificate: Path, key: Path) -> x509.Certificate | None:
    """The certificate, where it may be used still: whole, with its own key, and not about to end."""
    try:
        found = _certificate(certificate)
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    ends_soon = found.not_valid_after_utc - datetime.now(UTC) < RENEWED
    return None if ends_soon or found.public_key() != private.public_key() else found


def _covered(certificate: x509.Certificate) -> set[x509.GeneralName]:
    return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _make(names: set[x509.GeneralName], certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"voicechat on {socket.gethostname()}"[:64])])
    begins = datetime.now(UTC) - timedelta(hours=1)  # other machines' clocks may be behind
    identity = x509.SubjectKeyIdentifier.from_public_key(public)
    made = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number(), begins, begins + VALID)
        .add_extension(x509.SubjectAlternativeName(sorted(names, key=str)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)  # it vouches for itself alone
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identity, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    form, unlocked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _write(key, private.private_bytes(pem, form, unlocked), 0o600)
    _write(certificate, made.public_bytes(pem), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` allows."""
    new = path.with_suffix(f".{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    new.replace(path)
