"""Where ClickHouse is, and how a client proves to it who it is: settings need no client library for it."""

from dataclasses import dataclass, field
from typing import Any

from sinks.tls import SYSTEM_AUTHORITIES, TlsFiles


@dataclass(frozen=True, slots=True)
class Address:
    """Where ClickHouse is and who speaks: from the settings. The password is in no text of it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    secure: bool = False
    """Whether it speaks TLS."""
    tls: TlsFiles = SYSTEM_AUTHORITIES

    @property
    def url(self) -> str:
        """Of its HTTP interface, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}/"

    def for_client(self) -> dict[str, Any]:
        """Keyword arguments of clickhouse-connect's clients. The server's certificate and host name are checked; a
        certificate of ours opens the connection, and the password proves the user all the same."""
        found: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password,
            "secure": self.secure,
        }
        if self.secure:
            found |= {
                "ca_cert": self.tls.ca,
                "client_cert": self.tls.certificate,
                "client_cert_key": self.tls.key,
                "tls_mode": "strict",
            }
        return found
