"""Of the environment: where ClickHouse is, its two users, and how the connection is secured."""

import re
from typing import Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.configuration import SettingsError
from pipeline.environment import LOOPBACK, PREFIX, File, Port, Secret, Text, password_of, tls_files
from sinks.clickhouse.address import Address

_URL: Final = re.compile(r"(?:(https?)://)?([^:/@]+)(?::(\d+))?/?")


class ClickHouseSettings(BaseSettings):
    """Without a URL it is the embedded one on this machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    clickhouse: Text = None
    clickhouse_port: Port = 8123
    clickhouse_user: str = "writer"
    clickhouse_writer_password: Secret = None
    clickhouse_writer_password_file: File = None
    clickhouse_analyst_password: Secret = None
    clickhouse_analyst_password_file: File = None
    clickhouse_ca: File = None
    clickhouse_certificate: File = None
    clickhouse_key: File = None
    clickhouse_cluster: str = ""

    @property
    def writer_password(self) -> str | None:
        """The writer's password where one is set. Raises SettingsError."""
        return password_of(
            "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD",
            self.clickhouse_writer_password,
            self.clickhouse_writer_password_file,
        )

    @property
    def analyst_password(self) -> str | None:
        """The analyst's password where one is set. Raises SettingsError."""
        return password_of(
            "YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD",
            self.clickhouse_analyst_password,
            self.clickhouse_analyst_password_file,
        )

    @property
    def analyst(self) -> Address:
        """ClickHouse for the parts that only read."""
        return self.clickhouse_address("analyst", self.analyst_password or "")

    def clickhouse_address(self, user: str, password: str) -> Address:
        """ClickHouse for one user. Raises SettingsError where the variables do not fit together."""
        given = [name for name in ("clickhouse_ca", "clickhouse_certificate", "clickhouse_key") if getattr(self, name)]
        if self.clickhouse is None:
            self._refuse(given, "YANGGUANG_CLICKHOUSE is not: name your ClickHouse, as the embedded one knows no TLS")
            return Address(LOOPBACK, self.clickhouse_port, user, password)
        if "@" in self.clickhouse:
            raise SettingsError(
                "YANGGUANG_CLICKHOUSE holds a user: give a URL such as https://ch1:8443, and the users' passwords in "
                "YANGGUANG_CLICKHOUSE_WRITER_PASSWORD and YANGGUANG_CLICKHOUSE_ANALYST_PASSWORD"
            )
        match = _URL.fullmatch(self.clickhouse)
        if match is None:
            raise SettingsError(f"YANGGUANG_CLICKHOUSE is {self.clickhouse}: give a URL such as http://ch1:8123")
        secure = match[1] == "https"
        if not secure:
            self._refuse(given, f"YANGGUANG_CLICKHOUSE is {self.clickhouse}: let it begin with https://")
        files = tls_files("YANGGUANG_CLICKHOUSE", self.clickhouse_ca, self.clickhouse_certificate, self.clickhouse_key)
        return Address(match[2], int(match[3] or (8443 if secure else 8123)), user, password, secure, files)

    @staticmethod
    def _refuse(given: list[str], reason: str) -> None:
        if given:
            raise SettingsError(f"{PREFIX}{given[0].upper()} is set, but {reason}")
