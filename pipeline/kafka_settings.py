"""Of the environment: where Kafka is, and how a client proves to it who it is."""

import logging
import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.configuration import SettingsError
from pipeline.environment import (
    LOOPBACK,
    LOOPBACK_NAMES,
    PREFIX,
    File,
    Port,
    Secret,
    Text,
    password_of,
    tls_files,
    unset_if_empty,
)
from streams.kafka_address import DEFAULT_MECHANISM, KafkaAddress

log: Final = logging.getLogger(__name__)

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_SERVER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class KafkaSettings(BaseSettings):
    """Without any of security, Kafka is spoken to in the clear and without a user, as the embedded one wants it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    kafka: Text = None
    kafka_port: Port = 9092
    kafka_security: Annotated[Protocol | None, BeforeValidator(unset_if_empty)] = None
    kafka_sasl_mechanism: Annotated[Mechanism | None, BeforeValidator(unset_if_empty)] = None
    kafka_user: Text = None
    kafka_password: Secret = None
    kafka_password_file: File = None
    kafka_ca: File = None
    kafka_certificate: File = None
    kafka_key: File = None

    @property
    def servers(self) -> str:
        """Kafka's bootstrap servers."""
        return self.kafka or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def kafka_address(self) -> KafkaAddress:
        """Kafka, with how to prove to it who we are. Raises SettingsError where the variables do not fit together."""
        password = password_of("YANGGUANG_KAFKA_PASSWORD", self.kafka_password, self.kafka_password_file)
        protocol = self.kafka_security or self._derived_protocol()
        if contradiction := self._contradiction(protocol, password):
            raise SettingsError(contradiction)
        return KafkaAddress(
            self.servers,
            protocol,
            self.kafka_sasl_mechanism or DEFAULT_MECHANISM,
            self.kafka_user or "",
            password or "",
            tls_files("YANGGUANG_KAFKA", self.kafka_ca, self.kafka_certificate, self.kafka_key),
        )

    def warn_of_kafka(self) -> None:
        """Says in the log what is possible and not wise. Raises SettingsError like `kafka_address`."""
        address = self.kafka_address
        exposed = [one for one in address.server_list if _host(one) not in LOOPBACK_NAMES]
        if (address.protocol, address.mechanism) == ("SASL_PLAINTEXT", "PLAIN") and exposed:
            log.warning(
                "the password of Kafka's user %s goes to %s in the clear: set YANGGUANG_KAFKA_SECURITY to SASL_SSL, or "
                "YANGGUANG_KAFKA_SASL_MECHANISM to a SCRAM",
                address.user,
                exposed[0],
            )

    def _derived_protocol(self) -> Protocol:
        """A user is never sent in the clear unless that is asked for."""
        if self.kafka_user is not None:
            return "SASL_SSL"
        return "SSL" if self.kafka_ca or self.kafka_certificate or self.kafka_key else "PLAINTEXT"

    def _contradiction(self, protocol: Protocol, password: str | None) -> str | None:
        """The first sentence of why the variables do not fit together; files are not looked at."""
        given = [name for name in KafkaSettings.model_fields if name not in ("kafka", "kafka_port")]
        given = [f"{PREFIX}{name.upper()}" for name in given if getattr(self, name) is not None]
        if given and self.kafka is None:
            return f"{given[0]} is set, but YANGGUANG_KAFKA is not: name your Kafka, as the embedded one knows no users"
        for server in self.servers.split(","):
            if not _SERVER.fullmatch(server.strip()):
                return f"YANGGUANG_KAFKA is {self.servers}: give host:port, with commas between several"
        if self.kafka_user is not None and password is None:
            return (
                f"YANGGUANG_KAFKA_USER is {self.kafka_user}, but there is no password: set YANGGUANG_KAFKA_PASSWORD or "
                "YANGGUANG_KAFKA_PASSWORD_FILE"
            )
        for name in given:
            if self.kafka_user is None and name.startswith(("YANGGUANG_KAFKA_PASSWORD", "YANGGUANG_KAFKA_SASL")):
                return f"{name} is set, but YANGGUANG_KAFKA_USER is not: name the user, or unset it"
        if self.kafka_user is None and protocol.startswith("SASL_"):
            return f"YANGGUANG_KAFKA_SECURITY is {protocol}, which wants a user: set YANGGUANG_KAFKA_USER"
        if self.kafka_user is not None and not protocol.startswith("SASL_"):
            return (
                f"YANGGUANG_KAFKA_SECURITY is {protocol}, which knows no users: set it to SASL_SSL, or unset "
                "YANGGUANG_KAFKA_USER"
            )
        for name in given:
            if not protocol.endswith("SSL") and name.endswith(("_CA", "_CERTIFICATE", "_KEY")):
                secure = "SASL_SSL" if self.kafka_user else "SSL"
                return (
                    f"{name} is set, but YANGGUANG_KAFKA_SECURITY is {protocol}, which knows no certificates: set it "
                    f"to {secure}, or unset {name}"
                )
        return None


def _host(server: str) -> str:
    match = _SERVER.fullmatch(server)
    return match[1].strip("[]") if match else server
