"""Settings: what the environment says, and what `yangguang.toml` says about rates and channels.

Every setting has one place here. Wrong keys or values are refused at start with the line and the reason.
"""

import os
import re
import secrets
import stat
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.indicators import CATALOGUE, Dated, Duration, Indicator, Minutes
from sinks.clickhouse.client import Address
from streams.app import GROUP, Options
from streams.stall import STALL_SECONDS

LOOPBACK: Final = "127.0.0.1"
Port = Annotated[int, Field(ge=1, le=65535)]
_SECRET_MODE: Final = 0o600


class SettingsError(Exception):
    """A setting that cannot be used, in one sentence that says what to do."""


class IndicatorSettings(BaseModel):
    """What may be set of an indicator."""

    model_config = ConfigDict(extra="forbid")

    target: tuple[Dated, ...] | None = None
    recovery: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    for_: Minutes | None = Field(None, alias="for")
    floor: Annotated[int, Field(strict=True, ge=0)] | None = None
    settle: Minutes | None = None
    alert_windows: tuple[str, ...] | None = None
    deadline: date | None = None

    def applied_to(self, indicator: Indicator) -> Indicator:
        """The catalogue's entry with what is set here."""
        return indicator.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class ChannelSettings(BaseModel):
    """Where alerts go."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["console", "webhook"]
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None


class Configuration(BaseModel):
    """The file `yangguang.toml`."""

    model_config = ConfigDict(extra="forbid")

    lateness: Duration = timedelta(seconds=60)
    takeaway_active_days: Annotated[int, Field(strict=True, ge=0, le=3650)] = 30
    indicator: dict[str, IndicatorSettings] = {}
    channel: dict[str, ChannelSettings] = {}

    def catalogue(self) -> list[Indicator]:
        """The catalogue with the settings applied."""
        return [
            self.indicator[code].applied_to(entry) if code in self.indicator else entry
            for code, entry in CATALOGUE.items()
        ]


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
        return read_configuration(self.config.read_text(encoding="utf-8"), str(self.config))

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


def read_configuration(text: str, name: str) -> Configuration:
    """Parses the file's text. Raises SettingsError that names the line."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error).replace("at end of document", f"at line {len(text.splitlines())}, the last")
        raise SettingsError(f"{name}: {message}") from None
    try:
        configuration = Configuration.model_validate(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingsError(
            f"{name}, line {_line(text, first['loc'])}: {_path(first['loc'])}: {_message(first)}"
        ) from None
    for code, entry in configuration.indicator.items():
        line = _line(text, ("indicator", code))
        if code not in CATALOGUE:
            raise SettingsError(f"{name}, line {line}: there is no indicator {code}: use one of {', '.join(CATALOGUE)}")
        for number, dated in enumerate(entry.target or ()):
            if not CATALOGUE[code].counts and not 0 <= dated.value <= 1:
                place = _line(text, ("indicator", code, "target", number, "value"))
                raise SettingsError(f"{name}, line {place}: target value of {code} is a share: write 0.9 for 90 %")
        unknown = set(entry.alert_windows or ()) - set(CATALOGUE[code].windows)
        if unknown:
            raise SettingsError(
                f"{name}, line {_line(text, ('indicator', code, 'alert_windows'))}: {code} has no window "
                f"{', '.join(sorted(unknown))}: use {', '.join(CATALOGUE[code].windows)}"
            )
    for channel, settings in configuration.channel.items():
        if settings.type == "webhook" and settings.url is None:
            raise SettingsError(f"{name}, line {_line(text, ('channel', channel))}: a webhook needs a url")
    return configuration


def _message(error: Mapping[str, Any]) -> str:
    return "the key is not known" if error["type"] == "extra_forbidden" else str(error["msg"])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location if isinstance(part, str))


def _line(text: str, location: tuple[int | str, ...]) -> int:
    """The line on which the deepest part of `location` that can be found is written; 1 where nothing is.

    Numbers in `location` are positions in a list: of `[[tables]]`, or of `{...}` entries in brackets."""
    names = [part for part in location if isinstance(part, str)]
    position = next((part for part in location if isinstance(part, int)), 0)
    table: list[str] = []
    seen: dict[tuple[str, ...], int] = {}
    found = (0, 1)
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*(\[+)\s*([^\[\]{}=]+?)\s*\]", line):
            table = here = [part.strip().strip("\"'") for part in match[2].split(".")]
            if match[1] == "[[":
                seen[tuple(table)] = seen.get(tuple(table), -1) + 1
                inside = here == names[: len(here)] and seen[tuple(table)] == position
                if not inside:
                    continue
        elif match := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            here = [*table, *(part.strip("\"'") for part in match[1].split("."))]
            if tuple(table) in seen and not inside:
                continue
            entries = -1
        elif "{" in line and found[0]:
            entries += line.count("{")
            if entries == position:
                found = (found[0], number)
            continue
        else:
            continue
        depth = len(here) if here == names[: len(here)] else 0
        if depth > found[0] or (depth == found[0] and inside):
            found = (depth, number)
    return found[1]
