"""Certificates, right and wrong, made with python3-cryptography rather than by the sandbox's own script."""

import datetime
import itertools
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_serial = itertools.count(1)
DAY = datetime.timedelta(days=1)


class Authority:
    """Whoever signs certificates: the sandbox's development CA, or a foreign one."""

    def __init__(self, certificate, key, directory):
        self.certificate, self.key, self.directory = certificate, key, Path(directory)

    @classmethod
    def of_sandbox(cls, sandbox, directory):
        """The sandbox's, whose key lies somewhere in its directory."""
        certificate = x509.load_pem_x509_certificate(sandbox.ca.read_bytes())
        wanted = certificate.public_key().public_numbers()
        for path in sandbox.directory.rglob("*.key"):
            if not path.read_bytes().startswith(b"-----BEGIN"):
                continue  # the ledger's, which is no key of TLS
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            if key.public_key().public_numbers() == wanted:
                return cls(certificate, key, directory)
        raise LookupError(f"no key of {sandbox.ca} in {sandbox.directory}")

    @classmethod
    def foreign(cls, directory):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Foreign CA")])
        certificate = (_builder(name, name, key)
                       .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                       .sign(key, hashes.SHA256()))
        return cls(certificate, key, directory)

    def issue(self, *uris, not_before=-DAY, not_after=DAY, dns=(), client=True):
        """Paths of a certificate with these URI SANs, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        stem = self.directory / f"issued-{next(_serial)}"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem.name)])
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (_builder(subject, self.certificate.subject, key, not_before, not_after)
                   .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                   .add_extension(x509.ExtendedKeyUsage([usage]), critical=False))
        names = [x509.UniformResourceIdentifier(uri) for uri in uris] + [x509.DNSName(name) for name in dns]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate, secret = stem.with_suffix(".crt"), stem.with_suffix(".key")
        certificate.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, secret


def _builder(subject, issuer, key, not_before=-DAY, not_after=DAY):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now + not_before).not_valid_after(now + not_after))
