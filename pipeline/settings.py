"""Settings: what the environment says; what `yangguang.toml` says stands in `pipeline.configuration`.

Wrong keys or values are refused at start with the place, the reason and the way out.
"""

import os
import secrets
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from pipeline.clickhouse_settings import ClickHouseSettings
from pipeline.configuration import Configuration, IndicatorSettings, RetentionSettings, SettingsError
from pipeline.configuration_channels import ChannelSettings
from pipeline.configuration_file import read_configuration
from pipeline.environment import LOOPBACK, LOOPBACK_NAMES, Port, Secret, read_secret
from pipeline.kafka_settings import KafkaSettings
from pipeline.mqtt_settings import MqttSettings
from sinks.clickhouse.address import Address
from streams.options import GROUP, Options
from streams.stall import STALL_SECONDS

__all__ = [
    "LOOPBACK",
    "ChannelSettings",
    "Configuration",
    "IndicatorSettings",
    "RetentionSettings",
    "Settings",
    "SettingsError",
    "load_settings",
    "read_configuration",
]

_SECRET_MODE: Final = 0o600


class Settings(KafkaSettings, ClickHouseSettings, MqttSettings):
    """The environment. Passwords and keys have no default: the embedded home makes its own."""

    home: Path = Path(".yangguang")
    http_host: str = LOOPBACK
    http_port: Port = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    authentication: Literal["required", "off"] = "required"
    signing_key: Secret = None
    api_key: Secret = None
    clock: Literal["wall", "event"] = "wall"
    config: Path = Path("yangguang.toml")
    group: str = GROUP
    partitions: Annotated[int, Field(ge=1)] = 4
    replication: Annotated[int, Field(ge=1)] = 1
    personal_key: Secret = None
    stall_seconds: Annotated[float, Field(gt=0)] = STALL_SECONDS

    @property
    def writer(self) -> Address:
        """ClickHouse for the parts that write."""
        password = self.writer_password or self._secret("clickhouse-writer-password")
        return self.clickhouse_address(self.clickhouse_user, password)

    @property
    def key(self) -> bytes:
        """The key of personal tokens, the same for every worker."""
        return (self.personal_key or self._secret("personal-data-key")).encode()

    @property
    def signing_master(self) -> bytes:
        """The key from which signing secrets are derived, the same for every gateway."""
        return (self.signing_key or self._secret("signing-key")).encode()

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the gateway."""
        return self.http_host in LOOPBACK_NAMES

    @property
    def gateway_url(self) -> str:
        """The gateway as this machine reaches it."""
        return f"{'https' if self.tls_certificate else 'http'}://{LOOPBACK}:{self.http_port}"

    @property
    def development_key_path(self) -> Path:
        """Where `yangguang up` keeps the key that it made for this machine."""
        return self.home / "secrets" / "development-key"

    @property
    def own_api_key(self) -> str:
        """The API key with which commands push to a gateway: the one given, else that of this machine; empty where
        there is none."""
        if self.api_key:
            return self.api_key
        try:
            return self.development_key_path.read_text().strip()
        except OSError:
            return ""

    def _secret(self, name: str) -> str:
        """A secret of the embedded home: made once, readable by its owner only."""
        path = self.home / "secrets" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET_MODE)
        except FileExistsError:
            pass
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be made ({error.strerror}): set YANGGUANG_HOME to a folder of yours"
            ) from error
        else:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
        return read_secret(path, "delete it, and a new one is made").strip()

    def configuration(self) -> Configuration:
        """What the file says; the defaults where there is none and none was asked for."""
        if not self.config.exists():
            if "YANGGUANG_CONFIG" in os.environ:
                raise SettingsError(f"YANGGUANG_CONFIG names {self.config}, which does not exist: correct or unset it")
            return Configuration()
        try:
            text = self.config.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{self.config} cannot be read ({error.strerror}): let this user read it") from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise SettingsError(f"{self.config}, line {line}: is not UTF-8: save the file as UTF-8") from error
        return read_configuration(text, str(self.config))

    def worker_options(self) -> Options:
        """What a worker is told."""
        configuration = self.configuration()
        return Options(
            kafka=self.kafka_address,
            clickhouse=self.writer,
            personal_key=self.key,
            clock=self.clock,
            lateness=configuration.lateness,
            takeaway_active_days=configuration.takeaway_active_days,
            heartbeats_kept=configuration.retention.heartbeats,
            orders_kept=configuration.retention.orders,
            group=self.group,
            home=str(self.home),
            rejects=configuration.rejects.rule(),
            events=configuration.event.rules(),
        )


def load_settings() -> Settings:
    """The environment's settings. Raises SettingsError where a value is wrong, or where what secures the connections
    does not fit together."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"YANGGUANG_{str(first['loc'][0]).upper()}"
        raise SettingsError(f"{name} is {os.environ.get(name, '')!r}: {first['msg']}") from None
    settings.warn_of_kafka()
    settings.warn_of_mqtt()
    _ = settings.analyst, settings.writer_password  # a wrong file is told of now, and not at the first connection
    return settings
