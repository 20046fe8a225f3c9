"""Settings: what the environment says; what `yangguang.toml` says stands in `pipeline.configuration`.

Wrong keys or values are refused at start with the place, the reason and the way out.
"""

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.configuration import ChannelSettings, Configuration, IndicatorSettings, RetentionSettings, SettingsError
from pipeline.configuration_file import read_configuration
from sinks.clickhouse.client import Address
from streams.app import GROUP, Options
from streams.kafka_address import KafkaAddress
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

LOOPBACK: Final = "127.0.0.1"
Port = Annotated[int, Field(ge=1, le=65535)]
_SECRET_MODE: Final = 0o600


class Settings(BaseSettings):
    """The environment. Passwords and keys have no default: the embedded home makes its own."""

    model_config = SettingsConfigDict(env_prefix="YANGGUANG_", extra="ignore")

    home: Path = Path(".yangguang")
    kafka: str | None = None
    kafka_port: Port = 9092
    clickhouse: str | None = None
    clickhouse_port: Port = 8123
    clickhouse_user: str = "writer"
    clickhouse_writer_password: str | None = None
    clickhouse_analyst_password: str | None = None
    clickhouse_cluster: str = ""
    http_host: str = LOOPBACK
    http_port: Port = 8080
    clock: Literal["wall", "event"] = "wall"
    config: Path = Path("yangguang.toml")
    group: str = GROUP
    partitions: Annotated[int, Field(ge=1)] = 4
    replication: Annotated[int, Field(ge=1)] = 1
    personal_key: str | None = None
    stall_seconds: Annotated[float, Field(gt=0)] = STALL_SECONDS

    @property
    def servers(self) -> str:
        """Kafka's bootstrap servers."""
        return self.kafka or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def kafka_address(self) -> KafkaAddress:
        """Kafka, with how to prove to it who we are."""
        return KafkaAddress(self.servers)

    @property
    def writer(self) -> Address:
        """ClickHouse for the parts that write."""
        password = self.clickhouse_writer_password or self._secret("clickhouse-writer-password")
        return self._address(self.clickhouse_user, password)

    @property
    def analyst(self) -> Address:
        """ClickHouse for the parts that only read."""
        return self._address("analyst", self.clickhouse_analyst_password or "")

    def _address(self, user: str, password: str) -> Address:
        if self.clickhouse is None:
            return Address(LOOPBACK, self.clickhouse_port, user, password)
        match = re.fullmatch(r"(?:(https?)://)?([^:/]+)(?::(\d+))?/?", self.clickhouse)
        if match is None:
            raise SettingsError(f"YANGGUANG_CLICKHOUSE is {self.clickhouse}: give a URL such as http://ch1:8123")
        secure = match[1] == "https"
        return Address(match[2], int(match[3] or (8443 if secure else 8123)), user, password, secure)

    @property
    def key(self) -> bytes:
        """The key of personal tokens, the same for every worker."""
        return (self.personal_key or self._secret("personal-data-key")).encode()

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
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise SettingsError(f"{path} may be read by others (mode {mode:o}): run chmod 600 {path}")
        secret = path.read_text().strip()
        if not secret:
            raise SettingsError(f"{path} is empty: delete it, and a new one is made")
        return secret

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
            kafka=self.servers,
            clickhouse=self.writer,
            personal_key=self.key,
            clock=self.clock,
            lateness=configuration.lateness,
            takeaway_active_days=configuration.takeaway_active_days,
            heartbeats_kept=configuration.retention.heartbeats,
            orders_kept=configuration.retention.orders,
            group=self.group,
            home=str(self.home),
        )


def load_settings() -> Settings:
    """The environment's settings. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"YANGGUANG_{str(first['loc'][0]).upper()}"
        raise SettingsError(f"{name} is {os.environ.get(name, '')!r}: {first['msg']}") from None
