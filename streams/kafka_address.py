"""Where Kafka is, and how a client proves to it who it is: one value, and what each client library calls its parts."""

import ssl
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sinks.tls import SYSTEM_AUTHORITIES, TlsFiles

DEFAULT_MECHANISM: Final = "SCRAM-SHA-512"
"""Proves the password without sending it."""


class NoAccessError(Exception):
    """Kafka was not reached; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Kafka for one client: from the settings. As text it is its servers; the password is in no text of it."""

    servers: str
    """Bootstrap servers, `host:port` with commas."""
    protocol: str = "PLAINTEXT"
    """Kafka's security protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    mechanism: str = DEFAULT_MECHANISM
    """Of SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: TlsFiles = SYSTEM_AUTHORITIES

    def __str__(self) -> str:
        return self.servers

    @property
    def server_list(self) -> list[str]:
        """The bootstrap servers one by one."""
        return [one.strip() for one in self.servers.split(",")]

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.protocol.endswith("SSL")

    @property
    def authenticated(self) -> bool:
        """Whether a user and a password are given."""
        return self.protocol.startswith("SASL_")

    @property
    def described(self) -> str:
        """How one connects, in words for people."""
        user = f", user {self.user} by {self.mechanism}" if self.authenticated else ""
        certificate = ", client certificate" if self.tls.certificate else ""
        return f"{self.protocol}{user}{certificate}"

    @property
    def principal(self) -> str:
        """Whom Kafka takes us for, in words for people."""
        if self.authenticated:
            return f"user {self.user}"
        return "the holder of our certificate" if self.tls.certificate else "clients without a user"

    def at(self, servers: str) -> "KafkaAddress":
        """The same, at other servers."""
        return replace(self, servers=servers)

    def for_kafka_python(self) -> dict[str, Any]:
        """Keyword arguments of kafka-python's clients. Raises OSError where a file of TLS cannot be used."""
        return {"bootstrap_servers": self.server_list, **self._security()}

    def for_aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients, which have the names of kafka-python's. Raises OSError likewise."""
        return self.for_kafka_python()

    def for_librdkafka(self) -> dict[str, Any]:
        """Configuration of clients that are made of librdkafka. Its files are read when the client is made."""
        found: dict[str, Any] = {"bootstrap.servers": ",".join(self.server_list), "security.protocol": self.protocol}
        if self.authenticated:
            found |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        if self.encrypted:
            files = {
                "ssl.ca.location": self.tls.ca or "probe",  # "probe": the authorities of the system
                "ssl.certificate.location": self.tls.certificate,
                "ssl.key.location": self.tls.key or self.tls.certificate,
            }
            found |= {name: file for name, file in files.items() if file is not None}
        return found

    def for_faust(self) -> dict[str, Any]:
        """Keyword arguments of a Faust app. Raises OSError likewise."""
        import faust  # noqa: PLC0415 # only workers and notifiers need its 45 MB
        from yarl import URL  # noqa: PLC0415 # likewise

        found: dict[str, Any] = {"broker": [URL(f"kafka://{server}") for server in self.server_list]}
        if self.authenticated:
            found["broker_credentials"] = faust.SASLCredentials(
                mechanism=self.mechanism, username=self.user, password=self.password, ssl_context=self._context()
            )
        elif self.encrypted:
            found["broker_credentials"] = faust.SSLCredentials(context=self._context())
        return found

    def _context(self) -> ssl.SSLContext | None:
        return self.tls.context() if self.encrypted else None

    def _security(self) -> dict[str, Any]:
        if self.protocol == "PLAINTEXT":
            return {}
        found: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self._context()}
        if self.authenticated:
            found |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return found
