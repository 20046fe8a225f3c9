"""Certificates that a test makes for itself."""

from pathlib import Path
from typing import Final

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sinks.tls import TlsFiles

HOST: Final = "localhost"
"""The name in a server's certificate. 127.0.0.1, where the servers listen, is not in it."""
CLIENT: Final = "client.yangguang.example"


class Certificates:
    """An authority and what it signed, as PEM files with keys in PKCS 8, the only form that Kafka reads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = self._write("ca.pem", self._authority.cert_pem.bytes())
        self.trusting = TlsFiles(self.ca)
        self.server = self._issue("server", HOST)
        self.client = self._issue("client", CLIENT)

    def _issue(self, name: str, identity: str) -> TlsFiles:
        issued = self._authority.issue_cert(identity, common_name=identity)
        chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._write(f"{name}-both.pem", pem + chain)
        return TlsFiles(self.ca, self._write(f"{name}.pem", chain), self._write(f"{name}.key", pem))

    @property
    def server_with_key(self) -> Path:
        """Key and chain of the server in one file."""
        return self._folder / "server-both.pem"

    @property
    def client_with_key(self) -> Path:
        """Key and chain of the client in one file."""
        return self._folder / "client-both.pem"

    def encrypted_client_key(self, passphrase: str) -> bytes:
        """The client's key as nobody can read it without the passphrase."""
        key = load_pem_private_key(Path(str(self.client.key)).read_bytes(), None)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return str(path)
