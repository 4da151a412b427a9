"""A certificate authority for tests, and the server certificates that it signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAYS = 2
# So that a clock that is a little behind does not see a certificate from the future.
_EARLIER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a server shows, and the key to it."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority: a client that is given its `root` file trusts what it issues."""

    def __init__(self, folder: Path, name: str = "occbench test authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        signed = self._builder(self._name, self._key).add_extension(constraints, critical=True)
        self.root = folder / f"{_file_name(name)}.pem"
        """The file that clients trust, for `sslrootcert`."""
        self.root.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, *names: str, expired: bool = False) -> ServerCertificate:
        """A certificate for these host names, wildcards and addresses; for a time that has passed
        if asked."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = self._builder(subject, key, expired=expired).add_extension(
            x509.SubjectAlternativeName(_alternatives(names)), critical=False
        )
        signed = builder.sign(self._key, hashes.SHA256())
        made = ServerCertificate(
            self._folder / f"{_file_name(names[0])}.crt", self._folder / f"{_file_name(names[0])}.key"
        )
        made.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        made.key.touch(mode=0o600)
        made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        begin = datetime.now(UTC) - _EARLIER - timedelta(days=_DAYS if expired else 0)
        end = datetime.now(UTC) + (-_EARLIER if expired else timedelta(days=_DAYS))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
